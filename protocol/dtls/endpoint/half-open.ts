/** Handshakes of a server that are not connected yet, and which of them gives way when all places are taken. */
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import type { HandshakeAdmission } from "../admission/handshake-admission.ts";
import type { HandshakeRun } from "./handshake-run.ts";

/** Looked at for one that may give way. */
const runsLookedAt = 64;

export class HalfOpen {
  /** Those that were looked at longest ago first. */
  readonly #runs = new Set<HandshakeRun>();

  add(run: HandshakeRun): void {
    if (run.role === "server") this.#runs.add(run);
  }

  remove(run: HandshakeRun): void {
    this.#runs.delete(run);
  }

  /**
   * One from a prefix that has more of them than the prefix of `address` would have. Without it a few hosts that begin handshakes and stop
   * would shut out everybody else; a fleet that comes all at once takes nothing from itself.
   */
  findFor(address: SocketAddress, admission: HandshakeAdmission): HandshakeRun | undefined {
    const fairShare = admission.around(address) + 1;
    let looked = 0;
    for (const run of this.#runs) {
      if (admission.around(run.address) > fairShare) return run;
      if (++looked === runsLookedAt) return undefined;
      // It goes to the end, so that the next search begins with others.
      this.#runs.delete(run);
      this.#runs.add(run);
    }
    return undefined;
  }
}
