/** How fast each device answers, and what went over in its present wake-up: in memory, of those that were spoken to last. */
import type { Attempt } from "./operation.ts";

/** Devices remembered; one that is forgotten counts as not spoken to. */
const mostDevices = 10_000;
/** Of the newest round trip in the running average. */
const newestShare = 1 / 4;

interface Pace {
  readonly roundTripMs: number | undefined;
  /** When the window of this wake-up began; 0: never sleeps. */
  readonly since: number;
  /** When the last exchange ended. */
  readonly lastAt: number;
  readonly exchanges: number;
  readonly bytes: number;
}

export interface Spent {
  readonly exchanges: number;
  readonly bytes: number;
  readonly lastAt: number;
}

const unknownPace: Pace = { roundTripMs: undefined, since: 0, lastAt: 0, exchanges: 0, bytes: 0 };

export class DevicePaces {
  readonly #paces = new Map<string, Pace>();

  /** Undefined: nothing was measured. */
  roundTripMs(endpoint: string): number | undefined {
    return this.#paces.get(endpoint)?.roundTripMs;
  }

  /**
   * What went over in the wake-up that began at `since`. Awake for more than a window after the last exchange, the device keeps itself
   * awake: that counts as another wake-up.
   */
  spent(endpoint: string, since: number, lengthMs: number, nowMs: number): Spent {
    const pace = this.#paces.get(endpoint);
    if (pace === undefined || pace.since !== since || nowMs - pace.lastAt >= lengthMs) return { exchanges: 0, bytes: 0, lastAt: nowMs };
    return pace;
  }

  /** An exchange ended at `spent.lastAt`. `spent`: what had gone over before it; `roundTrips`: how many were expected, more than one tell nothing of a single. */
  note(endpoint: string, since: number, spent: Spent, attempt: Attempt, roundTrips: number): void {
    const before = (this.#paces.get(endpoint) ?? unknownPace).roundTripMs;
    this.#paces.delete(endpoint);
    this.#paces.set(endpoint, {
      roundTripMs: roundTrips > 1 ? before : averaged(before, attempt.roundTripMs),
      since,
      lastAt: spent.lastAt,
      exchanges: spent.exchanges + 1,
      bytes: spent.bytes + attempt.bytesDown + attempt.bytesUp,
    });
    if (this.#paces.size <= mostDevices) return;
    const [oldest] = this.#paces.keys();
    if (oldest !== undefined) this.#paces.delete(oldest);
  }

  forget(endpoint: string): void {
    this.#paces.delete(endpoint);
  }
}

function averaged(before: number | undefined, newest: number | null): number | undefined {
  if (newest === null) return before;
  return before === undefined ? newest : before + (newest - before) * newestShare;
}
