import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { storeWakeUps } from "./store-wake-ups.ts";
import { DueWork } from "./testing/due-work.ts";
import { wakeUpLimits } from "./wake-up-queue.ts";

const batch = wakeUpLimits.looksAtOnce;

test("wake-ups of the store: what fell due before, then each at its time, however many at once", async () => {
  const clock = new VirtualClock(1_000_000);
  const work = new DueWork(clock);
  for (let i = 0; i < 3 * batch + 1; i += 1) work.put(`before${i}`, i);
  const queue = storeWakeUps({ clock, onError: (error) => assert.fail(String(error)) });
  const wakeUps = queue.open(work.topic("steps"));
  await clock.advance(0);
  assert.equal(work.done.length, 3 * batch + 1, "more than one batch, in one sweep");
  const at = (key: string, inMs: number): void => {
    work.put(key, clock.now() + inMs);
    wakeUps.schedule(key, clock.now() + inMs);
  };
  at("later", 30_000);
  at("soon", 5_000);
  await clock.advance(4_999);
  assert.equal(work.done.length, 3 * batch + 1);
  await clock.advance(1);
  assert.deepEqual(work.done.slice(3 * batch + 1), ["soon"]);
  await clock.advance(25_000);
  assert.deepEqual(work.done.slice(3 * batch + 1), ["soon", "later"]);
  work.put("untold", clock.now());
  await clock.advance(60_000);
  assert.deepEqual(work.done.slice(3 * batch + 3), ["untold"], "what nobody scheduled is found by the sweep");
  await wakeUps.close();
  await queue.close();
  assert.equal(clock.pendingTimers(), 0);
});

test("wake-ups of the store: one that fails holds up nobody, and one that stays due does not keep the sweep going", async () => {
  const clock = new VirtualClock(0);
  const errors: string[] = [];
  let looks = 0;
  const keys = Array.from({ length: batch + 10 }, (_, i) => `k${i}`);
  const queue = storeWakeUps({ clock, onError: (error, what) => errors.push(`${what}: ${String(error)}`) });
  const wakeUps = queue.open({
    name: "stuck",
    findDue: async (_dueUntilMs, limit) => keys.slice(0, limit),
    findNextDueAt: async () => 60_000,
    onDue: async (key) => {
      looks += 1;
      if (key === "k7") throw new Error("the store is gone");
    },
  });
  await clock.advance(0);
  assert.equal(looks, 2 * batch, "two batches: the second brought nothing new");
  assert.deepEqual(new Set(errors), new Set(["wake up stuck k7: Error: the store is gone"]));
  await wakeUps.close();
});
