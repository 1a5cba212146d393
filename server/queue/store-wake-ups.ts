/** Wake-ups without anything but the store: per topic one timer for the earliest due time. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { openDueLoop } from "../due-loop.ts";
import { type WakeUpQueue, type WakeUpTopic, wakeUpLimits } from "./wake-up-queue.ts";

export interface WakeUpSettings {
  readonly clock: Clock;
  /** Work or the store failed; the next sweep tries again. */
  readonly onError: (error: unknown, what: string) => void;
}

export function storeWakeUps({ clock, onError }: WakeUpSettings): WakeUpQueue {
  return {
    open(topic) {
      let isClosed = false;
      const sweeping: Sweeping = { topic, graceMs: () => 0, isClosed: () => isClosed, onError };
      const loop = openDueLoop({
        clock,
        step: (nowMs) => sweep(sweeping, nowMs),
        onError: (error) => onError(error, `wake up ${topic.name}`),
      });
      return {
        schedule: (_key, atMs) => loop.hasten(atMs),
        // A word that is out of date wakes the loop for nothing, at its time at the latest: there is nothing to take back.
        cancel: () => {},
        close: () => {
          isClosed = true;
          return loop.close();
        },
      };
    },
    close: async () => {},
  };
}

export interface Sweeping {
  readonly topic: WakeUpTopic;
  /** How long something has to be due before a sweep looks at it. */
  readonly graceMs: () => number;
  readonly isClosed: () => boolean;
  readonly onError: WakeUpSettings["onError"];
}

/** Looks at all that has been due for the grace, and says when the next will have been. */
export async function sweep({ topic, graceMs, isClosed, onError }: Sweeping, nowMs: number): Promise<number | undefined> {
  const grace = graceMs();
  const seen = new Set<string>();
  for (let isMore = true; isMore && !isClosed(); ) {
    const due = await topic.findDue(nowMs - grace, wakeUpLimits.looksAtOnce);
    await Promise.all(due.map((key) => look(topic, key, onError)));
    // What is due after its look must not keep the sweep going for ever.
    isMore = due.length === wakeUpLimits.looksAtOnce && due.every((key) => !seen.has(key));
    for (const key of due) seen.add(key);
  }
  const next = await topic.findNextDueAt();
  return next === undefined ? undefined : next + grace;
}

/** One that fails does not hold up the others. */
export async function look({ name, onDue }: WakeUpTopic, key: string, onError: WakeUpSettings["onError"]): Promise<void> {
  try {
    await onDue(key);
  } catch (error) {
    onError(error, `wake up ${name} ${key}`);
  }
}
