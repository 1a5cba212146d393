/**
 * SHA-256 and HMAC with it (FIPS 180-4 §5 and §6.2, RFC 2104 §2): OpenSSL takes the blocks, one call per text, and what is around them, the
 * end of the text and the order of bytes, is done here. So a MAC is two short calls, with no object made and no memory asked for.
 */
import { area, type NativeCalls } from "./native-calls.ts";

export const hashBytes = 32;
const blockBytes = 64;
const stateWords = 8;
/** Four bytes of each. */
const innerPad = 0x3636_3636;
const outerPad = 0x5c5c_5c5c;
/** The bit, and the length, that end a text (FIPS 180-4 §5.1.1). */
const endBit = 0x80;
const endBytes = 9;

const states = { initial: area.hashStates.at, inner: area.hashStates.at + 32, outer: area.hashStates.at + 64 } as const;
/** A block for keys; one for a hash as text behind a block of key, its end already there; and a hash on its way out. */
const blocks = { key: area.hashBlocks.at, hash: area.hashBlocks.at + 64, result: area.hashBlocks.at + 128 } as const;
/** The longest text with its end. */
export const mostTextBytes = area.hashText.bytes - blockBytes - endBytes;
export const mostHashedBytes = area.record.bytes - blockBytes - endBytes;

export class Sha256 {
  readonly #calls: NativeCalls;
  readonly #memory: Uint8Array;
  /** The same as words, in the order of the machine. */
  readonly #words: Int32Array;
  readonly #result: Uint8Array;

  constructor(calls: NativeCalls) {
    const { memory } = calls;
    this.#calls = calls;
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer, memory.byteOffset, memory.length / 4);
    this.#result = memory.subarray(blocks.result, blocks.result + hashBytes);
    // OpenSSL has begun a hash, and none since.
    this.#copyState(area.hashContext.at, states.initial);
    this.#end(blocks.hash, hashBytes, blockBytes);
  }

  /** Of at most `mostHashedBytes`. */
  hash(text: Uint8Array): Uint8Array {
    this.#memory.set(text, area.record.at);
    this.#digest(area.record.at, text.length);
    return new Uint8Array(this.#result);
  }

  /** A key that fits `hashText`, for the MACs that follow; `wipe` forgets it. */
  takeKey(key: Uint8Array): void {
    const memory = this.#memory;
    let from: Uint8Array = key;
    if (key.length > blockBytes) {
      memory.set(key, area.hashText.at);
      this.#digest(area.hashText.at, key.length);
      memory.fill(0, area.hashText.at, area.hashText.at + key.length);
      from = this.#result;
    }
    const words = this.#words;
    const first = blocks.key / 4;
    const end = first + blockBytes / 4;
    for (let i = first; i < end; i++) words[i] = 0;
    memory.set(from, blocks.key);
    for (let i = first; i < end; i++) words[i] = (words[i] ?? 0) ^ innerPad;
    this.#keyState(states.inner);
    for (let i = first; i < end; i++) words[i] = (words[i] ?? 0) ^ innerPad ^ outerPad;
    this.#keyState(states.outer);
  }

  /** Ends a text of `bytes` from `at` of `hashText` on; how many bytes are then to be hashed. */
  end(at: number, bytes: number): number {
    return this.#end(at, bytes, blockBytes);
  }

  /** The MAC of an ended text, `endedBytes` long with its end, to `to`. */
  mac(at: number, endedBytes: number, to: number): void {
    this.#copyState(states.inner, area.hashContext.at);
    this.#calls.hash(at, endedBytes);
    this.#writeHash(blocks.hash);
    this.#copyState(states.outer, area.hashContext.at);
    this.#calls.hash(blocks.hash, blockBytes);
    this.#writeHash(to);
  }

  /** The MAC of the hash at `at`, in its place. */
  macAgain(at: number): void {
    const words = this.#words;
    for (let i = 0; i < stateWords; i++) words[blocks.hash / 4 + i] = words[at / 4 + i] ?? 0;
    this.mac(blocks.hash, blockBytes, at);
  }

  /** The MAC of an ended text into `out` from `outAt`, as much of it as there is room for. */
  macInto(at: number, endedBytes: number, out: Uint8Array, outAt: number): void {
    this.mac(at, endedBytes, blocks.result);
    const length = out.length - outAt;
    if (length >= hashBytes) {
      out.set(this.#result, outAt);
      return;
    }
    const memory = this.#memory;
    for (let i = 0; i < length; i++) out[outAt + i] = memory[blocks.result + i] ?? 0;
  }

  /** Overwrites the key, what was made of it, and the last MAC. */
  wipe(): void {
    const words = this.#words;
    for (let i = 0; i < stateWords; i++) words[area.hashContext.at / 4 + i] = 0;
    for (let i = states.inner / 4; i < (states.outer + hashBytes) / 4; i++) words[i] = 0;
    for (let i = blocks.key / 4; i < blocks.hash / 4 + stateWords; i++) words[i] = 0;
    for (let i = 0; i < stateWords; i++) words[blocks.result / 4 + i] = 0;
  }

  #digest(at: number, bytes: number): void {
    this.#copyState(states.initial, area.hashContext.at);
    this.#calls.hash(at, this.#end(at, bytes, 0));
    this.#writeHash(blocks.result);
  }

  #keyState(to: number): void {
    this.#copyState(states.initial, area.hashContext.at);
    this.#calls.hash(blocks.key, blockBytes);
    this.#copyState(area.hashContext.at, to);
  }

  #copyState(from: number, to: number): void {
    const words = this.#words;
    for (let i = 0; i < stateWords; i++) words[to / 4 + i] = words[from / 4 + i] ?? 0;
  }

  /** The state as bytes, the highest of each word first (FIPS 180-4 §6.2.2). */
  #writeHash(to: number): void {
    const words = this.#words;
    for (let i = 0; i < stateWords; i++) {
      const word = words[area.hashContext.at / 4 + i] ?? 0;
      words[to / 4 + i] = (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff_0000) | (word << 24);
    }
  }

  /** The end of a text of which `before` bytes are in the state already. */
  #end(at: number, bytes: number, before: number): number {
    const memory = this.#memory;
    const endedBytes = (bytes + endBytes + blockBytes - 1) & -blockBytes;
    memory[at + bytes] = endBit;
    memory.fill(0, at + bytes + 1, at + endedBytes - 4);
    const bits = (before + bytes) * 8;
    for (let i = 0; i < 4; i++) memory[at + endedBytes - 1 - i] = bits >>> (8 * i);
    return endedBytes;
  }
}
