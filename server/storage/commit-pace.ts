/**
 * How much one commit carries. A flush costs the same for one request and for a thousand, so they are gathered; but once the work in hand is
 * worth several flushes, it goes out: its answers travel, and the asker goes on, while the worker does the rest. On a slow disk everything that
 * waits is one commit, on a fast one several.
 */
import { elapsedMs } from "../platform/elapsed.ts";

/** Work per commit in flushes: the share of time spent waiting for the disk stays below a quarter. */
const flushesOfWork = 3;
/** Of the newest flush in the running average. */
const newestShare = 1 / 8;
/** Assumed before the first flush. */
const firstFlushMs = 2;

export class CommitPace {
  #flushMs = firstFlushMs;
  #beganAt = 0;

  begin(): void {
    this.#beganAt = elapsedMs();
  }

  isEnough(): boolean {
    return elapsedMs() - this.#beganAt >= this.#flushMs * flushesOfWork;
  }

  /** Runs the flush and learns how long it takes. */
  readonly commit = (flush: () => void): void => {
    const from = elapsedMs();
    flush();
    this.#flushMs += (elapsedMs() - from - this.#flushMs) * newestShare;
  };
}
