/** Bootstrap configurations by endpoint name, in the JSON form they were given in. */
import type { BootstrapConfigs } from "@lwm2m/bootstrap/bootstrap-config";
import { readBootstrapConfig } from "@lwm2m/bootstrap/config-reader";
import type { Collection, CollectionDefinition, Json } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";

export interface StoredBootstrapConfig {
  /** The endpoint name. */
  readonly _id: string;
  /** Secrets included: it leaves the server for the device only. */
  readonly config: Json;
  readonly updatedAt: number;
}

export const bootstrapConfigs: CollectionDefinition = { name: "bootstrapConfigs", indexes: [] };

export class BootstrapConfigStore implements BootstrapConfigs {
  readonly #collection: Collection<StoredBootstrapConfig>;

  constructor(store: Store) {
    this.#collection = store.collection<StoredBootstrapConfig>(bootstrapConfigs);
  }

  /** For the bootstrap server. What is stored was checked when it came in. */
  async find(endpointName: string) {
    const stored = await this.findStored(endpointName);
    if (stored === undefined) return undefined;
    const outcome = readBootstrapConfig(stored.config);
    if (!outcome.ok)
      throw new Error(`the stored bootstrap configuration of ${JSON.stringify(endpointName)} does not fit the rules any more`);
    return outcome.config;
  }

  findStored(endpointName: string): Promise<StoredBootstrapConfig | undefined> {
    return this.#collection.findOne({ _id: endpointName });
  }

  /** By endpoint name, behind `after`. */
  list(after: string, limit: number): Promise<readonly StoredBootstrapConfig[]> {
    return this.#collection.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit });
  }

  /** `true` when there was none before. */
  async put(endpointName: string, config: Json, updatedAt: number): Promise<boolean> {
    const { upserted } = await this.#collection.updateOne({ _id: endpointName }, { $set: { config, updatedAt } }, { upsert: true });
    return upserted;
  }

  async delete(endpointName: string): Promise<boolean> {
    return (await this.#collection.deleteOne({ _id: endpointName })).deleted > 0;
  }
}
