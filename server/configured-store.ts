/** The store that the settings ask for: the embedded one, or MongoDB as soon as it can be reached. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Log } from "./log.ts";
import type { Settings } from "./settings/config.ts";
import { StartAbandoned } from "./start-error.ts";
import { type CollectionDefinition, StorageUnavailableError } from "./storage/collection.ts";
import { openEmbeddedStore } from "./storage/embedded-store.ts";
import { openMongoStore } from "./storage/mongo/mongo-store.ts";
import type { Store } from "./storage/store.ts";

export interface ConfiguredStoreDeps {
  readonly settings: Pick<Settings, "dataDir" | "mongoUrl" | "mongoPoolSize" | "mongoTimeoutMs">;
  readonly collections: readonly CollectionDefinition[];
  readonly log: Log;
  readonly clock: Clock;
  readonly strict?: boolean;
  /** Ends the waiting. */
  readonly stopAsked?: Promise<unknown>;
  /** Opens what tells the world meanwhile that the server is not ready. */
  readonly openWaitingDoor: (reason: string) => Promise<{ close(): Promise<void> }>;
}

/** Between two tries: a second at first, then twice as long each time. */
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;

/** Rejects with `StoreOpenError` for what somebody has to mend, with `StartAbandoned` when the server is stopped meanwhile. */
export async function openConfiguredStore(deps: ConfiguredStoreDeps): Promise<Store> {
  const { settings, collections, log, strict = false } = deps;
  const shared = {
    directory: settings.dataDir,
    collections,
    strictFilters: strict,
    onWarning: (message: string) => log.warn("store", { detail: message }),
  };
  const { mongoUrl: url, mongoPoolSize: poolSize, mongoTimeoutMs: timeoutMs } = settings;
  if (url === undefined) return openEmbeddedStore(shared);
  return whenReachable(deps, () => openMongoStore({ ...shared, url, poolSize, timeoutMs }));
}

async function whenReachable(deps: ConfiguredStoreDeps, open: () => Promise<Store>): Promise<Store> {
  let door: { close(): Promise<void> } | undefined;
  try {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        const store = await open();
        if (door !== undefined) deps.log.info("the store is there");
        return store;
      } catch (error) {
        if (!(error instanceof StorageUnavailableError)) throw error;
        deps.log.warn("the store cannot be reached, the server waits for it", { detail: error.message, nextTryMs: pauseMs });
        door ??= await deps.openWaitingDoor("the store cannot be reached");
        await pause(deps, pauseMs);
      }
    }
  } finally {
    await door?.close();
  }
}

async function pause({ clock, stopAsked }: ConfiguredStoreDeps, delayMs: number): Promise<void> {
  let cancel = (): void => {};
  const passed = new Promise<"passed">((resolve) => {
    const timer = clock.after(delayMs, () => resolve("passed"));
    cancel = () => timer.cancel();
  });
  const first = stopAsked === undefined ? await passed : await Promise.race([passed, stopAsked]);
  cancel();
  if (first !== "passed") throw new StartAbandoned("stopped while it waited for the store");
}
