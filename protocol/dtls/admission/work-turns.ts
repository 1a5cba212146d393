/**
 * Handshake work in slices: what does not fit the slice waits until datagrams of established peers had their turn.
 *
 * As long as there is little of it everything runs at once, so a single handshake waits for nothing.
 */
import type { Clock, Timer } from "../../ports/clock.ts";

export interface WorkTurnsSettings {
  readonly sliceMs: number;
  /** Jobs that may wait. */
  readonly mostWaiting: number;
}

/** A slice that nobody has cut short ends by itself: whoever works 2 of 10 ms hurts nobody. */
const sliceEndsAfterSlices = 5;

export class WorkTurns {
  readonly #clock: Clock;
  readonly #elapsedMs: () => number;
  readonly #settings: WorkTurnsSettings;
  readonly #waiting: (() => void)[] = [];
  #head = 0;
  #sliceBegan = Number.NEGATIVE_INFINITY;
  #spentMs = 0;
  #timer: Timer | undefined;
  #closed = false;

  /** `elapsedMs` is a clock finer than a millisecond that only moves forward. */
  constructor(clock: Clock, elapsedMs: () => number, settings: WorkTurnsSettings) {
    this.#clock = clock;
    this.#elapsedMs = elapsedMs;
    this.#settings = settings;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** "dropped" when too much waits already. */
  take(job: () => void): "done" | "waits" | "dropped" {
    if (this.#closed) return "dropped";
    const began = this.#elapsedMs();
    if (this.waiting === 0 && this.#hasTime(began)) {
      job();
      this.#spentMs += this.#elapsedMs() - began;
      return "done";
    }
    if (this.waiting >= this.#settings.mostWaiting) return "dropped";
    this.#waiting.push(job);
    this.#timer ??= this.#clock.after(0, () => this.#run());
    return "waits";
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#waiting.length = 0;
    this.#head = 0;
  }

  #hasTime(now: number): boolean {
    if (now - this.#sliceBegan >= this.#settings.sliceMs * sliceEndsAfterSlices) this.#begin(now);
    return this.#spentMs < this.#settings.sliceMs;
  }

  #begin(now: number): void {
    this.#sliceBegan = now;
    this.#spentMs = 0;
  }

  #run(): void {
    this.#timer = undefined;
    const began = this.#elapsedMs();
    this.#begin(began);
    while (this.waiting > 0 && this.#spentMs < this.#settings.sliceMs) {
      const job = this.#waiting[this.#head++];
      job?.();
      this.#spentMs = this.#elapsedMs() - began;
    }
    if (this.waiting > 0) this.#timer = this.#clock.after(0, () => this.#run());
    this.#trim();
  }

  /** One copy per half of the queue instead of one per job. */
  #trim(): void {
    if (this.#head * 2 < this.#waiting.length) return;
    this.#waiting.splice(0, this.#head);
    this.#head = 0;
  }
}
