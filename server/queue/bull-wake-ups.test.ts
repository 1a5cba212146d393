import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { keepingJobs, RedisProcess } from "../testing/platform/redis-process.ts";
import { redisSuite } from "../testing/platform/redis-suite.ts";
import { openBullWakeUps } from "./bull-wake-ups.ts";
import { parseRedisUrl } from "./redis-address.ts";
import { DueWork, LogLines } from "./testing/due-work.ts";
import type { WakeUpQueue } from "./wake-up-queue.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function openQueue(redis: RedisProcess, log: LogLines, unexpected: unknown[] = []): WakeUpQueue {
  const queue = openBullWakeUps({
    address: parseRedisUrl(redis.url) ?? assert.fail(),
    clock: systemClock,
    log,
    onError: (error) => unexpected.push(error),
  });
  closers.push(() => queue.close());
  return queue;
}

async function openRedis(...options: readonly string[]): Promise<RedisProcess> {
  const redis = await RedisProcess.open([...keepingJobs, ...options]);
  closers.push(() => redis.dispose());
  return redis;
}

const now = (): number => systemClock.now();

redisSuite("wake-ups by Bull on Redis", () => {
  test("every document is looked at once, when it is due, by one of two processes", async () => {
    const redis = await openRedis();
    const log = new LogLines();
    const work = new DueWork();
    const queues = [openQueue(redis, log), openQueue(redis, log)];
    const [first] = queues.map((queue) => queue.open(work.topic("steps")));
    await log.until("Redis is there", 2);
    const dueAt = now() + 300;
    for (let i = 0; i < 500; i += 1) {
      work.put(`k${i}`, dueAt + (i % 100));
      first?.schedule(`k${i}`, dueAt + (i % 100));
    }
    await work.untilDone(500);
    assert.deepEqual(work.doneTooEarly(), []);
    assert.ok(work.latestMs() < 4_000, `the last came ${work.latestMs()} ms late: a sweep did it, not Redis`);
    assert.equal(work.looks, 500);
    assert.deepEqual(log.lines("warn"), []);
  });

  test("FLUSHALL in mid-work: everything is looked at within a sweep", async () => {
    const redis = await openRedis();
    const log = new LogLines();
    const work = new DueWork();
    const wakeUps = openQueue(redis, log).open(work.topic("steps"));
    await log.until("Redis is there");
    for (let i = 0; i < 200; i += 1) {
      const dueAt = now() + 200 + i;
      work.put(`k${i}`, dueAt);
      wakeUps.schedule(`k${i}`, dueAt);
    }
    await work.untilDone(20);
    assert.match(await redis.command("FLUSHALL"), /OK/);
    await work.untilDone(200);
    assert.deepEqual(work.doneTooEarly(), []);
    assert.ok(work.latestMs() < 30_000, `${work.latestMs()}`);
  });

  test("not there at start: work goes on at its time, one warning; when it comes it is used", async () => {
    const redis = await RedisProcess.prepare();
    closers.push(() => redis.dispose());
    const log = new LogLines();
    const work = new DueWork();
    const wakeUps = openQueue(redis, log).open(work.topic("steps"));
    await log.until("Redis is away");
    const put = (key: string, inMs: number): void => {
      work.put(key, now() + inMs);
      wakeUps.schedule(key, now() + inMs);
    };
    put("a", 50);
    put("b", 150);
    await work.untilDone(2);
    assert.ok(work.latestMs() < 2_000, `${work.latestMs()}`);
    await redis.start();
    await log.until("Redis is there");
    assert.equal(log.lines("warn").length, 1, log.lines("warn").join("\n"));
    put("c", 100);
    await work.untilDone(3);
    assert.ok(work.latestMs() < 2_000, `${work.latestMs()}`);
  });

  test("kill -9 and restart under load, twice: nothing is lost, few lines in the log", async () => {
    const redis = await openRedis();
    const log = new LogLines();
    const work = new DueWork();
    const unexpected: unknown[] = [];
    const queues = [openQueue(redis, log, unexpected), openQueue(redis, log, unexpected)];
    const opened = queues.map((queue) => queue.open(work.topic("steps")));
    await log.until("Redis is there", 2);
    for (let i = 0; i < 3_000; i += 1) {
      const dueAt = now() + i;
      work.put(`k${i}`, dueAt);
      opened[i % 2]?.schedule(`k${i}`, dueAt);
    }
    for (const done of [300, 1_200]) {
      await work.untilDone(done);
      await redis.kill();
      await work.untilDone(done + 200);
      await redis.start();
    }
    await work.untilDone(3_000);
    assert.deepEqual(work.doneTooEarly(), []);
    assert.deepEqual(unexpected, []);
    assert.ok(work.latestMs() < 60_000, `${work.latestMs()}`);
    assert.ok(log.lines("warn").length <= 6, log.lines("warn").join("\n"));
  });

  test("halted, it holds up nobody: what is due comes with the sweep", async () => {
    const redis = await openRedis();
    const log = new LogLines();
    const work = new DueWork();
    const wakeUps = openQueue(redis, log).open(work.topic("steps"));
    await log.until("Redis is there");
    redis.halt();
    work.put("a", now() + 10);
    wakeUps.schedule("a", now() + 10);
    await work.untilDone(1);
    redis.resume();
  });

  test("a document that is due at another time than first said has one job, a cancelled one none", async () => {
    const redis = await openRedis();
    const log = new LogLines();
    const work = new DueWork();
    const wakeUps = openQueue(redis, log).open(work.topic("steps"));
    await log.until("Redis is there");
    const later = now() + 3_600_000;
    work.put("a", later + 2);
    for (const more of [0, 1, 2]) wakeUps.schedule("a", later + more);
    wakeUps.schedule("b", later);
    wakeUps.cancel("b");
    // Answered in order: when this one has rung, the ones before were added and removed.
    work.put("c", now());
    wakeUps.schedule("c", now());
    await work.untilDone(1);
    assert.equal(await redis.command("ZCARD", "lwm2m:wake-ups:delayed"), ":1\r\n");
    assert.equal(await redis.command("EXISTS", `lwm2m:wake-ups:steps.a.${later + 2}`), ":1\r\n");
  });

  test("settings that can lose jobs are one warning; a Redis that keeps its settings to itself is named once", async () => {
    const log = new LogLines();
    const redis = await RedisProcess.open(["--maxmemory-policy", "allkeys-lru", "--appendonly", "no"]);
    closers.push(() => redis.dispose());
    openQueue(redis, log);
    await log.until("Redis is there");
    const [warning = "", ...more] = log.lines("warn");
    assert.deepEqual(more, []);
    assert.match(warning, /maxmemory-policy allkeys-lru.*appendonly no and save ""/);

    const silent = await openRedis("--rename-command", "CONFIG", '""');
    const other = new LogLines();
    openQueue(silent, other);
    await other.until("Redis is there");
    assert.deepEqual(other.lines("warn"), []);
    assert.equal(other.lines("info").filter((line) => line.includes("does not tell its settings")).length, 1);
  });

  test("closing takes a moment, with Redis there, away, halted, or never seen", async () => {
    const redis = await openRedis();
    for (const state of ["there", "halted", "away", "never seen"]) {
      const log = new LogLines();
      const work = new DueWork();
      if (state === "never seen") await redis.kill();
      const queue = openQueue(redis, log);
      const wakeUps = queue.open(work.topic("steps"));
      if (state !== "never seen") await log.until("Redis is there");
      if (state === "halted") redis.halt();
      if (state === "away") await redis.kill();
      wakeUps.schedule("a", now() + 60_000);
      const before = now();
      await wakeUps.close();
      await queue.close();
      assert.ok(now() - before < 4_000, `${state}: ${now() - before} ms`);
      if (state === "halted") redis.resume();
    }
  });
});
