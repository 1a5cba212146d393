/** Durable writes of the embedded store against the same SQL written by hand on the raw driver, in one thread and in equal groups. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type BenchOptions, type Figure, rounded } from "@lwm2m/protocol/bench/figure";
import type { CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import type { SqlDriver } from "../storage/drivers/driver.ts";
import { openDriver, usualDriver } from "../storage/drivers/open-driver.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { configure, createSchema } from "../storage/schema.ts";
import type { Store, TelemetryPoint } from "../storage/store.ts";

interface Device extends StoredDocument {
  readonly rev: number;
  readonly wakeAt: number;
  readonly open: boolean;
  readonly text: string;
}

const definition: CollectionDefinition = {
  name: "devices",
  indexes: [{ name: "due", fields: ["wakeAt"], where: { field: "open", equals: true } }],
};
const deviceCount = 10_000;
/** Requests in flight, and updates of one commit by hand. */
const inFlight = 64;
const pointsPerCommit = 1_000;
const appendsInFlight = 4;

const aDevice = (n: number): Device => ({ _id: `urn:imei:${n}`, rev: 0, wakeAt: n, open: true, text: "x".repeat(600) });
const somePoints = (round: number): readonly TelemetryPoint[] =>
  Array.from({ length: pointsPerCommit }, (_, i) => ({
    endpoint: `urn:imei:${i % 200}`,
    path: "/3303/0/5700",
    timeMs: 1_700_000_000_000 + round * 1_000 + i,
    receivedMs: 1_700_000_000_000 + round * 1_000 + i + 80,
    value: 20 + (i % 100) / 10,
  }));

export async function bench(options: BenchOptions): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "store-bench-"));
  try {
    // In turns, and the best one of each side counts: what other programs take of the machine meanwhile is neither's.
    const turns = 6;
    const milliseconds = (options.seconds * 1_000) / (4 * turns);
    const rates = { updates: 0, rawUpdates: 0, points: 0, rawPoints: 0 };
    const delay = monitorEventLoopDelay({ resolution: 1 });
    for (let turn = 0; turn < turns; turn++) {
      const ours = await measureStore(join(directory, `store${turn}`), milliseconds, delay);
      const raw = await measureRaw(join(directory, `raw${turn}.db`), milliseconds);
      rates.updates = Math.max(rates.updates, ours.updates);
      rates.points = Math.max(rates.points, ours.points);
      rates.rawUpdates = Math.max(rates.rawUpdates, raw.updates);
      rates.rawPoints = Math.max(rates.rawPoints, raw.points);
    }
    return [
      figure("store", "durable updates, 64 in flight", rates.updates, "updates/s", rates.rawUpdates),
      figure("telemetry", "durable points, 1000 in a batch", rates.points, "points/s", rates.rawPoints),
      {
        bench: "store",
        figure: "main event loop delay meanwhile, p99",
        value: rounded(delay.percentile(99) / 1e6),
        unit: "ms",
        against: null,
        ratio: null,
      },
    ];
  } finally {
    await rm(directory, { recursive: true });
  }
}

function figure(bench: string, name: string, value: number, unit: string, raw: number): Figure {
  return { bench, figure: name, value: rounded(value), unit, against: "raw-driver", ratio: rounded(value / raw) };
}

type EventLoopDelay = ReturnType<typeof monitorEventLoopDelay>;

interface Rates {
  readonly updates: number;
  readonly points: number;
}

async function measureStore(directory: string, milliseconds: number, delay: EventLoopDelay): Promise<Rates> {
  const store = await openEmbeddedStore({ directory, collections: [definition], strictFilters: true });
  try {
    await fill(store);
    delay.enable();
    return { updates: await measureUpdates(store, milliseconds), points: await measurePoints(store, milliseconds) };
  } finally {
    delay.disable();
    await store.close();
  }
}

async function fill(store: Store): Promise<void> {
  const devices = store.collection<Device>(definition);
  await devices.bulkWrite(Array.from({ length: deviceCount }, (_, n) => ({ insertOne: { document: aDevice(n) } })));
}

async function measureUpdates(store: Store, milliseconds: number): Promise<number> {
  const devices = store.collection<Device>(definition);
  const start = performance.now();
  let updates = 0;
  const lane = async (first: number): Promise<void> => {
    for (let n = first; performance.now() - start < milliseconds; n += inFlight) {
      const { matched } = await devices.updateOne(
        { _id: `urn:imei:${n % deviceCount}`, open: true },
        { $inc: { rev: 1 }, $set: { wakeAt: n } },
      );
      if (matched !== 1) throw new Error("an update did not find its document");
      updates++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, first) => lane(first)));
  return (updates * 1_000) / (performance.now() - start);
}

async function measurePoints(store: Store, milliseconds: number): Promise<number> {
  const start = performance.now();
  let points = 0;
  const lane = async (first: number): Promise<void> => {
    for (let round = first; performance.now() - start < milliseconds; round += appendsInFlight) {
      await store.telemetry.append(somePoints(round));
      points += pointsPerCommit;
    }
  };
  await Promise.all(Array.from({ length: appendsInFlight }, (_, first) => lane(first)));
  return (points * 1_000) / (performance.now() - start);
}

async function measureRaw(file: string, milliseconds: number): Promise<Rates> {
  const driver = await openDriver(usualDriver(), file);
  try {
    configure(driver);
    createSchema(driver, [definition]);
    return { updates: rawUpdates(driver, milliseconds), points: rawPoints(driver, milliseconds) };
  } finally {
    driver.close();
  }
}

function rawUpdates(driver: SqlDriver, milliseconds: number): number {
  driver.exec("BEGIN");
  for (let n = 0; n < deviceCount; n++) {
    driver.run(`INSERT INTO "c_devices" (id, doc) VALUES (?, ?)`, [`urn:imei:${n}`, JSON.stringify(aDevice(n))]);
  }
  driver.exec("COMMIT");
  const start = performance.now();
  let updates = 0;
  while (performance.now() - start < milliseconds) {
    driver.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < inFlight; i++, updates++) {
      const id = `urn:imei:${updates % deviceCount}`;
      const device = JSON.parse(String(driver.get(`SELECT doc FROM "c_devices" WHERE id = ?`, [id])?.[0])) as Device;
      const text = JSON.stringify({ ...device, rev: device.rev + 1, wakeAt: updates });
      driver.run(`UPDATE "c_devices" SET doc = ? WHERE id = ?`, [text, id]);
    }
    driver.exec("COMMIT");
  }
  return (updates * 1_000) / (performance.now() - start);
}

function rawPoints(driver: SqlDriver, milliseconds: number): number {
  const start = performance.now();
  let points = 0;
  for (let round = 0; performance.now() - start < milliseconds; round++) {
    driver.exec("BEGIN IMMEDIATE");
    for (const [i, point] of somePoints(round).entries()) {
      driver.run("INSERT OR REPLACE INTO points (series, time, received, value) VALUES (?, ?, ?, ?)", [
        ...[i % 200, point.timeMs, point.receivedMs, JSON.stringify(point.value)],
      ]);
    }
    driver.exec("COMMIT");
    points += pointsPerCommit;
  }
  return (points * 1_000) / (performance.now() - start);
}
