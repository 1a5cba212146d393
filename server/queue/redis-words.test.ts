import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { parseRedisUrl } from "./redis-address.ts";
import { findRisks } from "./redis-durability.ts";
import { RedisWatch } from "./redis-watch.ts";
import { LogLines } from "./testing/due-work.ts";

for (const [text, expected] of [
  ["redis://r", { host: "r", port: 6379, db: 0 }],
  ["redis://10.0.0.1:7000/3", { host: "10.0.0.1", port: 7000, db: 3 }],
  ["redis://:p%40ss@r/", { host: "r", port: 6379, db: 0, password: "p@ss" }],
  ["redis://me:p@[::1]:1/15", { host: "::1", port: 1, db: 15, username: "me", password: "p" }],
  ["rediss://r", { host: "r", port: 6379, db: 0, tls: { servername: "r" } }],
  ["r:6379", undefined],
  ["http://r", undefined],
  ["redis://", undefined],
  ["redis://r/x", undefined],
  ["redis://r/1/2", undefined],
  ["redis://r?db=1", undefined],
  ["redis://:%zz@r", undefined],
] as const) {
  test(`REDIS_URL ${text}`, () => assert.deepEqual(parseRedisUrl(text), expected));
}

test("settings of a Redis that can lose jobs", () => {
  const keeps = { "maxmemory-policy": "noeviction", maxmemory: "0", appendonly: "yes", save: "" };
  assert.deepEqual(findRisks(keeps), []);
  assert.deepEqual(findRisks({}), [], "what is not told");
  assert.match(findRisks({ ...keeps, maxmemory: "1", "maxmemory-policy": "allkeys-lru" }).join(), /thrown away when memory is full/);
  assert.match(findRisks({ ...keeps, "maxmemory-policy": "allkeys-lru" }).join(), /once a maxmemory is set/);
  assert.match(findRisks({ ...keeps, appendonly: "no" }).join(), /a restart loses every job/);
  assert.match(findRisks({ ...keeps, appendonly: "no", save: "3600 1" }).join(), /since the last snapshot/);
});

/** A connection that is told what to be; it answers that its settings are in order. */
class FakeConnection {
  status = "connecting";
  refusal: Error | undefined;
  readonly #listeners: { readonly event: string; readonly listener: () => void }[] = [];

  on(event: "ready" | "close", listener: () => void): void {
    this.#listeners.push({ event, listener });
  }

  async config(_get: "GET", name: string): Promise<unknown> {
    if (this.refusal !== undefined) throw this.refusal;
    return [name, { "maxmemory-policy": "noeviction", appendonly: "yes" }[name] ?? "0"];
  }

  tell(event: "ready" | "close"): void {
    for (const listening of this.#listeners) if (listening.event === event) listening.listener();
  }
}

function watch() {
  const clock = new VirtualClock(0);
  const connection = new FakeConnection();
  const log = new LogLines();
  const changes: boolean[] = [];
  const onChange = (): void => void changes.push(redis.isThere);
  const redis: RedisWatch = new RedisWatch({ connection, name: "r:6379", clock, log, onChange });
  return { clock, connection, log, changes, redis };
}

test("a Redis that comes and goes every second for ten minutes: a few lines a minute, and the last one is right", async () => {
  const { clock, connection, log, changes, redis } = watch();
  for (let second = 0; second < 600; second += 1) {
    connection.tell(second % 2 === 0 ? "ready" : "close");
    redis.note(new Error("connect ECONNREFUSED"));
    await clock.advance(1_000);
  }
  assert.equal(changes.length, 600);
  await clock.advance(60_000);
  const lines = [...log.lines("info"), ...log.lines("warn")];
  assert.ok(lines.length <= 130, `${lines.length} lines`);
  assert.equal(redis.isThere, false);
  redis.close();
  assert.equal(clock.pendingTimers(), 0);
});

test("commands that are refused: one line a minute that says how many there were", async () => {
  const { clock, connection, log, redis } = watch();
  connection.tell("ready");
  await clock.advance(0);
  for (let i = 0; i < 1_000; i += 1) {
    redis.note(new Error("OOM command not allowed when used memory > 'maxmemory'"));
    await clock.advance(100);
  }
  assert.equal(log.lines("warn").length, 2);
  assert.match(log.lines("warn")[1] ?? "", /OOM.*599 more like it/);
  redis.close();
});

test("while Redis reads its files it is not there yet", async () => {
  const { clock, connection, log, changes, redis } = watch();
  connection.refusal = new Error("LOADING Redis is loading the dataset in memory");
  connection.tell("ready");
  await clock.advance(5_000);
  assert.deepEqual([changes, redis.isThere], [[], false]);
  assert.equal(log.lines("warn").length, 1);
  connection.refusal = undefined;
  await clock.advance(1_000);
  assert.deepEqual(changes, [true]);
  redis.close();
});
