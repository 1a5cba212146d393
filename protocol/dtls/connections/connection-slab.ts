/**
 * Connections as rows of bytes: nothing for the collector to visit, and nothing but the row for one that is idle.
 *
 * On the path of every datagram. A row is read by slots: `number` for the 64-bit floats in front, `word` for the 32-bit words behind
 * them, bytes for addresses of keys and ids. A freed row is all zero, so that keys are gone with it.
 */

export const rowBytes = 256;

/** Slots of 8 bytes, from the start of the row. Sequence numbers are those of epoch 1. */
export const NumberSlot = {
  /** `Association.key`. */
  key: 0,
  /** The next one to be used. */
  writeSequence: 1,
  /** The first one that may not be used before the journal knows of it. */
  writeLease: 2,
  /** The highest that authenticated; -1 before the first. */
  readTop: 3,
  openedAt: 4,
  heardAt: 5,
} as const;
export type NumberSlot = (typeof NumberSlot)[keyof typeof NumberSlot];

/** Slots of 4 bytes, from the start of the row. */
export const WordSlot = {
  windowHigh: 16,
  windowLow: 17,
  port: 18,
  cipherSuite: 19,
  flags: 20,
  largestSendBytes: 21,
  largestReceiveBytes: 22,
  /** Two words of the hash of the identity; zero for none. */
  identityHash: 23,
  identityHashMore: 24,
  facts: 25,
  authenticationFailures: 26,
  /** Length of the own id × 256 + length of the peer's. */
  idBytes: 27,
  /** Four words: IPv6, or IPv4 mapped into it. */
  address: 28,
} as const;
export type WordSlot = (typeof WordSlot)[keyof typeof WordSlot];

/** Offsets of bytes in a row. An id that is longer than its place lies elsewhere (`AssociationTable`). */
export const ByteSlot = { ownId: 128, peerId: 144, writeKeys: 160, readKeys: 208 } as const;
export const idPlaceBytes = 16;
/** Per direction: MAC key and key of CBC, or key and implicit nonce of the largest AEAD suite. */
export const keyPlaceBytes = 48;

export const RowFlag = {
  live: 1,
  client: 2,
  draftId: 4,
  encryptThenMac: 8,
  /** The handshake is proved; application data may flow. */
  established: 16,
  /** The journal holds it. */
  journaled: 32,
  /** Restored without its replay window: what is read may be a repeat of what an owner before the crash has read. */
  unproven: 64,
  /** Something was sent to an unproven one: what comes after that is an answer. */
  asked: 128,
} as const;

const numbersPerRow = rowBytes / 8;
const wordsPerRow = rowBytes / 4;
const smallestRows = 64;
/** Steps of growth once doubling would take too much at once: 4 MB. */
const largestGrowthRows = 16_384;

export class ConnectionSlab {
  #numbers: Float64Array;
  #words: Uint32Array;
  #bytes: Uint8Array;
  #free: number[] = [];
  /** Rows from here on were never used. */
  #next = 0;
  #live = 0;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
    const buffer = new ArrayBuffer(Math.min(smallestRows, most) * rowBytes);
    this.#numbers = new Float64Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
  }

  get live(): number {
    return this.#live;
  }

  /** One more than the highest row in use ever. */
  get end(): number {
    return this.#next;
  }

  get isFull(): boolean {
    return this.#live === this.#most;
  }

  /** The bytes of all rows, until the next `allocate`. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Room for so many rows in one step instead of many. */
  reserve(rows: number): void {
    const missing = rows - this.#bytes.length / rowBytes;
    if (missing > 0) this.#grow(missing);
  }

  /** A row of zeros with the `live` flag; -1 when there is none left. */
  allocate(): number {
    if (this.isFull) return -1;
    const row = this.#free.pop() ?? this.#next++;
    if (this.#next * rowBytes > this.#bytes.length) this.#grow(1);
    this.#live += 1;
    this.setWord(row, WordSlot.flags, RowFlag.live);
    return row;
  }

  free(row: number): void {
    if (!this.has(row, RowFlag.live)) throw new Error(`row ${row} is not in use`);
    this.#bytes.fill(0, row * rowBytes, (row + 1) * rowBytes);
    this.#free.push(row);
    this.#live -= 1;
  }

  number(row: number, slot: NumberSlot): number {
    return this.#numbers[row * numbersPerRow + slot] ?? 0;
  }

  setNumber(row: number, slot: NumberSlot, value: number): void {
    this.#numbers[row * numbersPerRow + slot] = value;
  }

  word(row: number, slot: WordSlot, more = 0): number {
    return this.#words[row * wordsPerRow + slot + more] ?? 0;
  }

  setWord(row: number, slot: WordSlot, value: number, more = 0): void {
    this.#words[row * wordsPerRow + slot + more] = value;
  }

  has(row: number, flag: number): boolean {
    return (this.word(row, WordSlot.flags) & flag) !== 0;
  }

  mark(row: number, flag: number, on = true): void {
    const flags = this.word(row, WordSlot.flags);
    this.setWord(row, WordSlot.flags, on ? flags | flag : flags & ~flag);
  }

  /** Where a byte of a row lies in `bytes`. */
  at(row: number, slot: number): number {
    return row * rowBytes + slot;
  }

  /** A view until the next `allocate`. */
  view(row: number, slot: number, length: number): Uint8Array {
    return this.#bytes.subarray(row * rowBytes + slot, row * rowBytes + slot + length);
  }

  /** Overwrites every key. */
  close(): void {
    this.#bytes.fill(0);
    this.#free = [];
    this.#next = 0;
    this.#live = 0;
  }

  #grow(least: number): void {
    const rows = this.#bytes.length / rowBytes;
    const grown = Math.min(this.#most, rows + Math.max(least, Math.min(rows, largestGrowthRows)));
    const before = this.#bytes;
    const buffer = new ArrayBuffer(grown * rowBytes);
    this.#numbers = new Float64Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#bytes.set(before);
    before.fill(0);
  }
}
