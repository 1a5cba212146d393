/**
 * Keeps the journal true to the rows: openings, closings, moves, numbers reserved and numbers heard, in batches of one write each.
 *
 *   idle --an entry--> writing --durable, nothing new--> idle
 *                      writing --durable, more came----> writing
 *                      writing --failed----------------> broken (a new part is tried after a pause) | fenced (for good)
 *
 * A lease counts only once it is durable, so whoever reads the journal after a kill at any moment starts behind every number that was
 * used. That also fences: an owner that lost the journal runs out of numbers, and its successor starts where they end.
 */
import { ByteWriter } from "../../bytes/byte-writer.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Random } from "../../ports/random.ts";
import { addressWords } from "../connections/address-words.ts";
import type { AssociationTable } from "../connections/association-table.ts";
import { type ConnectionSlab, NumberSlot, RowFlag, WordSlot } from "../connections/connection-slab.ts";
import type { Persistence } from "../endpoint/site.ts";
import { ChunkSeal, saltBytes } from "./chunk-seal.ts";
import { type DtlsJournal, JournalFenced } from "./journal-contract.ts";
import { type JournalEntry, layoutVersion, writeEntry } from "./journal-entries.ts";
import { rowImage } from "./restore.ts";

export interface JournalKeeperParts {
  readonly journal: DtlsJournal;
  /** 32 bytes of the operator. */
  readonly key: Uint8Array;
  readonly table: AssociationTable;
  readonly clock: Clock;
  readonly random: Random;
  /** The journal cannot be written: connections go on until their leases end. */
  readonly onFailure: (error: unknown) => void;
}

/** Numbers reserved at first; each time they run out twice as many, so that a busy connection does not wait for the disk. */
const firstLease = 256;
const largestLease = 65_536;
/** A lease is renewed when this share of it is left. */
const renewAtShare = 2;
/** How long numbers that were only heard may wait for others to share a write with, milliseconds. */
const heardDelayMs = 200;
const retryMs = 1_000;
/** Rows per chunk of a snapshot: about 80 kB, so that nothing else waits long behind it… */
const rowsPerChunk = 256;
/** …and 2.5 MB before anything is served: each chunk costs a turn of the disk. */
const rowsPerFirstChunk = 8_192;
/** A part is replaced when it has grown by this and by four times its snapshot. */
const leastGrowthBytes = 16 * 1_048_576;
const snapshotsOfGrowth = 4;
const none = -1;

export class JournalKeeper implements Persistence {
  readonly #parts: JournalKeeperParts;
  readonly #table: AssociationTable;
  readonly #slab: ConnectionSlab;
  #seal: ChunkSeal | undefined;
  #pending = new ByteWriter();
  /** Granted once the batch they are in is durable. */
  #leases: { readonly key: number; readonly until: number }[] = [];
  readonly #leased = new Set<number>();
  readonly #heard = new Set<number>();
  #heardTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #grownBytes = 0;
  #snapshotBytes = 0;
  #state: "working" | "broken" | "fenced" | "closed" = "working";
  #wantsSnapshot = false;

  constructor(parts: JournalKeeperParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#slab = parts.table.slab;
  }

