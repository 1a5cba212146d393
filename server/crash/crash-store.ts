/** What a crash run stands on: the store the server is given, how it is read after a death, and what else can be killed. */
import { basename } from "node:path";
import { collections } from "../collections.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { openMongoStore } from "../storage/mongo/mongo-store.ts";
import type { Store } from "../storage/store.ts";
import { FerretProcess } from "../testing/platform/ferretdb-process.ts";
import { RedisProcess } from "../testing/platform/redis-process.ts";

export interface CrashStore {
  /** Settings of the server besides its data directory. */
  readonly settings: { readonly [variable: string]: string };
  /** Processes the server needs; killed and started again by the run. */
  readonly engines: readonly CrashEngine[];
  /** The server must not run. */
  open(): Promise<Store & { readonly verify?: () => Promise<readonly string[]> }>;
  dispose(): Promise<void>;
}

export interface CrashEngine {
  readonly name: string;
  /** kill -9 */
  kill(): Promise<void>;
  /** Over what it left behind. */
  start(): Promise<void>;
}

export function embeddedCrashStore(directory: string): CrashStore {
  return { settings: {}, engines: [], open: () => openEmbeddedStore({ directory, collections }), dispose: async () => {} };
}

/** For a call that waits for FerretDB; the kills of a round are shorter apart. */
const timeoutMs = 2_000;

/** On FerretDB and Redis (append-only file), started for this run. */
export async function mongoCrashStore(directory: string): Promise<CrashStore> {
  const redis = await RedisProcess.open();
  const ferret = await FerretProcess.open();
  const url = ferret.url(basename(directory));
  return {
    settings: { MONGO_URL: url, REDIS_URL: redis.url, MONGO_TIMEOUT_MS: String(timeoutMs), PROCESS_LEASE_SECONDS: "2" },
    engines: [
      { name: "FerretDB", kill: () => ferret.kill(), start: () => ferret.start() },
      { name: "Redis", kill: () => redis.kill(), start: () => redis.start() },
    ],
    open: () => openMongoStore({ url, directory, collections, poolSize: 4, timeoutMs: 10_000 }),
    dispose: async () => {
      await ferret.dispose();
      await redis.dispose();
    },
  };
}
