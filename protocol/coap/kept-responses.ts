/**
 * Responses of methods that must not run again, kept until the peer has fetched their later blocks (RFC 7959 §2.4, §3.3).
 * GET needs none of this: its handler is asked anew for every block.
 */
import type { Clock, Timer } from "../ports/clock.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { CoapLimits } from "./limits.ts";
import type { OutgoingResponse } from "./message.ts";
import type { PeerRecord } from "./peer-table.ts";

interface Kept {
  readonly response: OutgoingResponse;
  readonly sizeBytes: number;
  readonly record: PeerRecord;
  readonly timer: Timer;
}

export class KeptResponses {
  readonly #clock: Clock;
  readonly #limits: CoapLimits;
  readonly #budget: ByteBudget;
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock, limits: CoapLimits, budget: ByteBudget) {
    this.#clock = clock;
    this.#limits = limits;
    this.#budget = budget;
  }

  /** Replaces what was kept under the same key; not kept when memory for bodies is short, and later blocks then get 4.08. */
  keep(record: PeerRecord, key: string, response: OutgoingResponse): void {
    const fullKey = `${record.key} ${key}`;
    this.#drop(fullKey);
    const sizeBytes = response.payload instanceof Uint8Array ? response.payload.length : 0;
    if (!this.#budget.tryTake(sizeBytes)) return;
    record.holds++;
    const timer = this.#clock.after(this.#limits.bodyAgeMs, () => this.#drop(fullKey));
    this.#kept.set(fullKey, { response, sizeBytes, record, timer });
  }

  find(record: PeerRecord, key: string): OutgoingResponse | undefined {
    return this.#kept.get(`${record.key} ${key}`)?.response;
  }

  #drop(fullKey: string): void {
    const kept = this.#kept.get(fullKey);
    if (kept === undefined) return;
    this.#kept.delete(fullKey);
    kept.timer.cancel();
    kept.record.holds--;
    this.#budget.give(kept.sizeBytes);
  }
}
