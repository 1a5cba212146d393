import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import type { Log } from "../log.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { controlPath } from "./platform/control-socket.ts";
import { openStoreUpkeep } from "./store-upkeep.ts";

const dayMs = 86_400_000;

test("upkeep: once an hour values older than TELEMETRY_DAYS go and the log is shortened; a failure is logged and tried again", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "upkeep-"));
  const store = await openEmbeddedStore({ directory: dataDir, collections: [] });
  t.after(async () => {
    await store.close();
    await rm(dataDir, { recursive: true });
  });
  const clock = new VirtualClock();
  const logged: string[] = [];
  const log = new Proxy({} as Log, { get: (_, level) => (message: string) => logged.push(`${String(level)} ${message}`) });
  const steps: Promise<unknown>[] = [];
  let fails = false;
  const watched = {
    ...store,
    shortenLog: () => {
      const step = fails ? Promise.reject(new Error("no")) : (store.shortenLog?.() ?? Promise.resolve());
      steps.push(step.catch(() => {}));
      return step;
    },
  };
  const close = await openStoreUpkeep({ store: watched, dataDir, telemetryDays: 2, clock, log });
  assert.equal((await stat(controlPath(dataDir))).mode & 0o777, 0o600);
  const now = clock.now();
  const point = (timeMs: number) => ({ endpoint: "e", path: "/1", timeMs, receivedMs: timeMs, value: 1 });
  await store.telemetry.append([point(now - 3 * dayMs), point(now - 2 * dayMs + 1_800_000), point(now)]);
  const count = async (): Promise<number> =>
    (await store.telemetry.range({ endpoint: "e", path: "/1", fromMs: 0, toMs: now + dayMs, limit: 9 })).length;
  /** The step under way is the engine's, in real time: over when its last call is. */
  const advance = async (ms: number, expected: number): Promise<void> => {
    await clock.advance(ms);
    while (steps.length < expected) await store.probe();
    await Promise.all(steps);
    await store.probe();
  };
  await advance(60_000, 1);
  assert.equal(await count(), 2);
  fails = true;
  await advance(3_600_000, 2);
  assert.equal(await count(), 1);
  fails = false;
  await advance(3_600_000, 3);
  assert.deepEqual(logged, [
    "info old values deleted",
    "info old values deleted",
    "error the store's upkeep failed, the next try is in an hour",
  ]);
  await close();
  await assert.rejects(stat(controlPath(dataDir)));
  await clock.advance(10 * 3_600_000);
  assert.equal(steps.length, 3);
});
