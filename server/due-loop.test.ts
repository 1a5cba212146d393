import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { openDueLoop } from "./due-loop.ts";

test("runs at once, then when due; an earlier time is not missed, not even while a step runs", async () => {
  const clock = new VirtualClock(0);
  const steps: number[] = [];
  let next: number | undefined = 20_000;
  let whileRunning: () => void = () => {};
  const step = async (nowMs: number) => {
    steps.push(nowMs);
    whileRunning();
    return next;
  };
  const loop = openDueLoop({ clock, step, onError: (error) => assert.fail(String(error)) });
  await clock.advance(1_000);
  loop.hasten(5_000);
  loop.hasten(9_000);
  whileRunning = () => loop.hasten(12_000);
  await clock.advance(5_000);
  whileRunning = () => {};
  await clock.advance(14_000);
  assert.deepEqual(steps, [0, 5_000, 12_000, 20_000]);
  next = undefined;
  await clock.advance(1_000);
  steps.length = 0;
  await clock.advance(120_000);
  assert.deepEqual(steps, [80_050, 140_050], "never longer than a minute without a look");
  await loop.close();
  loop.hasten(0);
  assert.equal(clock.pendingTimers(), 0);
});

test("a step that fails is reported, and tried again after a minute at most", async () => {
  const clock = new VirtualClock(0);
  const errors: unknown[] = [];
  const step = () => Promise.reject(new Error("the store is gone"));
  const loop = openDueLoop({ clock, step, onError: (error) => errors.push(error) });
  await clock.advance(61_000);
  assert.equal(errors.length, 2);
  await loop.close();
  assert.equal(clock.pendingTimers(), 0);
});
