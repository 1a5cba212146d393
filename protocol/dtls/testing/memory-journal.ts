/** A journal in memory that can be killed between any two of its steps; what was durable then is what the next owner finds. */
import type { Clock } from "../../ports/clock.ts";
import { type DtlsJournal, JournalFenced, type JournalPart } from "../journal/journal-contract.ts";

interface Part {
  readonly part: number;
  readonly chunks: Uint8Array[];
  readonly hasRest: boolean;
}

/** The disk: it outlives the journals opened on it. */
export class JournalDisk {
  parts: Part[] = [];
  /** Called before each write becomes durable, with the number of the write. Throwing makes the write fail. */
  beforeWrite: (write: number) => void = () => {};
  writes = 0;

  /** What a machine that lost its power now would find. */
  copy(): JournalDisk {
    const copy = new JournalDisk();
    copy.parts = this.parts.map((part) => ({ ...part, chunks: [...part.chunks] }));
    return copy;
  }
}

export class MemoryJournal implements DtlsJournal {
  readonly #disk: JournalDisk;
  readonly #clock: Clock;
  readonly #writeMs: number;
  #own: Part = { part: 0, chunks: [], hasRest: false };

  /** Each write takes `writeMs`; 0 waits for the promise only. */
  constructor(disk: JournalDisk, clock: Clock, writeMs = 0) {
    this.#disk = disk;
    this.#clock = clock;
    this.#writeMs = writeMs;
  }

  get part(): number {
    return this.#own.part;
  }

  async takeOver(): Promise<readonly JournalPart[]> {
    this.#begin();
    return this.#disk.copy().parts.filter(({ part }) => part < this.part);
  }

  async append(chunk: Uint8Array): Promise<void> {
    if (this.#writeMs > 0) await new Promise<void>((resolve) => this.#clock.after(this.#writeMs, resolve));
    this.#disk.beforeWrite(++this.#disk.writes);
    this.#own.chunks.push(chunk.slice());
    if (this.#newest() !== this.part) throw new JournalFenced(this.part);
  }

  async rotate(): Promise<void> {
    if (this.#newest() !== this.part) throw new JournalFenced(this.part);
    this.#begin();
  }

  async dropOlder(): Promise<void> {
    this.#disk.parts = this.#disk.parts.filter(({ part }) => part >= this.part);
  }

  async close(): Promise<void> {}

  #begin(): void {
    this.#own = { part: this.#newest() + 1, chunks: [], hasRest: false };
    this.#disk.parts.push(this.#own);
  }

  #newest(): number {
    return this.#disk.parts.at(-1)?.part ?? 0;
  }
}
