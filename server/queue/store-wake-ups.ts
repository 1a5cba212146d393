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
      const loop = openDueLoop({
        clock,
        step: (nowMs) => sweep(topic, { nowMs, graceMs: 0 }, onError),
        onError: (error) => onError(error, `wake up ${topic.name}`),
      });
      // A word that is out of date wakes the loop for nothing, at its time at the latest: there is nothing to take back.
      return { schedule: (_key, atMs) => loop.hasten(atMs), cancel: () => {}, close: () => loop.close() };
    },
    close: async () => {},
  };
}

/** Looks at what has been due for `graceMs`, and says when the next will have been. */
export async function sweep(
  topic: WakeUpTopic,
  { nowMs, graceMs }: { readonly nowMs: number; readonly graceMs: number },
  onError: WakeUpSettings["onError"],
): Promise<number | undefined> {
  const due = await topic.findDue(nowMs - graceMs, wakeUpLimits.looksAtOnce);
  await Promise.all(due.map((key) => look(topic, key, onError)));
  const next = await topic.findNextDueAt();
  return next === undefined ? undefined : next + graceMs;
}

/** One that fails does not hold up the others. */
export async function look({ name, onDue }: WakeUpTopic, key: string, onError: WakeUpSettings["onError"]): Promise<void> {
  try {
    await onDue(key);
  } catch (error) {
    onError(error, `wake up ${name} ${key}`);
  }
}
