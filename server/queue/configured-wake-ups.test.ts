import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { StartError } from "../start-error.ts";
import { openSupervisor } from "../supervisor.ts";
import { openConfiguredWakeUps } from "./configured-wake-ups.ts";
import { DueWork, LogLines } from "./testing/due-work.ts";

const open = (redisUrl: string | undefined, log = new LogLines()) =>
  openConfiguredWakeUps({ settings: { redisUrl }, clock: systemClock, log, supervisor: openSupervisor(log) });

test("REDIS_URL that is no address of a Redis: one line that does not repeat the password", async () => {
  await assert.rejects(open("http://:geheim@r"), (error) => {
    assert.ok(error instanceof StartError);
    return error.message.startsWith("REDIS_URL: ") && !error.message.includes("geheim");
  });
});

test("nobody listens there: the server wakes up by itself, one warning without the password, and nothing is left running", async () => {
  const log = new LogLines();
  // The discard port: nobody listens.
  const queue = await open("redis://:geheim@127.0.0.1:9", log);
  const work = new DueWork();
  work.put("a", systemClock.now());
  const wakeUps = queue.open(work.topic("steps"));
  await work.untilDone(1);
  await log.until("Redis is away");
  await wakeUps.close();
  await queue.close();
  assert.equal(log.lines("warn").length, 1);
  assert.doesNotMatch(JSON.stringify(log.lines("warn")), /geheim/);
  assert.deepEqual(log.lines("error"), []);
});
