import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "./system-clock.ts";

test("Clock: what is due at once runs after the code of the moment, in order; a cancelled one does not", async () => {
  const ran: string[] = [];
  const timer = new Promise<void>((resolve) => {
    systemClock.after(1, () => {
      ran.push("timer");
      resolve();
    });
  });
  const atOnce = new Promise<void>((resolve) => {
    systemClock.after(0, () => ran.push("first"));
    systemClock.after(0, () => ran.push("cancelled")).cancel();
    systemClock.after(0, () => {
      ran.push("second");
      resolve();
    });
  });
  ran.push("now");
  await Promise.all([timer, atOnce]);
  assert.deepEqual(
    ran.filter((what) => what !== "timer"),
    ["now", "first", "second"],
  );
  assert.ok(ran.includes("timer"));
});
