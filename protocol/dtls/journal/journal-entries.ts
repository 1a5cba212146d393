/** What stands in a chunk of the journal: entries one after the other, each of one kind and about one association. */
import { ByteReader } from "../../bytes/byte-reader.ts";
import type { ByteWriter } from "../../bytes/byte-writer.ts";
import { rowBytes } from "../connections/connection-slab.ts";

/** Changes whenever the layout of a row or of an entry does: what was written before is not read then, and devices connect anew. */
export const layoutVersion = 1;

/** A connection where it stands in a chunk: views are made when it is its turn, not for all of a hundred thousand at once. */
export interface RowPlace {
  readonly kind: "row-place";
  readonly key: number;
  readonly chunk: Uint8Array;
  readonly at: number;
}

export interface RowEntry {
  readonly kind: "row";
  readonly key: number;
  readonly row: Uint8Array;
  readonly facts: Uint8Array;
  readonly peerId: Uint8Array;
}

export type JournalEntry =
  /** A part begins; keys from `nextKey` downward were never given. */
  | { readonly kind: "begin"; readonly version: number; readonly nextKey: number }
  /** All there is to know of a connection: its row as it stands in memory, and what lies beside it. */
  | RowEntry
  | { readonly kind: "closed"; readonly key: number }
  /** Sequence numbers below `until` may have been used. */
  | { readonly kind: "lease"; readonly key: number; readonly until: number }
  /** Sequence numbers up to `top` were read. */
  | { readonly kind: "heard"; readonly key: number; readonly top: number }
  /** Four words and a port. */
  | { readonly kind: "moved"; readonly key: number; readonly address: readonly number[]; readonly port: number }
  /** Every connection alive stands in this part; those of parts before that do not are gone. */
  | { readonly kind: "complete" }
  /** The last entry of an owner that stopped in good order: rows are exact. */
  | { readonly kind: "clean" };

const Tag = { begin: 1, row: 2, closed: 3, lease: 4, heard: 5, moved: 6, complete: 7, clean: 8 } as const;
const addressWordCount = 4;

export function writeEntry(writer: ByteWriter, entry: JournalEntry): void {
  writer.u8(Tag[entry.kind]);
  switch (entry.kind) {
    case "begin":
      writer.u16(entry.version);
      writer.f64(entry.nextKey);
      return;
    case "row":
      writer.f64(entry.key);
      writer.bytes(entry.row);
      writer.u16(entry.facts.length);
      writer.bytes(entry.facts);
      writer.u8(entry.peerId.length);
      writer.bytes(entry.peerId);
      return;
    case "closed":
      writer.f64(entry.key);
      return;
    case "lease":
      writer.f64(entry.key);
      writer.f64(entry.until);
      return;
    case "heard":
      writer.f64(entry.key);
      writer.f64(entry.top);
      return;
    case "moved":
      writer.f64(entry.key);
      for (const word of entry.address) writer.u32(word);
      writer.u16(entry.port);
      return;
    case "complete":
    case "clean":
      return;
  }
}

/** Throws `Error` for bytes that are no entries: they were authenticated, so that is a bug or another version. */
export function* readEntries(chunk: Uint8Array): Generator<Exclude<JournalEntry, RowEntry> | RowPlace> {
  const reader = new ByteReader(chunk);
  while (reader.remaining > 0) yield readEntry(reader, chunk);
}

/** Views of the chunk. */
export function rowAt({ key, chunk, at }: RowPlace): RowEntry {
  const reader = new ByteReader(chunk);
  reader.skip(at);
  return { kind: "row", key, row: reader.bytes(rowBytes), facts: reader.bytes(reader.u16()), peerId: reader.bytes(reader.u8()) };
}

function readEntry(reader: ByteReader, chunk: Uint8Array): Exclude<JournalEntry, RowEntry> | RowPlace {
  const tag = reader.u8();
  switch (tag) {
    case Tag.begin:
      return { kind: "begin", version: reader.u16(), nextKey: reader.f64() };
    case Tag.row: {
      const key = reader.f64();
      const at = reader.position;
      reader.skip(rowBytes);
      reader.skip(reader.u16());
      reader.skip(reader.u8());
      return { kind: "row-place", key, chunk, at };
    }
    case Tag.closed:
      return { kind: "closed", key: reader.f64() };
    case Tag.lease:
      return { kind: "lease", key: reader.f64(), until: reader.f64() };
    case Tag.heard:
      return { kind: "heard", key: reader.f64(), top: reader.f64() };
    case Tag.moved: {
      const key = reader.f64();
      const address = Array.from({ length: addressWordCount }, () => reader.u32());
      return { kind: "moved", key, address, port: reader.u16() };
    }
    case Tag.complete:
      return { kind: "complete" };
    case Tag.clean:
      return { kind: "clean" };
    default:
      throw new Error(`${tag} is no kind of journal entry`);
  }
}
