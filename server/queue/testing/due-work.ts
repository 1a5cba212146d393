/** Documents with a due time, as a topic of the wake-up queue sees them, and what the log said meanwhile. */
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Log } from "../../log.ts";
import type { WakeUpTopic } from "../wake-up-queue.ts";

export class DueWork {
  /** Looks that found something due, or nothing any more. */
  looks = 0;
  readonly #clock: Clock;
  readonly #due = new Map<string, number>();
  readonly #done = new Map<string, { readonly dueAt: number; readonly at: number }>();
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  put(key: string, dueAt: number): void {
    this.#due.set(key, dueAt);
  }

  topic(name: string): WakeUpTopic {
    return {
      name,
      findDue: async (dueUntilMs, limit) => {
        const due = [...this.#due].filter(([, dueAt]) => dueAt <= dueUntilMs).sort(([, a], [, b]) => a - b);
        return due.slice(0, limit).map(([key]) => key);
      },
      findNextDueAt: async () => (this.#due.size === 0 ? undefined : Math.min(...this.#due.values())),
      onDue: async (key) => this.#look(key),
    };
  }

  untilDone(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
      this.#tell();
    });
  }

  get done(): readonly string[] {
    return [...this.#done.keys()];
  }

  doneTooEarly(): readonly string[] {
    return [...this.#done].filter(([, { dueAt, at }]) => at < dueAt).map(([key]) => key);
  }

  lateness(): readonly number[] {
    return [...this.#done.values()].map(({ dueAt, at }) => at - dueAt).sort((a, b) => a - b);
  }

  latestMs(): number {
    return this.lateness().at(-1) ?? 0;
  }

  #look(key: string): void {
    this.looks += 1;
    const dueAt = this.#due.get(key);
    const at = this.#clock.now();
    if (dueAt === undefined || dueAt > at) return;
    this.#due.delete(key);
    this.#done.set(key, { dueAt, at });
    this.#tell();
  }

  #tell(): void {
    for (const waiter of [...this.#waiting]) {
      if (this.#done.size < waiter.count) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.resolve();
    }
  }
}

export class LogLines implements Log {
  readonly #lines: { readonly level: string; readonly text: string }[] = [];
  readonly #waiting: { readonly start: string; readonly count: number; readonly resolve: () => void }[] = [];

  error(message: string): void {
    this.#add("error", message);
  }

  warn(message: string, fields: object = {}): void {
    this.#add("warn", `${message} ${JSON.stringify(fields)}`);
  }

  info(message: string): void {
    this.#add("info", message);
  }

  debug(): void {}

  lines(level: string): readonly string[] {
    return this.#lines.filter((line) => line.level === level).map(({ text }) => text);
  }

  /** Resolves when `count` lines begin so. */
  until(start: string, count = 1): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ start, count, resolve });
      this.#tell();
    });
  }

  #add(level: string, text: string): void {
    this.#lines.push({ level, text });
    this.#tell();
  }

  #tell(): void {
    for (const waiter of [...this.#waiting]) {
      if (this.#lines.filter(({ text }) => text.startsWith(waiter.start)).length < waiter.count) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.resolve();
    }
  }
}
