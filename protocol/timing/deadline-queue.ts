/** All deadlines of an endpoint behind one timer of the clock: a binary heap that knows where its members sit. */
import type { Clock, Timer } from "../ports/clock.ts";

interface Deadline extends Timer {
  readonly dueAt: number;
  readonly callback: () => void;
  /** Index in the heap; −1 once fired or cancelled. */
  place: number;
}

export class DeadlineQueue implements Clock {
  readonly #clock: Clock;
  readonly #heap: Deadline[] = [];
  #timer: Timer | undefined;
  #timerDueAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  after(delayMs: number, callback: () => void): Timer {
    const deadline: Deadline = {
      dueAt: this.#clock.now() + Math.max(0, delayMs),
      callback,
      place: this.#heap.length,
      cancel: () => this.#remove(deadline),
    };
    if (this.#closed) {
      deadline.place = -1;
      return deadline;
    }
    this.#heap.push(deadline);
    this.#rise(deadline);
    this.#arm();
    return deadline;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Forgets every deadline and the timer behind them; later ones never fall due. */
  close(): void {
    this.#closed = true;
    for (const deadline of this.#heap) deadline.place = -1;
    this.#heap.length = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
  }

  /** A timer that is too early is left alone: it fires, finds nothing due and is set anew. Cheaper than one timer per cancelled deadline. */
  #arm(): void {
    const next = this.#heap[0];
    if (next === undefined || next.dueAt >= this.#timerDueAt) return;
    this.#timer?.cancel();
    this.#timerDueAt = next.dueAt;
    this.#timer = this.#clock.after(next.dueAt - this.#clock.now(), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    for (let next = this.#heap[0]; next !== undefined && next.dueAt <= now; next = this.#heap[0]) {
      this.#remove(next);
      next.callback();
    }
    this.#arm();
  }

  #remove(deadline: Deadline): void {
    const place = deadline.place;
    if (place < 0) return;
    deadline.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === deadline) return;
    last.place = place;
    this.#heap[place] = last;
    this.#sink(last);
    this.#rise(last);
  }

  #rise(deadline: Deadline): void {
    while (deadline.place > 0) {
      const parent = this.#heap[(deadline.place - 1) >> 1];
      if (parent === undefined || parent.dueAt <= deadline.dueAt) return;
      this.#swap(deadline, parent);
    }
  }

  #sink(deadline: Deadline): void {
    for (;;) {
      const left = this.#heap[deadline.place * 2 + 1];
      const right = this.#heap[deadline.place * 2 + 2];
      const child = right !== undefined && left !== undefined && right.dueAt < left.dueAt ? right : left;
      if (child === undefined || child.dueAt >= deadline.dueAt) return;
      this.#swap(child, deadline);
    }
  }

  #swap(one: Deadline, other: Deadline): void {
    const place = one.place;
    one.place = other.place;
    other.place = place;
    this.#heap[one.place] = one;
    this.#heap[other.place] = other;
  }
}
