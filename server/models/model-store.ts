import type { BulkWrite, Collection, CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { StoredModel } from "./model.ts";

export const modelCollection: CollectionDefinition = { name: "models", indexes: [] };

const pageSize = 1_000;

export class ModelStore {
  readonly #models: Collection<StoredModel>;

  constructor(store: Store) {
    this.#models = store.collection<StoredModel>(modelCollection);
  }

  async *all(): AsyncGenerator<StoredModel> {
    let after = "";
    for (;;) {
      const page = await this.#models.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  /** One document each: a crash in between leaves whole models, and the same upload again leaves all of them. */
  async put(models: readonly StoredModel[]): Promise<void> {
    await this.#models.bulkWrite(models.map(replacement));
  }

  async delete(id: string): Promise<void> {
    await this.#models.deleteOne({ _id: id });
  }
}

function replacement({ _id, createdAt, createdBy, ...facts }: StoredModel): BulkWrite<StoredModel> {
  return { updateOne: { filter: { _id }, update: { $set: facts, $setOnInsert: { createdAt, createdBy } }, upsert: true } };
}
