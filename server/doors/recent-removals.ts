/** Credentials that were removed while handshakes were under way: who was let in before the removal may be connected after it. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { IdentityMatch } from "../security/device-credentials.ts";

export class RecentRemovals {
  readonly #clock: Clock;
  readonly #keptMs: number;
  /** Oldest first. */
  #removals: { readonly at: number; readonly matches: IdentityMatch }[] = [];

  /** `keptMs`: no handshake takes longer. */
  constructor(clock: Clock, keptMs: number) {
    this.#clock = clock;
    this.#keptMs = keptMs;
  }

  get size(): number {
    return this.#removals.length;
  }

  note(matches: IdentityMatch): void {
    const now = this.#clock.now();
    const firstKept = this.#removals.findIndex(({ at }) => now - at <= this.#keptMs);
    if (firstKept !== 0) this.#removals = firstKept === -1 ? [] : this.#removals.slice(firstKept);
    this.#removals.push({ at: now, matches });
  }

  /** Whether an identity was removed since `beganAt`; a removal in the same millisecond counts. */
  concern(identity: SecureIdentity, beganAt: number): boolean {
    for (let i = this.#removals.length - 1; i >= 0; i--) {
      const removal = this.#removals[i];
      if (removal === undefined || removal.at < beganAt) return false;
      if (removal.matches(identity)) return true;
    }
    return false;
  }
}
