/** Notices relations that stay silent: one deadline for each, all behind one timer. A notification only moves the mark of its entry. */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import { DeadlineQueue } from "@lwm2m/protocol/timing/deadline-queue";

interface Watched {
  readonly longestMs: number;
  heardAt: number;
  timer: Timer | undefined;
}

/** Whole minutes, so that the timer wakes for many at once. */
const minuteMs = 60_000;

export class SilenceWatch {
  readonly #deadlines: DeadlineQueue;
  readonly #onSilent: (id: string, heardAt: number) => void;
  readonly #watched = new Map<string, Watched>();

  constructor(clock: Clock, onSilent: (id: string, heardAt: number) => void) {
    this.#deadlines = new DeadlineQueue(clock);
    this.#onSilent = onSilent;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** From now on, also one that was watched before; each is told of once. */
  watch(id: string, longestMs: number): void {
    this.forget(id);
    const entry: Watched = { longestMs, heardAt: this.#deadlines.now(), timer: undefined };
    this.#watched.set(id, entry);
    this.#lookLater(id, entry);
  }

  noteHeard(id: string): void {
    const entry = this.#watched.get(id);
    if (entry !== undefined) entry.heardAt = this.#deadlines.now();
  }

  forget(id: string): void {
    this.#watched.get(id)?.timer?.cancel();
    this.#watched.delete(id);
  }

  close(): void {
    this.#deadlines.close();
    this.#watched.clear();
  }

  #lookLater(id: string, entry: Watched): void {
    const lookAt = Math.ceil((entry.heardAt + entry.longestMs) / minuteMs) * minuteMs;
    entry.timer = this.#deadlines.after(lookAt - this.#deadlines.now(), () => this.#look(id, entry));
  }

  #look(id: string, entry: Watched): void {
    if (entry.heardAt + entry.longestMs > this.#deadlines.now()) {
      this.#lookLater(id, entry);
      return;
    }
    this.#watched.delete(id);
    this.#onSilent(id, entry.heardAt);
  }
}
