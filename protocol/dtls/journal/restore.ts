/** Connections of an owner before, as rows again. */
import type { AssociationTable } from "../connections/association-table.ts";
import { NumberSlot, RowFlag, rowBytes, WordSlot } from "../connections/connection-slab.ts";
import { closeWindowUpTo } from "../record/replay-window.ts";
import { rowAt } from "./journal-entries.ts";
import type { JournalReading, LeftBehind } from "./journal-reading.ts";

export interface RestoreBounds {
  readonly now: number;
  readonly mostAgeMs: number;
  readonly ownIdBytes: number;
}

const none = -1;
/**
 * Skipped when the end of the journal cannot be read: a write that was cut short granted nothing, but damage may have taken leases that
 * were used. That is 256 of the largest, and of 48 bits of numbers nothing.
 */
const unknownEndNumbers = 2 ** 24;

/** Returns how many came back. Too old ones, those with ids of another length, and those beyond the room of the table do not. */
export function restoreRows(table: AssociationTable, reading: JournalReading, bounds: RestoreBounds): number {
  table.keysBelow(reading.nextKey);
  table.reserve(reading.rows.size);
  table.slab.reserve(reading.rows.size);
  let restored = 0;
  for (const left of reading.rows.values()) {
    if (restoreRow(table, left, reading, bounds)) restored += 1;
  }
  return restored;
}

function restoreRow(
  table: AssociationTable,
  left: LeftBehind,
  reading: JournalReading,
  { now, mostAgeMs, ownIdBytes }: RestoreBounds,
): boolean {
  const { slab } = table;
  const { row: image, facts, peerId } = rowAt(left.place);
  const fill = (place: number): void => {
    slab.bytes.set(image, slab.at(place, 0));
    if (left.moved !== undefined) {
      for (const [i, word] of left.moved.address.entries()) slab.setWord(place, WordSlot.address, word, i);
      slab.setWord(place, WordSlot.port, left.moved.port);
    }
    if (!reading.clean) forgetWhatIsUncertain(table, place, left, reading.endUnknown ? unknownEndNumbers : 0);
  };
  const row = table.adopt(fill, facts, peerId);
  if (row === none) return false;
  const idBytes = slab.word(row, WordSlot.idBytes) >>> 8;
  const aged = now - slab.number(row, NumberSlot.openedAt) > mostAgeMs;
  if (!aged && (idBytes === 0 || idBytes === ownIdBytes)) return true;
  table.free(row);
  return false;
}

/** After a crash the numbers start where the lease ends, and everything up to what is known to have been read counts as read. */
function forgetWhatIsUncertain(table: AssociationTable, row: number, left: LeftBehind, skipped: number): void {
  const { slab } = table;
  const lease = Math.max(left.lease, slab.number(row, NumberSlot.writeLease)) + skipped;
  slab.setNumber(row, NumberSlot.writeSequence, lease);
  slab.setNumber(row, NumberSlot.writeLease, lease);
  closeWindowUpTo(slab, row, Math.max(left.heard, slab.number(row, NumberSlot.readTop)));
  slab.mark(row, RowFlag.unproven);
  slab.mark(row, RowFlag.asked, false);
}

/** The bytes of a row for the journal. */
export function rowImage(table: AssociationTable, row: number): Uint8Array {
  return table.slab.view(row, 0, rowBytes);
}
