/** How late 10,000 due documents are looked at: by the store's own timers, and by Bull on Redis. Each look ends with a durable change. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchOptions, type Figure, rounded } from "@lwm2m/protocol/bench/figure";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { openBullWakeUps } from "../queue/bull-wake-ups.ts";
import { parseRedisUrl } from "../queue/redis-address.ts";
import { storeWakeUps } from "../queue/store-wake-ups.ts";
import type { WakeUpQueue } from "../queue/wake-up-queue.ts";
import type { CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import type { Store } from "../storage/store.ts";
import { RedisProcess } from "../testing/platform/redis-process.ts";

interface Job extends StoredDocument {
  readonly wakeAt: number;
  readonly active: boolean;
}

const definition: CollectionDefinition = {
  name: "jobs",
  indexes: [{ name: "due", fields: ["wakeAt"], where: { field: "active", equals: true } }],
};
const jobCount = 10_000;
/** All are scheduled before the first is due. */
const headStartMs = 4_000;
const shortestSpreadMs = 5_000;

export async function bench(options: BenchOptions): Promise<Figure[]> {
  const spreadMs = Math.max(shortestSpreadMs, options.seconds * 500);
  const onError = (error: unknown, what: string): void => console.error(what, error);
  const own = await measure(() => Promise.resolve(storeWakeUps({ clock: systemClock, onError })), spreadMs);
  const name = "lateness p99 of 10,000 due jobs";
  const figures: Figure[] = [{ bench: "wake-up", figure: `${name}, store`, value: rounded(own), unit: "ms", against: null, ratio: null }];
  if (!RedisProcess.isInstalled()) {
    console.error("skipped: wake-up by Bull, redis-server is not installed (conformance-tests/interop/peers/stores/install.sh does it)");
    return figures;
  }
  const redis = await RedisProcess.open();
  try {
    const bull = await measure(() => openBull(redis.url, onError), spreadMs);
    const ratio = rounded(own / bull);
    return [...figures, { bench: "wake-up", figure: `${name}, Bull`, value: rounded(bull), unit: "ms", against: "store-scheduler", ratio }];
  } finally {
    await redis.dispose();
  }
}

/** Resolves when Redis is there: what is scheduled before would be woken by the store. */
function openBull(url: string, onError: (error: unknown, what: string) => void): Promise<WakeUpQueue> {
  const address = parseRedisUrl(url);
  if (address === undefined) throw new Error(`no address of a Redis: ${url}`);
  return new Promise((resolve) => {
    const warn = (message: string): void => console.error(message);
    const queue = openBullWakeUps({
      address,
      clock: systemClock,
      log: { warn, info: () => queueMicrotask(() => resolve(queue)) },
      onError,
    });
  });
}

async function measure(open: () => Promise<WakeUpQueue>, spreadMs: number): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "wake-up-bench-"));
  const store = await openEmbeddedStore({ directory, collections: [definition], strictFilters: true });
  const queue = await open();
  try {
    return await lateness(store, queue, spreadMs);
  } finally {
    await queue.close();
    await store.close();
    await rm(directory, { recursive: true });
  }
}

async function lateness(store: Store, queue: WakeUpQueue, spreadMs: number): Promise<number> {
  const jobs = store.collection<Job>(definition);
  const late: number[] = [];
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const wakeUps = queue.open({
    name: "jobs",
    findDue: async (dueUntilMs, limit) =>
      (await jobs.find({ active: true, wakeAt: { $lte: dueUntilMs } }, { sort: { wakeAt: 1 }, limit })).map(({ _id }) => _id),
    findNextDueAt: async () => (await jobs.find({ active: true, wakeAt: { $gte: 0 } }, { sort: { wakeAt: 1 }, limit: 1 }))[0]?.wakeAt,
    onDue: async (key) => {
      const job = await jobs.findOne({ _id: key });
      const nowMs = systemClock.now();
      if (job === undefined || !job.active || job.wakeAt > nowMs) return;
      const { matched } = await jobs.updateOne({ _id: key, active: true }, { $set: { active: false } });
      if (matched === 1) late.push(nowMs - job.wakeAt);
      if (late.length === jobCount) finish();
    },
  });
  const firstAt = systemClock.now() + headStartMs;
  const all = Array.from(
    { length: jobCount },
    (_, n): Job => ({ _id: `job${n}`, active: true, wakeAt: firstAt + Math.floor((n * spreadMs) / jobCount) }),
  );
  await jobs.bulkWrite(all.map((document) => ({ insertOne: { document } })));
  for (const { _id, wakeAt } of all) wakeUps.schedule(_id, wakeAt);
  await finished;
  await wakeUps.close();
  return late.sort((a, b) => a - b)[Math.floor(jobCount * 0.99)] ?? 0;
}
