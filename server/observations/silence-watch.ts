/**
 * Notices relations that stay silent: one entry for each, by the minute in which its time is over, and one timer for the earliest minute.
 * A notification only moves the mark of its entry; the entry is put where it belongs when its minute comes.
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";

interface Watched {
  readonly longestMs: number;
  heardAt: number;
  minute: number;
}

const minuteMs = 60_000;

export class SilenceWatch {
  readonly #clock: Clock;
  readonly #onSilent: (id: string, heardAt: number) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #minutes = new Map<number, Set<string>>();
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onSilent: (id: string, heardAt: number) => void) {
    this.#clock = clock;
    this.#onSilent = onSilent;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** From now on, also one that was watched before; each is told of once. */
  watch(id: string, longestMs: number): void {
    this.forget(id);
    const entry = { longestMs, heardAt: this.#clock.now(), minute: 0 };
    this.#watched.set(id, entry);
    this.#place(id, entry);
    this.#arm();
  }

  noteHeard(id: string): void {
    const entry = this.#watched.get(id);
    if (entry !== undefined) entry.heardAt = this.#clock.now();
  }

  forget(id: string): void {
    const entry = this.#watched.get(id);
    if (entry === undefined) return;
    this.#watched.delete(id);
    const minute = this.#minutes.get(entry.minute);
    minute?.delete(id);
    if (minute?.size === 0) this.#minutes.delete(entry.minute);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#watched.clear();
    this.#minutes.clear();
  }

  #place(id: string, entry: Watched): void {
    entry.minute = Math.ceil((entry.heardAt + entry.longestMs) / minuteMs);
    const minute = this.#minutes.get(entry.minute);
    if (minute === undefined) this.#minutes.set(entry.minute, new Set([id]));
    else minute.add(id);
  }

  /** As many minutes as the longest silence has; a relation more or less changes nothing about that. */
  #arm(): void {
    const earliest = Math.min(...this.#minutes.keys());
    if (earliest >= this.#armedFor || !Number.isFinite(earliest)) return;
    this.#timer?.cancel();
    this.#armedFor = earliest;
    this.#timer = this.#clock.after(Math.max(0, earliest * minuteMs - this.#clock.now()), () => this.#ring());
  }

  #ring(): void {
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.now();
    for (const [minute, ids] of [...this.#minutes]) {
      if (minute * minuteMs > nowMs) continue;
      this.#minutes.delete(minute);
      for (const id of ids) this.#look(id, nowMs);
    }
    this.#arm();
  }

  #look(id: string, nowMs: number): void {
    const entry = this.#watched.get(id);
    if (entry === undefined) return;
    if (entry.heardAt + entry.longestMs > nowMs) {
      this.#place(id, entry);
      return;
    }
    this.#watched.delete(id);
    this.#onSilent(id, entry.heardAt);
  }
}
