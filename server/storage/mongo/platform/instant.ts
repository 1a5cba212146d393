/** MongoDB's own kind of instant. */
export type Instant = Date;

/** Whole milliseconds, rounded down. */
export function instant(epochMs: number): Instant {
  return new Date(Math.floor(epochMs));
}
