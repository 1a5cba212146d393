/** Bootstrap configurations by endpoint name, in the JSON form they were given in; what the form keeps secret is sealed. */
import type { BootstrapConfigs } from "@lwm2m/bootstrap/bootstrap-config";
import { readBootstrapConfig } from "@lwm2m/bootstrap/config-reader";
import { clearTextCollection, openFields, type Sealed, sealedByIndex, sealFields } from "../security/sealed-documents.ts";
import type { SecretBox } from "../security/secret-box.ts";
import type { Collection, CollectionDefinition, Json, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { apart, together } from "./config-secrets.ts";

export interface StoredBootstrapConfig extends Sealed {
  /** The endpoint name. */
  readonly _id: string;
  /** Without secrets. */
  readonly config: Json;
  readonly updatedAt: number;
}

export const bootstrapConfigs: CollectionDefinition = { name: "bootstrapConfigs", indexes: [sealedByIndex] };

const pageSize = 500;
/** There from before the first secret is sealed that stood in the clear until nothing of it is left. */
const clearTextId = "bootstrapConfigs";

/** Seals what an earlier version stored in the clear, and has what is left of it erased. A crash in between leaves the rest for the next start. */
export async function openBootstrapConfigStore(store: Store, box: SecretBox): Promise<BootstrapConfigStore> {
  const collection = store.collection<StoredBootstrapConfig>(bootstrapConfigs);
  const clearText = store.collection<StoredDocument>(clearTextCollection);
  if ((await collection.count(stillPlain, 1)) > 0)
    await clearText.updateOne({ _id: clearTextId }, { $set: { found: true } }, { upsert: true });
  if ((await clearText.findOne({ _id: clearTextId })) !== undefined) {
    await sealPlain(collection, box);
    await store.eraseLeftovers?.();
    await clearText.deleteOne({ _id: clearTextId });
  }
  return new BootstrapConfigStore(collection, box);
}

const stillPlain = { sealedBy: { $exists: false } } as const;

async function sealPlain(collection: Collection<StoredBootstrapConfig>, box: SecretBox): Promise<void> {
  for (;;) {
    const plain = await collection.find(stillPlain, { limit: pageSize });
    if (plain.length === 0) return;
    await collection.bulkWrite(
      plain.map(({ _id, config }) => ({
        updateOne: { filter: { _id, ...stillPlain }, update: { $set: { ...sealedConfig(box, _id, config) } } },
      })),
    );
  }
}

export class BootstrapConfigStore implements BootstrapConfigs {
  readonly #collection: Collection<StoredBootstrapConfig>;
  readonly #box: SecretBox;

  constructor(collection: Collection<StoredBootstrapConfig>, box: SecretBox) {
    this.#collection = collection;
    this.#box = box;
  }

  /** For the bootstrap server. What is stored was checked when it came in. */
  async find(endpointName: string) {
    const stored = await this.findStored(endpointName);
    if (stored === undefined) return undefined;
    const outcome = readBootstrapConfig(together(stored.config, openFields(this.#box, bootstrapConfigs, stored)));
    if (!outcome.ok)
      throw new Error(`the stored bootstrap configuration of ${JSON.stringify(endpointName)} does not fit the rules any more`);
    return outcome.config;
  }

  /** Without secrets. */
  findStored(endpointName: string): Promise<StoredBootstrapConfig | undefined> {
    return this.#collection.findOne({ _id: endpointName });
  }

  /** By endpoint name, behind `after`; without secrets. */
  list(after: string, limit: number): Promise<readonly StoredBootstrapConfig[]> {
    return this.#collection.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit });
  }

  /** `true` when there was none before. `config` was checked by `readBootstrapConfig`. */
  async put(endpointName: string, config: Json, updatedAt: number): Promise<boolean> {
    const $set = { ...sealedConfig(this.#box, endpointName, config), updatedAt };
    const { upserted } = await this.#collection.updateOne({ _id: endpointName }, { $set }, { upsert: true });
    return upserted;
  }

  async delete(endpointName: string): Promise<boolean> {
    return (await this.#collection.deleteOne({ _id: endpointName })).deleted > 0;
  }
}

function sealedConfig(box: SecretBox, endpointName: string, whole: Json): { readonly config: Json } & Sealed {
  const { config, secrets } = apart(whole);
  return { config, ...sealFields(box, bootstrapConfigs, endpointName, secrets) };
}
