/** The store that the settings ask for: the embedded one, or MongoDB as soon as it can be reached. */
import type { Log } from "./log.ts";
import type { Settings } from "./settings/config.ts";
import { type CollectionDefinition, StorageUnavailableError } from "./storage/collection.ts";
import { openEmbeddedStore } from "./storage/embedded-store.ts";
import { openMongoStore } from "./storage/mongo/mongo-store.ts";
import type { Store } from "./storage/store.ts";
import type { StoreWait } from "./store-wait.ts";

export interface ConfiguredStoreDeps {
  readonly settings: Pick<Settings, "dataDir" | "mongoUrl" | "mongoPoolSize" | "mongoTimeoutMs">;
  readonly collections: readonly CollectionDefinition[];
  readonly log: Log;
  readonly strict?: boolean;
  readonly wait: Pick<StoreWait, "pause">;
}

/** Rejects with `StoreOpenError` for what somebody has to mend, with `StartAbandoned` when the server is stopped meanwhile. */
export async function openConfiguredStore(deps: ConfiguredStoreDeps): Promise<Store> {
  const { settings, collections, log, strict = false, wait } = deps;
  const shared = {
    directory: settings.dataDir,
    collections,
    strictFilters: strict,
    onWarning: (message: string) => log.warn("store", { detail: message }),
  };
  const { mongoUrl: url, mongoPoolSize: poolSize, mongoTimeoutMs: timeoutMs } = settings;
  if (url === undefined) return openEmbeddedStore(shared);
  for (;;) {
    try {
      return await openMongoStore({ ...shared, url, poolSize, timeoutMs });
    } catch (error) {
      if (!(error instanceof StorageUnavailableError)) throw error;
      await wait.pause("the store cannot be reached", error);
    }
  }
}
