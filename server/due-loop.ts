/** One timer for the earliest of many due times that are kept in the store: expiry of registrations and operations. */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";

export interface DueLoop {
  /** Something falls due at that time, perhaps before what the loop waits for. */
  hasten(dueAt: number): void;
  /** Resolves when the step under way is over; none starts after that. */
  close(): Promise<void>;
}

export interface DueLoopSettings {
  readonly clock: Clock;
  /** Does everything that is due and says when the next thing will be; undefined when nothing is known. */
  readonly step: (nowMs: number) => Promise<number | undefined>;
  readonly onError: (error: unknown) => void;
}

/** A wait is never longer, so that a clock that was set and work that was missed are noticed. */
const longestWaitMs = 60_000;
/** After a failure, and between steps that find more work than one step takes. */
const shortestWaitMs = 50;

/** The first step runs at once: it finds what fell due while nobody was running. */
export function openDueLoop({ clock, step, onError }: DueLoopSettings): DueLoop {
  let closed = false;
  let timer: Timer | undefined;
  let armedFor = Number.POSITIVE_INFINITY;
  let stepping = false;
  let running: Promise<void> | undefined;
  let hastenedTo = Number.POSITIVE_INFINITY;

  const arm = (dueAt: number): void => {
    timer?.cancel();
    armedFor = dueAt;
    timer = clock.after(Math.max(0, dueAt - clock.now()), start);
  };
  const start = (): void => {
    timer = undefined;
    armedFor = Number.POSITIVE_INFINITY;
    stepping = true;
    running = run();
  };
  const run = async (): Promise<void> => {
    hastenedTo = Number.POSITIVE_INFINITY;
    const latest = clock.now() + longestWaitMs;
    let next: number | undefined = latest;
    try {
      next = await step(clock.now());
    } catch (error) {
      onError(error);
    }
    stepping = false;
    if (!closed) arm(Math.max(clock.now() + shortestWaitMs, Math.min(next ?? latest, hastenedTo, latest)));
  };

  start();
  return {
    hasten: (dueAt) => {
      if (closed) return;
      if (stepping) hastenedTo = Math.min(hastenedTo, dueAt);
      else if (dueAt < armedFor) arm(dueAt);
    },
    close: async () => {
      closed = true;
      timer?.cancel();
      await running;
    },
  };
}
