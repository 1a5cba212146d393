/**
 * A value without a time of its own is kept under the time of its arrival, and a history has one value for one time: what arrives from one
 * device within one millisecond gets times a microsecond apart, or the later value would take the place of the earlier one.
 */

const microsecondsPerMs = 1_000;
/** Names are remembered for one to two of these; clocks of different callers differ by less. */
const rememberedMs = 1_000;

export class ArrivalTimes {
  /** By endpoint name, the last time given. */
  #recent = new Map<string, number>();
  #earlier: ReadonlyMap<string, number> = new Map();
  #since = 0;

  /** Epoch milliseconds: `nowMs`, or a little more when this device was given a time of that millisecond before. */
  next(endpoint: string, nowMs: number): number {
    if (Math.abs(nowMs - this.#since) > rememberedMs) {
      this.#earlier = this.#recent;
      this.#recent = new Map();
      this.#since = nowMs;
    }
    const last = this.#recent.get(endpoint) ?? this.#earlier.get(endpoint) ?? 0;
    // Not after it, the clock having been set back: that time is another one.
    const given = Math.floor(last) === nowMs ? nowMs + (Math.round((last - nowMs) * microsecondsPerMs) + 1) / microsecondsPerMs : nowMs;
    this.#recent.set(endpoint, given);
    return given;
  }
}
