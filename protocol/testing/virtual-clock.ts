/** Time for tests: it moves only when told, and everything due on the way happens in order. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock, Timer } from "../ports/clock.ts";

interface PendingTimer {
  readonly dueAt: number;
  /** Timers due together fire as they were set. */
  readonly order: number;
  /** Undefined once fired or cancelled. */
  callback: (() => void) | undefined;
}

const someInstantMs = 1_700_000_000_000;
const dayMs = 86_400_000;

export class VirtualClock implements Clock {
  #now: number;
  readonly #settle: () => Promise<unknown>;
  /** A heap, the next one first. Cancelled ones stay until they are the first, or most of it. */
  #timers: PendingTimer[] = [];
  #set = 0;
  #pending = 0;

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
    const timer: PendingTimer = { dueAt: this.#now + Math.max(0, delayMs), order: this.#set++, callback };
    this.#timers.push(timer);
    this.#rise(timer);
    this.#pending += 1;
    return { cancel: () => this.#cancel(timer) };
  }

  /** Timers that are set and have neither fired nor been cancelled: 0 after everything opened was closed. */
  pendingTimers(): number {
    return this.#pending;
  }

  /** Runs what falls due within `ms`, in order, promises settled after each; then stands `ms` later. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await this.#settle();
    for (let timer = this.#next(); timer !== undefined && timer.dueAt <= target; timer = this.#next()) {
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
      const timer = this.#next();
      if (timer === undefined) throw new Error("the promise is not settled and no timer is left to wait for");
      if (timer.dueAt > limit) throw new Error(`the promise is not settled after ${limitMs} ms`);
      this.#fire(timer);
      await this.#settle();
    }
    return promise;
  }

  #fire(timer: PendingTimer): void {
    const { callback } = timer;
    this.#forget(timer);
    this.#dropFirst();
    this.#now = Math.max(this.#now, timer.dueAt);
    callback?.();
  }

  #cancel(timer: PendingTimer): void {
    if (timer.callback === undefined) return;
    this.#forget(timer);
    if (this.#timers.length <= 2 * this.#pending + fewTimers) return;
    // Sorted is a heap too.
    this.#timers = this.#timers.filter(({ callback }) => callback !== undefined).sort((one, other) => (isBefore(one, other) ? -1 : 1));
  }

  #forget(timer: PendingTimer): void {
    timer.callback = undefined;
    this.#pending -= 1;
  }

  #next(): PendingTimer | undefined {
    while (this.#timers[0] !== undefined && this.#timers[0].callback === undefined) this.#dropFirst();
    return this.#timers[0];
  }

  #rise(timer: PendingTimer): void {
    let place = this.#timers.length - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#timers[above];
      if (parent === undefined || isBefore(parent, timer)) break;
      this.#timers[place] = parent;
      place = above;
    }
    this.#timers[place] = timer;
  }

  /** The last one sinks from the top to where it belongs. */
  #dropFirst(): void {
    const last = this.#timers.pop();
    const { length } = this.#timers;
    if (last === undefined || length === 0) return;
    let place = 0;
    for (let below = 1; below < length; below = place * 2 + 1) {
      const left = this.#timers[below];
      const right = this.#timers[below + 1];
      const child = left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || isBefore(last, child)) break;
      this.#timers[place] = child;
      place = child === left ? below : below + 1;
    }
    this.#timers[place] = last;
  }
}

/** Timers that are cancelled cost nothing worth a new heap. */
const fewTimers = 64;

function isBefore(one: PendingTimer, other: PendingTimer): boolean {
  return one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.order < other.order);
}
