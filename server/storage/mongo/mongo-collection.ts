/** One collection on the server: checks the call as the embedded store does, hands it to the driver, gives back what the port promises. */
import { type AnyBulkWriteOperation, MongoBulkWriteError, type MongoServerError, type Collection as ServerCollection } from "mongodb";
import type {
  BulkOutcome,
  BulkWrite,
  Collection,
  CollectionDefinition,
  Filter,
  FindQuery,
  InsertOutcome,
  InsertSettings,
  StoredDocument,
  Update,
  UpdateOutcome,
  UpdateSettings,
} from "../collection.ts";
import { DuplicateKeyError, StorageUnavailableError } from "../collection.ts";
import { checkDocument, checkFilter, checkFind, checkUpdate, checkUpsert, refuseBeside, storeLimits } from "../guard.ts";
import { isServed, isSortServed } from "../narrowing.ts";
import type { OnUnserved } from "../unserved-queries.ts";
import { filterToBson, fromBson, toBson, updateToBson } from "./bson-document.ts";
import { checkIndexedUpdate } from "./indexed-update.ts";
import { behind } from "./keyset.ts";
import { causeOf, indexOfDuplicate, isDuplicateKey, isDuplicateWrite, isRefusal } from "./mongo-failure.ts";
import { declaredIndex } from "./mongo-indexes.ts";
import type { MongoLink } from "./mongo-link.ts";

export interface ServerDocument {
  readonly _id: string;
  readonly [field: string]: unknown;
}

export interface MongoCollectionParts {
  readonly definition: CollectionDefinition;
  readonly collection: ServerCollection<ServerDocument>;
  readonly link: MongoLink;
  readonly onUnserved: OnUnserved;
}

/** A count stops here when the caller names no cap. */
const usualCap = 1_000_000;
/** Two upserts of one document at once: the server may refuse one of them, which then finds the document there. */
const upsertTries = 3;

export class MongoCollection<T extends StoredDocument> implements Collection<T> {
  readonly name: string;
  readonly #definition: CollectionDefinition;
  readonly #collection: ServerCollection<ServerDocument>;
  readonly #link: MongoLink;
  readonly #onUnserved: OnUnserved;

  constructor({ definition, collection, link, onUnserved }: MongoCollectionParts) {
    this.name = definition.name;
    this.#definition = definition;
    this.#collection = collection;
    this.#link = link;
    this.#onUnserved = onUnserved;
  }

  async findOne(filter: Filter): Promise<T | undefined> {
    const [found] = await this.find(filter, { limit: 1 });
    return found;
  }

