/** Which records of an epoch were seen: the highest, and a bit for each of the 64 up to it (RFC 6347 §4.1.2.6). */
import { type ConnectionSlab, NumberSlot, WordSlot } from "../connections/connection-slab.ts";

export const windowRecords = 64;
const wordBits = 32;
const allSeen = 0xffffffff;

/** Before the first record. */
export function openWindow(slab: ConnectionSlab, row: number): void {
  slab.setNumber(row, NumberSlot.readTop, -1);
}

/** Everything up to `top` counts as seen, because nobody knows (RFC 6347 §4.1.2.6 lets a receiver drop what is too old to tell). */
export function closeWindowUpTo(slab: ConnectionSlab, row: number, top: number): void {
  slab.setNumber(row, NumberSlot.readTop, top);
  slab.setWord(row, WordSlot.windowHigh, allSeen);
  slab.setWord(row, WordSlot.windowLow, allSeen);
}

export function isNew(slab: ConnectionSlab, row: number, sequence: number): boolean {
  const behind = slab.number(row, NumberSlot.readTop) - sequence;
  if (behind < 0) return true;
  if (behind >= windowRecords) return false;
  const word = slab.word(row, behind < wordBits ? WordSlot.windowLow : WordSlot.windowHigh);
  return ((word >>> (behind & (wordBits - 1))) & 1) === 0;
}

/** Only for a record that authenticated and is new. True when it is newer than every one before. */
export function admit(slab: ConnectionSlab, row: number, sequence: number): boolean {
  const behind = slab.number(row, NumberSlot.readTop) - sequence;
  if (behind >= 0) {
    const slot = behind < wordBits ? WordSlot.windowLow : WordSlot.windowHigh;
    slab.setWord(row, slot, slab.word(row, slot) | (1 << (behind & (wordBits - 1))));
    return false;
  }
  shift(slab, row, -behind);
  slab.setNumber(row, NumberSlot.readTop, sequence);
  return true;
}

function shift(slab: ConnectionSlab, row: number, by: number): void {
  const high = slab.word(row, WordSlot.windowHigh);
  const low = slab.word(row, WordSlot.windowLow);
  const highBits = by >= windowRecords ? 0 : by >= wordBits ? low << (by - wordBits) : (high << by) | (low >>> (wordBits - by));
  const lowBits = by >= wordBits ? 0 : low << by;
  slab.setWord(row, WordSlot.windowHigh, highBits);
  slab.setWord(row, WordSlot.windowLow, lowBits | 1);
}