  /** After the rows are restored and before any is used: everything goes into the new part, with fresh leases. */
  async begin(): Promise<void> {
    for (let row = 0; row < this.#slab.end; row++) {
      if (this.#slab.has(row, RowFlag.established)) this.#reserveFirst(row);
    }
    await this.#writeSnapshot(rowsPerFirstChunk);
  }

  opened(row: number): void {
    this.#reserveFirst(row);
    this.#add(this.#rowEntry(row));
  }

  closed(row: number): void {
    this.#heard.delete(row);
    this.#add({ kind: "closed", key: this.#keyOf(row) });
  }

  moved(row: number): void {
    const address = Array.from({ length: addressWords }, (_, i) => this.#slab.word(row, WordSlot.address, i));
    this.#add({ kind: "moved", key: this.#keyOf(row), address, port: this.#slab.word(row, WordSlot.port) });
  }

  wrote(row: number): void {
    const slab = this.#slab;
    if (!slab.has(row, RowFlag.journaled)) return;
    const lease = slab.number(row, NumberSlot.writeLease);
    const next = slab.number(row, NumberSlot.writeSequence);
    const size = Math.min(largestLease, Math.max(firstLease, lease));
    if (lease - next > size / renewAtShare) return;
    const key = this.#keyOf(row);
    if (this.#leased.has(key)) return;
    this.#leased.add(key);
    this.#leases.push({ key, until: lease + size });
    this.#add({ kind: "lease", key, until: lease + size });
  }

  heard(row: number): void {
    this.#heard.add(row);
    this.#heardTimer ??= this.#parts.clock.after(heardDelayMs, () => {
      this.#heardTimer = undefined;
      this.#flush();
    });
  }

  /** Rows exact and marked so: the next owner goes on as if nothing had happened. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#heardTimer?.cancel();
    this.#retryTimer?.cancel();
    const working = this.#state === "working";
    this.#state = "closed";
    await this.#writing;
    try {
      if (working) await this.#writeLast();
    } catch (error) {
      this.#parts.onFailure(error);
    }
    await this.#parts.journal.close();
  }

  async #writeLast(): Promise<void> {
    const writer = this.#pending;
    this.#pending = new ByteWriter();
    for (let row = 0; row < this.#slab.end; row++) {
      if (this.#slab.has(row, RowFlag.journaled)) writeEntry(writer, this.#rowEntry(row));
    }
    writeEntry(writer, { kind: "clean" });
    await this.#append(writer.toBytes());
  }

  #add(entry: JournalEntry): void {
    if (this.#state === "closed" || this.#state === "fenced") return;
    writeEntry(this.#pending, entry);
    this.#flush();
  }

  #flush(): void {
    if (this.#writing !== undefined || this.#state !== "working") return;
    this.#writing = this.#writeAll().then(
      () => {
        this.#writing = undefined;
      },
      (error) => {
        this.#writing = undefined;
        this.#failed(error);
      },
    );
  }

  async #writeAll(): Promise<void> {
    // What the same turn of the loop still has to say shares the write.
    await undefined;
    while (this.#state === "working") {
      if (this.#wantsSnapshot || this.#grownBytes > Math.max(leastGrowthBytes, snapshotsOfGrowth * this.#snapshotBytes)) {
        this.#wantsSnapshot = false;
        await this.#parts.journal.rotate();
        await this.#writeSnapshot(rowsPerChunk);
      }
      this.#writeHeard();
      if (this.#pending.position === 0) return;
      await this.#writeBatch();
    }
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#pending.toBytes();
    const leases = this.#leases;
    this.#pending = new ByteWriter();
    this.#leases = [];
    await this.#append(batch);
    this.#grownBytes += batch.length;
    this.#grant(leases);
  }

  #writeHeard(): void {
    for (const row of this.#heard) {
      writeEntry(this.#pending, { kind: "heard", key: this.#keyOf(row), top: this.#slab.number(row, NumberSlot.readTop) });
    }
    this.#heard.clear();
  }

  /** Slice by slice: what happens to a row behind the slice stands after it, and counts. */
  async #writeSnapshot(rowsAtOnce: number): Promise<void> {
    const { journal, key, random, table } = this.#parts;
    const salt = random.bytes(saltBytes);
    this.#seal = new ChunkSeal(key, salt, journal.part);
    await journal.append(salt);
    const first = new ByteWriter();
    writeEntry(first, { kind: "begin", version: layoutVersion, nextKey: table.nextKey });
    await this.#append(first.toBytes());
    this.#snapshotBytes = 0;
    for (let row = 0; row < this.#slab.end; ) row = await this.#writeSlice(row, rowsAtOnce);
    // Entries that were on their way belong before the end of the snapshot: it says that all rows alive stand in this part.
    const last = this.#pending;
    this.#pending = new ByteWriter();
    writeEntry(last, { kind: "complete" });
    const leases = this.#leases;
    this.#leases = [];
    await this.#append(last.toBytes());
    this.#grant(leases);
    await journal.dropOlder();
    this.#grownBytes = 0;
  }

  async #writeSlice(from: number, rowsAtOnce: number): Promise<number> {
    const end = Math.min(from + rowsAtOnce, this.#slab.end);
    const slice = new ByteWriter();
    for (let row = from; row < end; row++) {
      if (this.#slab.has(row, RowFlag.journaled)) writeEntry(slice, this.#rowEntry(row));
    }
    this.#snapshotBytes += slice.position;
    if (slice.position > 0) await this.#append(slice.toBytes());
    return end;
  }

  #grant(leases: readonly { readonly key: number; readonly until: number }[]): void {
    for (const { key, until } of leases) {
      this.#leased.delete(key);
      const row = this.#table.findByKey(key);
      if (row !== none) this.#slab.setNumber(row, NumberSlot.writeLease, until);
    }
  }

  #append(plain: Uint8Array): Promise<void> {
    if (this.#seal === undefined) throw new Error("the journal was not begun");
    return this.#parts.journal.append(this.#seal.seal(plain));
  }

  #failed(error: unknown): void {
    this.#parts.onFailure(error);
    if (this.#state === "closed") return;
    if (error instanceof JournalFenced) {
      this.#state = "fenced";
      return;
    }
    // What the failed write left cannot be known, so nothing is appended behind it: a new part says everything again.
    this.#state = "broken";
    this.#pending = new ByteWriter();
    this.#leases = [];
    this.#leased.clear();
    this.#retryTimer = this.#parts.clock.after(retryMs, () => {
      this.#state = "working";
      this.#wantsSnapshot = true;
      this.#flush();
    });
  }

  #reserveFirst(row: number): void {
    this.#slab.setNumber(row, NumberSlot.writeLease, this.#slab.number(row, NumberSlot.writeSequence) + firstLease);
    this.#slab.mark(row, RowFlag.journaled);
  }

  #rowEntry(row: number): JournalEntry {
    const table = this.#table;
    return { kind: "row", key: this.#keyOf(row), row: rowImage(table, row), facts: table.factsBytes(row), peerId: table.longPeerIdOf(row) };
  }

  #keyOf(row: number): number {
    return this.#slab.number(row, NumberSlot.key);
  }
}
