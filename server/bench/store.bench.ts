/** Durable writes of the embedded store against the same SQL written by hand on the raw driver, in one thread and in equal groups. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchOptions, type Figure, rounded } from "@lwm2m/protocol/bench/figure";
import { medianOf } from "@lwm2m/protocol/bench/statistics";
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

/** A turn of a side: short, so that what slows the machine for a while slows both. */
const turnMs = 60;
const fewestRounds = 5;

export async function bench(options: BenchOptions): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "store-bench-"));
  const store = await openEmbeddedStore({ directory: join(directory, "store"), collections: [definition], strictFilters: true });
  const driver = await openDriver(usualDriver(), join(directory, "raw.db"));
  try {
    configure(driver);
    createSchema(driver, [definition]);
    await fill(store);
    fillRaw(driver);
    const milliseconds = options.seconds * 500;
    const updates = await takeTurns(milliseconds, {
      ours: (ms) => measureUpdates(store, ms),
      raw: (ms) => rawUpdates(driver, ms),
    });
    const points = await takeTurns(milliseconds, { ours: (ms) => measurePoints(store, ms), raw: (ms) => rawPoints(driver, ms) });
    return [
      ...figures("store", "durable updates, 64 in flight", "updates/s", updates),
      ...figures("telemetry", "durable points, 1000 in a batch", "points/s", points),
      alone(
        "telemetry",
        "durable points per second of CPU time, all threads",
        medianOf(points.ours.map(({ perCpuSecond }) => perCpuSecond)),
        "points/s",
      ),
    ];
  } finally {
    driver.close();
    await store.close();
    await rm(directory, { recursive: true });
  }
}

interface Sides<T> {
  readonly ours: T;
  readonly raw: T;
}

interface Turn {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/** `run` is told for how long, and says how much it did. The first two rounds of each side are for the compiler. */
async function takeTurns(milliseconds: number, run: Sides<(ms: number) => number | Promise<number>>): Promise<Sides<readonly Turn[]>> {
  const turns: Sides<Turn[]> = { ours: [], raw: [] };
  const rounds = Math.max(fewestRounds, Math.round(milliseconds / (2 * turnMs)));
  for (let round = -2; round < rounds; round++) {
    for (const side of ["ours", "raw"] as const) {
      const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
      const done = await run[side](turnMs);
      const { user, system } = process.cpuUsage(cpu);
      const turn = { perSecond: (done * 1_000) / (performance.now() - startedAt), perCpuSecond: (done * 1e6) / (user + system) };
      if (round >= 0) turns[side].push(turn);
    }
  }
  return turns;
}

/** Medians over the rounds, the ratio that of the medians; then the best round of each side, which others disturbed least. */
function figures(bench: string, name: string, unit: string, { ours, raw }: Sides<readonly Turn[]>): Figure[] {
  const rates = (turns: readonly Turn[]): number[] => turns.map(({ perSecond }) => perSecond);
  const pairs = [
    [name, medianOf(rates(ours)), medianOf(rates(raw))],
    [`${name}, best round`, Math.max(...rates(ours)), Math.max(...rates(raw))],
  ] as const;
  return pairs.map(([figure, value, theirs]) => ({
    ...alone(bench, figure, value, unit),
    against: "raw-driver",
    ratio: rounded(value / theirs),
  }));
}

function alone(bench: string, figure: string, value: number, unit: string): Figure {
  return { bench, figure, value: rounded(value), unit, against: null, ratio: null };
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
  return updates;
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
  return points;
}

function fillRaw(driver: SqlDriver): void {
  driver.exec("BEGIN");
  for (let n = 0; n < deviceCount; n++) {
    driver.run(`INSERT INTO "c_devices" (id, doc, "k_wakeAt", "k_open") VALUES (?, ?, ?, 1)`, [
      ...[`urn:imei:${n}`, JSON.stringify(aDevice(n)), n],
    ]);
  }
  driver.exec("COMMIT");
}

function rawUpdates(driver: SqlDriver, milliseconds: number): number {
  const start = performance.now();
  let updates = 0;
  while (performance.now() - start < milliseconds) {
    driver.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < inFlight; i++, updates++) {
      const id = `urn:imei:${updates % deviceCount}`;
      const device = JSON.parse(String(driver.get(`SELECT doc FROM "c_devices" WHERE id = ?`, [id])?.[0])) as Device;
      const text = JSON.stringify({ ...device, rev: device.rev + 1, wakeAt: updates });
      driver.run(`UPDATE "c_devices" SET doc = ?, "k_wakeAt" = ? WHERE id = ?`, [text, updates, id]);
    }
    driver.exec("COMMIT");
  }
  return updates;
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
  return points;
}
