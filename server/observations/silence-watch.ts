/** Notices relations that stay silent: one deadline for each, all behind one timer. A notification only moves the mark of its entry. */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import { DeadlineQueue } from "@lwm2m/protocol/timing/deadline-queue";

interface Watched {
  readonly longestMs: number;
  /** Nothing is told before. */
  readonly notBefore: number;
  heardAt: number;
  timer: Timer | undefined;
}

export interface HeardBefore {
  readonly heardAt?: number | undefined;
  readonly notBefore?: number;
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

  /** When one that is watched was last heard. */
  heardAt(id: string): number | undefined {
    return this.#watched.get(id)?.heardAt;
  }

  /** From now on, or as one that was last heard then; also one that was watched before. Each is told of once. */
  watch(id: string, longestMs: number, { heardAt = this.#deadlines.now(), notBefore = 0 }: HeardBefore = {}): void {
    this.forget(id);
    const entry: Watched = { longestMs, notBefore, heardAt, timer: undefined };
    this.#watched.set(id, entry);
    this.#lookLater(id, entry);
  }

  /** What is long enough is another time now; when it was last heard is as it was. */
  expect(id: string, longestMs: number): void {
    const entry = this.#watched.get(id);
    if (entry !== undefined) this.watch(id, longestMs, entry);
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
    const lookAt = Math.ceil(dueAt(entry) / minuteMs) * minuteMs;
    entry.timer = this.#deadlines.after(lookAt - this.#deadlines.now(), () => this.#look(id, entry));
  }

  #look(id: string, entry: Watched): void {
    if (dueAt(entry) > this.#deadlines.now()) {
      this.#lookLater(id, entry);
      return;
    }
    this.#watched.delete(id);
    this.#onSilent(id, entry.heardAt);
  }
}

function dueAt({ heardAt, longestMs, notBefore }: Watched): number {
  return Math.max(heardAt + longestMs, notBefore);
}
