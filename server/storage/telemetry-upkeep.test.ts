import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { driversHere } from "./drivers/open-driver.ts";
import { openEmbeddedStore } from "./embedded-store.ts";
import type { TelemetryPoint } from "./store.ts";

/** Series `s`, `path` of two each; point times 0, 1, 2, … */
const pointsOf = (endpoint: string, path: string, count: number): readonly TelemetryPoint[] =>
  Array.from({ length: count }, (_, timeMs) => ({ endpoint, path, timeMs, receivedMs: timeMs, value: { at: timeMs } }));

for (const driver of driversHere()) {
  test(`telemetry, ${driver}: an export has every point of every series once, a pruning takes what is older and nothing else`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "telemetry-"));
    const store = await openEmbeddedStore({ directory, collections: [], driver });
    t.after(async () => {
      await store.close();
      await rm(directory, { recursive: true });
    });
    const { telemetry } = store;
    // More than a page and more than a step of one series, and more series than one step looks at.
    const long = [...pointsOf("long", "/1", 13_000), ...pointsOf("long", "/2", 4_000)];
    const wide = Array.from({ length: 1_300 }, (_, n) => pointsOf(`wide-${n}`, "/1", 2)).flat();
    const written = [...long, ...wide];
    for (let at = 0; at < written.length; at += 5_000) await telemetry.append(written.slice(at, at + 5_000));
    const listed = async (): Promise<readonly TelemetryPoint[]> => {
      const found: TelemetryPoint[] = [];
      for await (const page of telemetry.all?.() ?? assert.fail("no export")) found.push(...page);
      return found;
    };
    const key = ({ endpoint, path, timeMs }: TelemetryPoint): string => JSON.stringify([endpoint, path, timeMs]);
    const sorted = (points: readonly TelemetryPoint[]) => points.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
    assert.deepEqual(sorted(await listed()), sorted(written));

    const prune = telemetry.deleteBefore ?? assert.fail("no pruning");
    assert.equal(await prune.call(telemetry, 0), 0);
    assert.equal(await prune.call(telemetry, 1), 1_302);
    assert.equal(await prune.call(telemetry, 12_990), 12_989 + 3_999 + 1_300);
    assert.deepEqual(sorted(await listed()), sorted(written.filter(({ timeMs }) => timeMs >= 12_990)));
    // What a device whose clock is wrong said lately.
    const late = { endpoint: "wide-3", path: "/1", timeMs: 5, receivedMs: 20_000, value: 1 };
    await telemetry.append([late]);
    assert.equal(await prune.call(telemetry, 12_990), 0);
    assert.equal(await prune.call(telemetry, 20_001), 10 + 1);
    // A series that was emptied is written to again.
    await telemetry.append(pointsOf("wide-7", "/1", 1));
    assert.equal((await telemetry.range({ endpoint: "wide-7", path: "/1", fromMs: 0, toMs: 9, limit: 9 })).length, 1);
  });

  test(`embedded store, ${driver}: the log gives its space back, a copy is whole, neither disturbs what is under way`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "telemetry-"));
    const definition = { name: "notes", indexes: [] };
    const store = await openEmbeddedStore({ directory: join(directory, "a"), collections: [definition], driver });
    t.after(async () => {
      await store.close();
      await rm(directory, { recursive: true });
    });
    const notes = store.collection<{ readonly _id: string; readonly text: string }>(definition);
    const write = (from: number) =>
      Promise.all(Array.from({ length: 300 }, (_, n) => notes.insertOne({ _id: `n${from + n}`, text: "x".repeat(500) })));
    await write(0);
    const log = join(directory, "a", "store.db-wal");
    assert.ok((await stat(log)).size > 100_000);
    const copy = join(directory, "b", "store.db");
    await (await openEmbeddedStore({ directory: join(directory, "b"), collections: [definition], driver })).close();
    await rm(copy);
    await Promise.all([write(1_000), store.shortenLog?.(), store.copyTo(copy), write(2_000)]);
    await store.shortenLog?.();
    assert.equal((await stat(log)).size, 0);
    assert.deepEqual(await store.verify(), []);
    assert.equal(await notes.count({}), 900);
    await assert.rejects(store.copyTo(copy), "a file that is there is not overwritten");
    assert.equal(await notes.count({}), 900);
    assert.ok((await readdir(join(directory, "b"))).includes("store.db"));
    const other = await openEmbeddedStore({ directory: join(directory, "b"), collections: [definition], driver });
    assert.ok((await other.collection(definition).count({})) >= 300);
    assert.deepEqual(await other.verify(), []);
    await other.close();
  });
}
