/**
 * Handshake messages put together from fragments in any order, with overlaps and repeats (RFC 6347 §4.2.2, §4.2.3).
 *
 * Bounded: messages ahead of the next one by their number, everything held by its bytes. What contradicts an earlier fragment or makes
 * no progress is ignored rather than answered, because in epoch 0 anyone can have written it.
 */
import { HandshakeType } from "../constants.ts";
import type { HandshakeFragment } from "../wire/handshake-header.ts";
import { largestBodyBytes } from "./limits.ts";

export interface WholeMessage {
  readonly type: number;
  readonly sequence: number;
  readonly body: Uint8Array;
  readonly epoch: 0 | 1;
}

export interface ReassemblyBounds {
  readonly largestMessageBytes: number;
  readonly mostMessagesAhead: number;
}

/** `old`: of a message that was taken already. `too-large`: the next message is longer than its type may be. */
export type Placement = "kept" | "old" | "ignored" | "too-large";

interface Assembly {
  readonly type: number;
  readonly epoch: 0 | 1;
  readonly body: Uint8Array;
  /** One bit for every byte that is there. */
  readonly present: Uint8Array;
  missing: number;
}

export class Reassembly {
  readonly #bounds: ReassemblyBounds;
  readonly #assemblies = new Map<number, Assembly>();
  #next: number;
  #heldBytes = 0;

  constructor(bounds: ReassemblyBounds, firstSequence: number) {
    this.#bounds = bounds;
    this.#next = firstSequence;
  }

  /** message_seq of the message `take` gives next. */
  get nextSequence(): number {
    return this.#next;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Copies what it keeps of the fragment. */
  place(fragment: HandshakeFragment, epoch: 0 | 1): Placement {
    const { sequence, length, bytes, fragmentOffset } = fragment;
    const ahead = sequence - this.#next;
    if (ahead < 0) return "old";
    if (bytes.length === 0 && length > 0) return "ignored";
    if (ahead > 0 && (ahead > this.#bounds.mostMessagesAhead || isMisplaced(fragment, epoch))) return "ignored";
    if (length > this.#bounds.largestMessageBytes || length > (largestBodyBytes[fragment.type] ?? length)) {
      return ahead === 0 ? "too-large" : "ignored";
    }
    const assembly = this.#assemblies.get(sequence) ?? this.#open(fragment, epoch);
    if (assembly === undefined || assembly.type !== fragment.type || assembly.body.length !== length) return "ignored";
    if (assembly.epoch !== epoch) return "ignored";
    assembly.missing -= fill(assembly, fragmentOffset, bytes);
    return "kept";
  }

  /** The next message once it is whole, without taking it. */
  peek(): WholeMessage | undefined {
    const assembly = this.#assemblies.get(this.#next);
    if (assembly === undefined || assembly.missing > 0) return undefined;
    return { type: assembly.type, sequence: this.#next, body: assembly.body, epoch: assembly.epoch };
  }

  /** Gives the next message and goes on to the one after it. */
  take(): WholeMessage | undefined {
    const message = this.peek();
    if (message === undefined) return undefined;
    this.#assemblies.delete(this.#next);
    this.#heldBytes -= heldFor(message.body.length);
    this.#next += 1;
    return message;
  }

  clear(): void {
    this.#assemblies.clear();
    this.#heldBytes = 0;
  }

  #open(fragment: HandshakeFragment, epoch: 0 | 1): Assembly | undefined {
    const held = heldFor(fragment.length);
    // The next message always has its place: the ones ahead, which may be anybody's, make room for it.
    if (fragment.sequence === this.#next) this.#makeRoom(held);
    if (this.#heldBytes + held > this.#mostHeldBytes) return undefined;
    this.#heldBytes += held;
    const assembly: Assembly = {
      type: fragment.type,
      epoch,
      body: new Uint8Array(fragment.length),
      present: new Uint8Array(Math.ceil(fragment.length / 8)),
      missing: fragment.length,
    };
    this.#assemblies.set(fragment.sequence, assembly);
    return assembly;
  }

  #makeRoom(neededBytes: number): void {
    for (const [sequence, assembly] of this.#assemblies) {
      if (this.#heldBytes + neededBytes <= this.#mostHeldBytes) return;
      this.#assemblies.delete(sequence);
      this.#heldBytes -= heldFor(assembly.body.length);
    }
  }

  get #mostHeldBytes(): number {
    return heldFor(this.#bounds.largestMessageBytes);
  }
}

/** Only Finished comes protected, and it comes only so: a plain one ahead would take the place of the real one. */
function isMisplaced(fragment: HandshakeFragment, epoch: 0 | 1): boolean {
  return (fragment.type === HandshakeType.finished) !== (epoch === 1);
}

function heldFor(length: number): number {
  return length + Math.ceil(length / 8);
}

/** Copies the bytes that were missing and tells how many those were; what came first stays. */
function fill(assembly: Assembly, offset: number, bytes: Uint8Array): number {
  const { body, present } = assembly;
  if (assembly.missing === body.length && bytes.length === body.length) {
    body.set(bytes);
    present.fill(0xff);
    return bytes.length;
  }
  let added = 0;
  for (let index = 0; index < bytes.length; index++) {
    const at = offset + index;
    const mask = 1 << (at & 7);
    const word = present[at >> 3] ?? 0;
    if ((word & mask) !== 0) continue;
    present[at >> 3] = word | mask;
    body[at] = bytes[index] ?? 0;
    added += 1;
  }
  return added;
}
