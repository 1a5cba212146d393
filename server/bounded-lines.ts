/** Log lines that strangers can cause: so many a minute, and the next one says how many were left out. */
import type { Clock } from "@lwm2m/protocol/ports/clock";

const minuteMs = 60_000;

export class BoundedLines {
  readonly #clock: Clock;
  readonly #perMinute: number;
  #minute = 0;
  #taken = 0;
  #leftOut = 0;

  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** Fields for the line; undefined when it is to be left out. */
  take(): { readonly leftOut?: number } | undefined {
    const minute = Math.floor(this.#clock.now() / minuteMs);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#taken = 0;
    }
    if (this.#taken >= this.#perMinute) {
      this.#leftOut += 1;
      return undefined;
    }
    this.#taken += 1;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut === 0 ? {} : { leftOut };
  }
}
