/** Where connections outlive the process: chunks in order, in parts that follow each other, written by one owner at a time. */

export interface DtlsJournal {
  /**
   * Begins a part of its own and returns those before it, oldest first. From the moment the new part exists, no append of an earlier
   * owner succeeds any more; whatever did succeed before is in what is returned.
   */
  takeOver(): Promise<readonly JournalPart[]>;
  /** Durable once it resolves; the caller waits before the next one. Rejects with `JournalFenced` when another owner took over. */
  append(chunk: Uint8Array): Promise<void>;
  /** Begins another part, which the chunks go to from then on. */
  rotate(): Promise<void>;
  /** Forgets the parts before the present one: all that matters stands in it. */
  dropOlder(): Promise<void>;
  /** Number of the present part: never the same twice in one journal. */
  readonly part: number;
  close(): Promise<void>;
}

export interface JournalPart {
  readonly part: number;
  /** A last chunk that is not whole is left out. */
  readonly chunks: readonly Uint8Array[];
  /** Something that is no whole chunk stands behind them: a write that was cut short, or damage. */
  readonly hasRest: boolean;
}

/** Another owner has the journal: this one may use what it reserved, and reserve no more. */
export class JournalFenced extends Error {
  constructor(part: number) {
    super(`another owner continued the journal after part ${part}`);
    this.name = "JournalFenced";
  }
}
