/** What the owners before left behind, put together: which connections live, and how far their numbers may have run. */
import { ChunkSeal, saltBytes } from "./chunk-seal.ts";
import type { JournalPart } from "./journal-contract.ts";
import { type JournalEntry, layoutVersion, type RowEntry, type RowPlace, readEntries } from "./journal-entries.ts";

export interface LeftBehind {
  readonly place: RowPlace;
  /** Part it was last written whole in. */
  readonly part: number;
  lease: number;
  heard: number;
  moved: { readonly address: readonly number[]; readonly port: number } | undefined;
}

export interface JournalReading {
  readonly rows: ReadonlyMap<number, LeftBehind>;
  /** Keys from here downward were never given; 0 when none were. */
  readonly nextKey: number;
  /** The last owner stopped in good order, so rows are exact. */
  readonly clean: boolean;
  /** The end of a part could not be read. It may have been acknowledged and damaged since: leases may have stood there. */
  readonly endUnknown: boolean;
  /** Chunks were damaged with others behind them, or of another version: nothing in the journal can be relied on, and nothing is taken. */
  readonly discarded: boolean;
}

const nothing: JournalReading = { rows: new Map(), nextKey: 0, clean: false, endUnknown: true, discarded: true };

/** `operatorKeys`: each part is under one of them, which its first chunk tells. */
export function readJournal(parts: readonly JournalPart[], operatorKeys: readonly Uint8Array[]): JournalReading {
  const reading = new Reading();
  let endUnknown = false;
  for (const { part, chunks, hasRest } of parts) {
    endUnknown ||= hasRest;
    const [salt, ...sealed] = chunks;
    // Killed before the first chunk was whole.
    if (salt === undefined || salt.length !== saltBytes) continue;
    const seal = sealOf(part, salt, sealed[0], operatorKeys);
    for (const [place, chunk] of sealed.entries()) {
      const plain = seal?.open(chunk);
      if (plain === undefined) {
        // Behind damage in the middle stood more leases than can be told: without them numbers would be used twice.
        if (place < sealed.length - 1) return { ...nothing, nextKey: reading.nextKey };
        endUnknown = true;
        break;
      }
      for (const entry of readEntries(plain)) {
        if (entry.kind === "begin" && entry.version !== layoutVersion) return { ...nothing, nextKey: reading.nextKey };
        reading.take(entry, part);
      }
    }
  }
  return { rows: reading.rows, nextKey: reading.nextKey, clean: reading.clean && !endUnknown, endUnknown, discarded: false };
}

/** Undefined when no key opens the first chunk. */
function sealOf(part: number, salt: Uint8Array, first: Uint8Array | undefined, operatorKeys: readonly Uint8Array[]): ChunkSeal | undefined {
  const key = operatorKeys.find((key) => first !== undefined && new ChunkSeal(key, salt, part).open(first) !== undefined);
  return key === undefined ? undefined : new ChunkSeal(key, salt, part);
}

class Reading {
  readonly rows = new Map<number, LeftBehind>();
  nextKey = 0;
  clean = false;

  take(entry: Exclude<JournalEntry, RowEntry> | RowPlace, part: number): void {
    this.clean = entry.kind === "clean";
    switch (entry.kind) {
      case "begin":
        this.nextKey = Math.min(this.nextKey, entry.nextKey);
        return;
      case "row-place":
        this.nextKey = Math.min(this.nextKey, entry.key - 1);
        this.rows.set(entry.key, { place: entry, part, lease: 0, heard: -1, moved: undefined });
        return;
      case "closed":
        this.rows.delete(entry.key);
        return;
      case "lease":
        this.#change(entry.key, (row) => {
          row.lease = entry.until;
        });
        return;
      case "heard":
        this.#change(entry.key, (row) => {
          row.heard = entry.top;
        });
        return;
      case "moved":
        this.#change(entry.key, (row) => {
          row.moved = entry;
        });
        return;
      case "complete":
        for (const [key, row] of this.rows) if (row.part !== part) this.rows.delete(key);
        return;
      case "clean":
        return;
    }
  }

  #change(key: number, change: (row: LeftBehind) => void): void {
    const row = this.rows.get(key);
    if (row !== undefined) change(row);
  }
}
