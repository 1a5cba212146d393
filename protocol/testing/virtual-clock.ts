/** Time for tests: it moves only when told, and everything due on the way happens in order. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock, Timer } from "../ports/clock.ts";

interface PendingTimer {
  readonly dueAt: number;
  readonly callback: () => void;
}

const someInstantMs = 1_700_000_000_000;
const dayMs = 86_400_000;

export class VirtualClock implements Clock {
  #now: number;
  readonly #settle: () => Promise<unknown>;
  /** Sorted by due time; timers due together keep the order they were set in. */
  readonly #timers: PendingTimer[] = [];

  /** `settle` resolves when work outside the clock is at rest; by default one turn of the event loop, enough for promises. */
  constructor(startMs: number = someInstantMs, settle: () => Promise<unknown> = () => nextTurn()) {
    this.#now = startMs;
    this.#settle = settle;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Timer {
    if (Number.isNaN(delayMs)) throw new Error("a timer needs a delay in milliseconds, got NaN");
    const timer: PendingTimer = { dueAt: this.#now + Math.max(0, delayMs), callback };
    this.#timers.splice(this.#placeOf(timer.dueAt), 0, timer);
    return { cancel: () => this.#remove(timer) };
  }

  /** Timers that are set and have neither fired nor been cancelled: 0 after everything opened was closed. */
  pendingTimers(): number {
    return this.#timers.length;
  }

  /** Runs what falls due within `ms`, in order, promises settled after each; then stands `ms` later. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await this.#settle();
    for (let timer = this.#timers[0]; timer !== undefined && timer.dueAt <= target; timer = this.#timers[0]) {
      this.#fire(timer);
      await this.#settle();
    }
    this.#now = target;
  }

  /** Moves from timer to timer until `promise` settles and hands on its result; throws when that takes more than `limitMs`. */
  async until<T>(promise: Promise<T>, limitMs: number = dayMs): Promise<T> {
    let settled = false;
    const markSettled = (): void => {
      settled = true;
    };
    promise.then(markSettled, markSettled);
    const limit = this.#now + limitMs;
    await this.#settle();
    while (!settled) {
      const timer = this.#timers[0];
      if (timer === undefined) throw new Error("the promise is not settled and no timer is left to wait for");
      if (timer.dueAt > limit) throw new Error(`the promise is not settled after ${limitMs} ms`);
      this.#fire(timer);
      await this.#settle();
    }
    return promise;
  }

  #fire(timer: PendingTimer): void {
    this.#timers.shift();
    this.#now = Math.max(this.#now, timer.dueAt);
    timer.callback();
  }

  #placeOf(dueAt: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const timer = this.#timers[middle];
      if (timer !== undefined && timer.dueAt <= dueAt) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remove(timer: PendingTimer): void {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
  }
}
