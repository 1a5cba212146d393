/**
 * Responses of methods that must not run again, kept until the peer has fetched their later blocks (RFC 7959 §2.4, §3.3).
 * GET needs none of this: its handler is asked anew for every block.
 */
import type { Timer } from "../ports/clock.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { OutgoingResponse } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import type { PeerRecord } from "./peer-table.ts";

interface Kept {
  readonly response: OutgoingResponse;
  readonly sizeBytes: number;
  readonly record: PeerRecord;
  readonly timer: Timer;
}

export class KeptResponses {
  readonly #layer: MessageLayer;
  readonly #budget: ByteBudget;
  readonly #kept = new Map<string, Kept>();

  constructor(layer: MessageLayer, budget: ByteBudget) {
    this.#layer = layer;
    this.#budget = budget;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Replaces what was kept under the same key; not kept when memory for bodies is short, and later blocks then get 4.08. */
  keep(record: PeerRecord, key: string, response: OutgoingResponse): void {
    const fullKey = `${record.key} ${key}`;
    this.#drop(fullKey);
    const sizeBytes = response.payload instanceof Uint8Array ? response.payload.length : 0;
    if (!this.#budget.tryTake(sizeBytes)) return;
    record.holds++;
    const timer = this.#layer.deadlines.after(this.#layer.bodyAgeMs(record), () => this.#drop(fullKey));
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
