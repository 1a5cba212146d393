/** How fast something may happen over the whole fleet: turns in the order they were asked for, so many a second. */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";

/** Turns that may come at once after a time without any: a tenth of a second's worth. */
const burstPart = 10;

export class Pace {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #waiting: (() => void)[] = [];
  #turns: number;
  #countedAt: number;
  #timer: Timer | undefined;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = Math.max(1, Math.floor(perSecond / burstPart));
    this.#turns = this.#burst;
    this.#countedAt = clock.now();
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves at its turn, or when all is over. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#timer === undefined) this.#serve();
    });
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #serve(): void {
    const nowMs = this.#clock.now();
    this.#turns = Math.min(this.#burst, this.#turns + ((nowMs - this.#countedAt) * this.#perSecond) / 1_000);
    this.#countedAt = nowMs;
    while (this.#turns >= 1 && this.#waiting.length > 0) {
      this.#turns -= 1;
      this.#waiting.shift()?.();
    }
    if (this.#waiting.length === 0) return;
    const waitMs = Math.ceil(((1 - this.#turns) * 1_000) / this.#perSecond);
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#serve();
    });
  }
}
