/**
 * A collection on a server that falls short of MongoDB: where updates may overlap, writes go one at a time; unique keys it
 * does not guard are looked up before each write; updates it would misread are worked out here and written as plain fields.
 * Right for one server process on the database, not for several.
 */
import { isDeepStrictEqual } from "node:util";
import type {
  BulkOutcome,
  BulkWrite,
  Collection,
  Filter,
  FindQuery,
  IndexDefinition,
  InsertOutcome,
  InsertSettings,
  StoredDocument,
  Update,
  UpdateOutcome,
  UpdateSettings,
} from "../collection.ts";
import { DuplicateKeyError } from "../collection.ts";
import { isRecord } from "../document-path.ts";
import { applyUpdate, seedOfUpsert } from "../updater.ts";
import type { OneAtATime } from "./one-at-a-time.ts";
import { type FindOther, findCollision } from "./unique-keys.ts";

/** No field has this name. */
const nowhere = "nothing-to-change";

export class CarefulCollection<T extends StoredDocument> implements Collection<T> {
  readonly name: string;
  readonly #inner: Collection<T>;
  readonly #turns: OneAtATime;
  readonly #unguarded: readonly IndexDefinition[];
  readonly #findOther: FindOther;

  constructor(inner: Collection<T>, turns: OneAtATime, unguarded: readonly IndexDefinition[]) {
    this.name = inner.name;
    this.#inner = inner;
    this.#turns = turns;
    this.#unguarded = unguarded;
    this.#findOther = async (filter) => (await inner.findOne(filter)) !== undefined;
  }

  findOne(filter: Filter): Promise<T | undefined> {
    return this.#inner.findOne(filter);
  }

  find(filter: Filter, query?: FindQuery): Promise<readonly T[]> {
    return this.#inner.find(filter, query);
  }

  count(filter: Filter, cap?: number): Promise<number> {
    return this.#inner.count(filter, cap);
  }

  insertOne(document: T, settings?: InsertSettings): Promise<InsertOutcome> {
    return this.#turns.run(() => this.#insert(document, settings));
  }

  updateOne(filter: Filter, update: Update, settings: UpdateSettings = {}): Promise<UpdateOutcome> {
    return this.#turns.run(() => this.#update(filter, update, settings));
  }

  findOneAndUpdate(filter: Filter, update: Update, settings: UpdateSettings = {}): Promise<T | undefined> {
    return this.#turns.run(async () => this.#inner.findOneAndUpdate(...(await this.#prepared(filter, update, settings)), settings));
  }

  bulkWrite(writes: readonly BulkWrite<T>[]): Promise<BulkOutcome> {
    const isPlain = this.#unguarded.length === 0 && !writes.some((write) => "updateOne" in write && isMisread(write.updateOne.update));
    return this.#turns.run(() => (isPlain ? this.#inner.bulkWrite(writes) : this.#bulk(writes)));
  }

  deleteOne(filter: Filter): Promise<{ readonly deleted: number }> {
    return this.#turns.run(() => this.#inner.deleteOne(filter));
  }

  deleteMany(filter: Filter): Promise<{ readonly deleted: number }> {
    return this.#turns.run(() => this.#inner.deleteMany(filter));
  }

  async #insert(document: T, settings?: InsertSettings): Promise<InsertOutcome> {
    const index = await findCollision(document, this.#unguarded, this.#findOther);
    // The server names `_id` first where that is taken as well.
    if (index === undefined || (await this.#findOther({ _id: document._id }))) return this.#inner.insertOne(document, settings);
    return { ok: false, reason: "duplicate-key", index };
  }

  async #update(filter: Filter, update: Update, settings: UpdateSettings): Promise<UpdateOutcome> {
    return this.#inner.updateOne(...(await this.#prepared(filter, update, settings)), settings);
  }

  /** The filter of the one document the update will meet, once its keys are known to be free, and the update as the server reads it. */
  async #prepared(filter: Filter, update: Update, { upsert = false }: UpdateSettings): Promise<readonly [Filter, Update]> {
    const misread = isMisread(update);
    if (this.#unguarded.length === 0 && !misread) return [filter, update];
    const found = await this.#inner.findOne(filter);
    if (found === undefined && !upsert) return [filter, update];
    const before: Fields = Object.assign(seedOfUpsert(found === undefined ? filter : {}), found);
    const after = structuredClone(before);
    // It uses up the update it is given.
    applyUpdate(after, structuredClone(update), found === undefined);
    const id = String(after["_id"]);
    const index = await findCollision({ ...after, _id: id }, this.#unguarded, this.#findOther);
    if (index !== undefined && !(found === undefined && (await this.#findOther({ _id: id }))))
      throw new DuplicateKeyError(this.name, index);
    return [found === undefined ? filter : { ...filter, _id: id }, misread ? difference(before, after) : update];
  }

  async #bulk(writes: readonly BulkWrite<T>[]): Promise<BulkOutcome> {
    const failed: { position: number; reason: "duplicate-key" }[] = [];
    let matched = 0;
    let refusal: unknown;
    for (const [position, write] of writes.entries()) {
      try {
        const outcome = await this.#apply(write);
        if (outcome === "duplicate-key") failed.push({ position, reason: outcome });
        else matched += outcome;
      } catch (error) {
        if (error instanceof Error && error.name === "StorageUnavailableError") throw error;
        refusal ??= error;
      }
    }
    if (refusal !== undefined) throw refusal;
    return { failed, matched };
  }

  async #apply(write: BulkWrite<T>): Promise<number | "duplicate-key"> {
    if ("insertOne" in write) return (await this.#insert(write.insertOne.document)).ok ? 0 : "duplicate-key";
    if ("deleteOne" in write) return (await this.#inner.deleteOne(write.deleteOne.filter)).deleted;
    const { filter, update, ...settings } = write.updateOne;
    try {
      return (await this.#update(filter, update, settings)).matched;
    } catch (error) {
      if (error instanceof DuplicateKeyError) return "duplicate-key";
      throw error;
    }
  }
}

type Fields = { [field: string]: unknown };

/** FerretDB 1.24 takes these and does something else, without a word: `$slice`, `$each` of nothing, `$pull` by condition, `$unset` of an element. */
function isMisread({ $push = {}, $pull = {}, $unset = {} }: Update): boolean {
  return (
    Object.values($push).some((value) => isRecord(value) && ("$slice" in value || isEmptyList(value["$each"]))) ||
    Object.values($pull).some(isRecord) ||
    Object.keys($unset).some((path) => /\.\d+$/.test(path))
  );
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** The update that makes one document of the other; where nothing differs, a name is taken away that no document has. */
function difference(before: Fields, after: Fields): Update {
  const changed = Object.entries(after).filter(([name, value]) => name !== "_id" && !isDeepStrictEqual(value, before[name]));
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  if (changed.length === 0 && gone.length === 0) return { $unset: { [nowhere]: true } };
  return {
    ...(changed.length === 0 ? {} : { $set: Object.fromEntries(changed) }),
    ...(gone.length === 0 ? {} : { $unset: Object.fromEntries(gone.map((name) => [name, true])) }),
  };
}
