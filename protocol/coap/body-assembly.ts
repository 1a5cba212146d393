/**
 * Request bodies that arrive in blocks (RFC 7959 §2.5), keyed by who asks what (§2.5, RFC 9175 §3), never by token.
 *
 *   absent --block 0, more--> growing (2.31) --next block, more--> growing (2.31) --last block--> absent, body complete
 *   growing --block 0--> growing, from the start
 *   absent | growing --block that does not continue--> 4.08
 *   growing --too large--> absent, 4.13    growing --no block for the age limit--> absent
 */
import type { Timer } from "../ports/clock.ts";
import { type Block, blockOffset } from "./block-option.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { MessageLayer } from "./message-layer.ts";
import type { PeerRecord } from "./peer-table.ts";

export interface ArrivingBlock {
  readonly block: Block;
  readonly payload: Uint8Array;
  readonly contentFormat: number | undefined;
  /** Size1: what the whole body will take, if the peer says so (RFC 7959 §4). */
  readonly announcedBytes: number | undefined;
}

export type AssemblyStep =
  | { readonly kind: "continue" }
  | { readonly kind: "complete"; readonly body: Uint8Array }
  | { readonly kind: "too-large"; readonly limitBytes: number }
  | { readonly kind: "incomplete" | "malformed" }
  /** Bodies of other peers take all the memory there is for them. */
  | { readonly kind: "no-room" };

interface Assembly {
  readonly record: PeerRecord;
  readonly key: string;
  readonly contentFormat: number | undefined;
  readonly chunks: Uint8Array[];
  receivedBytes: number;
  timer: Timer;
}

export class BodyAssemblies {
  readonly #layer: MessageLayer;
  readonly #budget: ByteBudget;
  readonly #byPeer = new Map<string | number, Map<string, Assembly>>();

  constructor(layer: MessageLayer, budget: ByteBudget) {
    this.#layer = layer;
    this.#budget = budget;
  }

  /** Bodies under assembly. */
  get size(): number {
    let size = 0;
    for (const assemblies of this.#byPeer.values()) size += assemblies.size;
    return size;
  }

  /** `key`: method, path, query and Request-Tag of the request. */
  accept(record: PeerRecord, key: string, arriving: ArrivingBlock): AssemblyStep {
    const { block, payload } = arriving;
    // RFC 7959 §2.2: all blocks but the last are full; no block is larger than its size says.
    if (block.more ? payload.length !== block.sizeBytes : payload.length > block.sizeBytes) return { kind: "malformed" };
    const limitBytes = this.#layer.limits.requestBodyBytes;
    const open = this.#find(record, key);
    if (Math.max(blockOffset(block) + payload.length, arriving.announcedBytes ?? 0) > limitBytes) {
      if (open !== undefined) this.#drop(open);
      return { kind: "too-large", limitBytes };
    }
    if (block.number === 0) {
      if (open !== undefined) this.#drop(open);
      return block.more ? this.#begin(record, key, arriving) : { kind: "complete", body: payload };
    }
    if (open === undefined || open.contentFormat !== arriving.contentFormat) return { kind: "incomplete" };
    return this.#continue(open, arriving);
  }

  #begin(record: PeerRecord, key: string, { payload, contentFormat }: ArrivingBlock): AssemblyStep {
    this.#makeRoom(record);
    if (!this.#budget.tryTake(payload.length)) return { kind: "no-room" };
    const chunks = [payload];
    const assembly: Assembly = { record, key, contentFormat, chunks, receivedBytes: payload.length, timer: this.#expiry(record, key) };
    const assemblies = this.#byPeer.get(record.key) ?? new Map<string, Assembly>();
    this.#byPeer.set(record.key, assemblies);
    assemblies.set(key, assembly);
    record.holds++;
    return { kind: "continue" };
  }

  #continue(assembly: Assembly, { block, payload }: ArrivingBlock): AssemblyStep {
    const offset = blockOffset(block);
    // The block taken last, under a new message id: the peer missed our 2.31 for longer than it remembers the first.
    const again = offset + payload.length === assembly.receivedBytes && payload.length === assembly.chunks.at(-1)?.length;
    if (again && block.more) return { kind: "continue" };
    if (offset !== assembly.receivedBytes) return { kind: "incomplete" };
    if (!this.#budget.tryTake(payload.length)) {
      this.#drop(assembly);
      return { kind: "no-room" };
    }
    assembly.chunks.push(payload);
    assembly.receivedBytes += payload.length;
    if (block.more) {
      assembly.timer.cancel();
      assembly.timer = this.#expiry(assembly.record, assembly.key);
      return { kind: "continue" };
    }
    const body = joined(assembly.chunks, assembly.receivedBytes);
    this.#drop(assembly);
    return { kind: "complete", body };
  }

  #find(record: PeerRecord, key: string): Assembly | undefined {
    return this.#byPeer.get(record.key)?.get(key);
  }

  #expiry(record: PeerRecord, key: string): Timer {
    return this.#layer.deadlines.after(this.#layer.bodyAgeMs(record), () => {
      const assembly = this.#find(record, key);
      if (assembly !== undefined) this.#drop(assembly);
    });
  }

  #makeRoom(record: PeerRecord): void {
    const assemblies = this.#byPeer.get(record.key);
    if (assemblies === undefined || assemblies.size < this.#layer.limits.assembliesPerPeer) return;
    const oldest = assemblies.values().next().value;
    if (oldest !== undefined) this.#drop(oldest);
  }

  #drop(assembly: Assembly): void {
    assembly.timer.cancel();
    assembly.record.holds--;
    this.#budget.give(assembly.receivedBytes);
    const assemblies = this.#byPeer.get(assembly.record.key);
    assemblies?.delete(assembly.key);
    if (assemblies?.size === 0) this.#byPeer.delete(assembly.record.key);
  }
}

/** The pieces as one array of `length` bytes. */
export function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}