  async find(filter: Filter, query: FindQuery = {}): Promise<readonly T[]> {
    checkFind(this.name, query);
    const [sort, direction] = Object.entries(query.sort ?? {})[0] ?? ["_id", 1];
    const { after, limit = storeLimits.usualDocuments } = query;
    const own = this.#checked(filter);
    if (!isSortServed(this.#definition, filter, sort)) this.#onUnserved(this.name, `sorted by ${sort}`);
    const whole = after === undefined ? own : { $and: [own, filterToBson(behind(sort, direction, after))] };
    const order = sort === "_id" ? { _id: direction } : { [sort]: direction, _id: direction };
    const found = await this.#link.ask(() => this.#collection.find(whole).sort(order).limit(limit).batchSize(limit).toArray());
    return found.map((document) => this.#read(document));
  }

  async count(filter: Filter, cap: number = usualCap): Promise<number> {
    if (!Number.isInteger(cap) || cap < 1) throw new Error(`count on ${this.name}: cap ${cap}`);
    const own = this.#checked(filter);
    return this.#link.ask(() => this.#collection.countDocuments(own, { limit: cap }));
  }

  async insertOne(document: T, settings: InsertSettings = {}): Promise<InsertOutcome> {
    refuseBeside(this.name, settings);
    checkDocument(this.#definition, document);
    const written = this.#written(document);
    try {
      await this.#link.ask(() => this.#collection.insertOne(written));
      return { ok: true };
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return { ok: false, reason: "duplicate-key", index: await this.#indexTaken(error, document._id) };
    }
  }

  async updateOne(filter: Filter, update: Update, settings: UpdateSettings = {}): Promise<UpdateOutcome> {
    refuseBeside(this.name, settings);
    const upsert = settings.upsert === true;
    const [own, change] = this.#updating(filter, update, upsert);
    const outcome = await this.#retrying(filter, upsert, () => this.#collection.updateOne(own, change, { upsert }));
    return { matched: outcome.matchedCount, upserted: outcome.upsertedCount > 0 };
  }

  async findOneAndUpdate(filter: Filter, update: Update, settings: UpdateSettings = {}): Promise<T | undefined> {
    refuseBeside(this.name, settings);
    const upsert = settings.upsert === true;
    const [own, change] = this.#updating(filter, update, upsert);
    const found = await this.#retrying(filter, upsert, () =>
      this.#collection.findOneAndUpdate(own, change, { upsert, returnDocument: "after" }),
    );
    return found === null ? undefined : this.#read(found);
  }

  async bulkWrite(writes: readonly BulkWrite<T>[]): Promise<BulkOutcome> {
    if (writes.length === 0) return { failed: [], matched: 0 };
    const operations = writes.map((write) => this.#operation(write));
    try {
      const { matchedCount, deletedCount } = await this.#link.ask(() => this.#bulk(operations));
      return { failed: [], matched: matchedCount + deletedCount };
    } catch (error) {
      if (error instanceof PartialBulkError) return error.outcome;
      throw error;
    }
  }

  async deleteOne(filter: Filter): Promise<{ readonly deleted: number }> {
    const own = this.#checked(filter);
    return { deleted: (await this.#link.ask(() => this.#collection.deleteOne(own))).deletedCount };
  }

  async deleteMany(filter: Filter): Promise<{ readonly deleted: number }> {
    const own = this.#checked(filter);
    return { deleted: (await this.#link.ask(() => this.#collection.deleteMany(own))).deletedCount };
  }

  #operation(write: BulkWrite<T>): AnyBulkWriteOperation<ServerDocument> {
    if ("insertOne" in write) {
      checkDocument(this.#definition, write.insertOne.document);
      return { insertOne: { document: this.#written(write.insertOne.document) } };
    }
    if ("deleteOne" in write) return { deleteOne: { filter: this.#checked(write.deleteOne.filter) } };
    refuseBeside(this.name, write.updateOne);
    const upsert = write.updateOne.upsert === true;
    const [filter, update] = this.#updating(write.updateOne.filter, write.updateOne.update, upsert);
    return { updateOne: { filter, update, upsert } };
  }

  async #bulk(operations: readonly AnyBulkWriteOperation<ServerDocument>[]) {
    try {
      return await this.#collection.bulkWrite([...operations], { ordered: false });
    } catch (error) {
      throw error instanceof MongoBulkWriteError ? bulkFailure(error) : error;
    }
  }

  async #retrying<R>(filter: Filter, upsert: boolean, work: () => Promise<R>): Promise<R> {
    for (let left = upsert && Object.keys(filter).length === 1 ? upsertTries : 1; ; left--) {
      try {
        return await this.#link.ask(work);
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        const id = typeof filter["_id"] === "string" ? filter["_id"] : undefined;
        const index = await this.#indexTaken(error, upsert ? id : undefined);
        if (index !== "_id" || left <= 1) throw new DuplicateKeyError(this.name, index);
      }
    }
  }

  /** Several keys may be taken at once, and the server names any of them: `_id` goes first. */
  async #indexTaken(error: MongoServerError, id: string | undefined): Promise<string> {
    if (id !== undefined && (await this.#link.ask(() => this.#collection.findOne({ _id: id }, { projection: { _id: 1 } }))) !== null) {
      return "_id";
    }
    const named = declaredIndex(this.#definition, indexOfDuplicate(error) ?? "");
    const unique = this.#definition.indexes.filter((index) => index.unique === true);
    return named ?? unique[0]?.name ?? "_id";
  }

  #updating(filter: Filter, update: Update, upsert: boolean) {
    checkUpdate(this.name, update);
    checkIndexedUpdate(this.#definition, update);
    if (upsert) checkUpsert(this.name, filter);
    return [this.#checked(filter), updateToBson(update)] as const;
  }

  #checked(filter: Filter): { [path: string]: unknown } {
    checkFilter(this.name, filter);
    if (!isServed(this.#definition, filter)) this.#onUnserved(this.name, `filtered by ${Object.keys(filter).join(", ")}`);
    return filterToBson(filter);
  }

  /** With the `_id` it had: a name is all that changes. */
  #written(document: T): ServerDocument {
    return { ...toBson(document), _id: document._id };
  }

  /** Nobody else writes documents of this collection. */
  #read(document: object): T {
    return fromBson(document) as T;
  }
}

/** Some writes of a bulk met a taken key; the others applied. Thrown through the link as an answer. */
class PartialBulkError extends Error {
  readonly outcome: BulkOutcome;

  constructor(outcome: BulkOutcome) {
    super("some writes of the bulk met a taken key");
    this.outcome = outcome;
  }
}

function bulkFailure(error: MongoBulkWriteError): Error {
  const failures = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  const others = failures.filter(({ code, errmsg }) => !isDuplicateWrite({ code, message: errmsg }));
  const [other] = others;
  if (other !== undefined && others.every(({ code }) => isRefusal(code))) {
    return new Error(`write ${other.index} of the bulk: ${other.errmsg}`);
  }
  // A write concern that was not met, or a server that failed in the middle: nobody knows what is durable.
  if (other !== undefined || failures.length === 0 || error.result.getWriteConcernError() !== undefined)
    return new StorageUnavailableError(causeOf(error));
  const positions = failures.map(({ index }) => index).sort((a, b) => a - b);
  return new PartialBulkError({
    failed: positions.map((position) => ({ position, reason: "duplicate-key" })),
    matched: error.matchedCount + error.deletedCount,
  });
}
