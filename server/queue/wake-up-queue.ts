/**
 * The alarm clock of stored work. What is due stands in the document (`wakeAt`), and is read there when the alarm goes off: a
 * wake-up only says "look at this one". So one that is lost costs a sweep, and one that comes twice or too early costs a read.
 */

/** Work of one kind: documents of one collection that are due at some time. */
export interface WakeUpTopic {
  /** Of letters and dashes, the same in every process. */
  readonly name: string;
  /** Keys of what was due by that time, the longest due first. */
  readonly findDue: (dueUntilMs: number, limit: number) => Promise<readonly string[]>;
  /** When the earliest of all is due, epoch milliseconds; undefined when nothing is. */
  readonly findNextDueAt: () => Promise<number | undefined>;
  /**
   * Reads the document and does what is due of it, perhaps nothing. Comes at least once; what it could not do it must make due
   * later by itself, or have it asked for again at once.
   */
  readonly onDue: (key: string) => Promise<void>;
}

export interface WakeUps {
  /** The document is due at that time, epoch milliseconds; takes the place of an earlier word. Call it when the document is durable. */
  schedule(key: string, atMs: number): void;
  /** Nothing of the document is due any more. Saves a needless look. */
  cancel(key: string): void;
  /** Resolves when what is under way is over; nothing starts after that. */
  close(): Promise<void>;
}

export interface WakeUpQueue {
  /** Once per topic; what fell due before is looked at now. */
  open(topic: WakeUpTopic): WakeUps;
  /** After the topics. */
  close(): Promise<void>;
}

export const wakeUpLimits = {
  /** Documents looked at side by side: their changes share commits, and 50 left Bull half idle. */
  looksAtOnce: 200,
  /** Due for this many milliseconds: then its alarm is lost, or its work goes on. A sweep looks, as without Redis it does at once. */
  sweepGraceMs: 5_000,
} as const;
