/** Time as the machines see it; `platform/system-clock.ts` is the real one, `testing/virtual-clock.ts` the one of tests. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls back once, `delayMs` (0 or more, any size) from now. */
  after(delayMs: number, callback: () => void): Timer;
}

export interface Timer {
  /** No effect once the timer has fired. */
  cancel(): void;
}
