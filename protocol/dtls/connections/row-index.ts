/**
 * Rows by a hash of something in them: open addressing over 32-bit integers, 8 to 16 bytes for each, no key copied.
 *
 * On the path of every datagram. The asker compares: `for (let slot = index.slotOf(hash); (row = index.rowAt(slot)) >= 0; slot =
 * index.after(slot))`.
 */

const smallestSlots = 128;
/** Above this share of used slots the index doubles. */
const mostLoad = 0.5;

export class RowIndex {
  /** Row + 1, so that zero is an empty slot. */
  #slots = new Int32Array(smallestSlots);
  #used = 0;
  readonly #hashOf: (row: number) => number;

  /** The hash of a row must not change between `add` and `remove`. */
  constructor(hashOf: (row: number) => number) {
    this.#hashOf = hashOf;
  }

  get size(): number {
    return this.#used;
  }

  /** Makes room for so many rows at once. */
  reserve(rows: number): void {
    let slots = this.#slots.length;
    while (rows > slots * mostLoad) slots *= 2;
    if (slots > this.#slots.length) this.#resize(slots);
  }

  slotOf(hash: number): number {
    return hash & (this.#slots.length - 1);
  }

  after(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }

  /** -1 where a search ends. */
  rowAt(slot: number): number {
    return (this.#slots[slot] ?? 0) - 1;
  }

  add(row: number): void {
    if (this.#used + 1 > this.#slots.length * mostLoad) this.#resize(this.#slots.length * 2);
    this.#place(row);
    this.#used += 1;
  }

  /** No effect for a row that is not in it. */
  remove(row: number): void {
    for (let slot = this.slotOf(this.#hashOf(row)); ; slot = this.after(slot)) {
      const found = this.rowAt(slot);
      if (found < 0) return;
      if (found !== row) continue;
      this.#used -= 1;
      this.#closeGap(slot);
      return;
    }
  }

  #place(row: number): void {
    let slot = this.slotOf(this.#hashOf(row));
    while (this.rowAt(slot) >= 0) slot = this.after(slot);
    this.#slots[slot] = row + 1;
  }

  /** Moves back what was pushed past the gap, so that a search never needs a mark for what was deleted. */
  #closeGap(gap: number): void {
    const mask = this.#slots.length - 1;
    let empty = gap;
    this.#slots[empty] = 0;
    for (let slot = this.after(empty); ; slot = this.after(slot)) {
      const row = this.rowAt(slot);
      if (row < 0) return;
      const home = this.slotOf(this.#hashOf(row));
      if (((slot - home) & mask) < ((slot - empty) & mask)) continue;
      this.#slots[empty] = row + 1;
      this.#slots[slot] = 0;
      empty = slot;
    }
  }

  #resize(slots: number): void {
    const before = this.#slots;
    this.#slots = new Int32Array(slots);
    for (const entry of before) {
      if (entry !== 0) this.#place(entry - 1);
    }
  }
}

/** Mixes one word into a hash so that every bit of both counts. */
export function mix(hash: number, word: number): number {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
