/** A store that forgets everything when it closes: what a flow costs without a disk. For benches only; it does what the server asks of a store. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBlobFiles } from "../storage/blob-files.ts";
import {
  type BulkOutcome,
  type BulkWrite,
  type Collection,
  type CollectionDefinition,
  DuplicateKeyError,
  type Filter,
  type FindQuery,
  type InsertOutcome,
  type StoredDocument,
  type Update,
  type UpdateOutcome,
} from "../storage/collection.ts";
import { reach } from "../storage/document-path.ts";
import { downsampleByPages } from "../storage/downsample.ts";
import { compileFilter } from "../storage/matcher.ts";
import type { Store, TelemetryPoint, TelemetryStore } from "../storage/store.ts";
import { applyUpdate, seedOfUpsert } from "../storage/updater.ts";

export async function openMemoryStore(definitions: readonly CollectionDefinition[]): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), "memory-store-"));
  const blobs = await openBlobFiles(directory);
  const collections = new Map(definitions.map((definition) => [definition.name, new MemoryCollection(definition)]));
  return {
    collection<T extends StoredDocument>({ name }: CollectionDefinition): Collection<T> {
      const collection = collections.get(name);
      if (collection === undefined) throw new Error(`the store was opened without the collection ${name}`);
      // A collection's documents are of one type, by the feature that declares it.
      return collection as unknown as Collection<T>;
    },
    blobs,
    telemetry: memoryTelemetry(),
    probe: async () => {},
    close: async () => {
      await blobs.close();
      await rm(directory, { recursive: true });
    },
  };
}

class MemoryCollection implements Collection<StoredDocument> {
  readonly name: string;
  readonly #documents = new Map<string, StoredDocument>();
  /** In order while `#isSorted`. */
  #ids: string[] = [];
  #isSorted = true;
  /** Of each unique index, the ids by key; documents without the field are not in it. */
  readonly #unique: readonly { readonly name: string; readonly field: string; readonly ids: Map<unknown, string> }[];

  constructor(definition: CollectionDefinition) {
    this.name = definition.name;
    this.#unique = definition.indexes
      .filter(({ unique }) => unique === true)
      .map(({ name, fields: [field = ""] }) => ({ name, field, ids: new Map() }));
  }

  async findOne(filter: Filter): Promise<StoredDocument | undefined> {
    return this.#first(filter);
  }

  async find(filter: Filter, { sort = { _id: 1 }, limit = 100, after }: FindQuery = {}): Promise<readonly StoredDocument[]> {
    const [[field, direction] = ["_id", 1]] = Object.entries(sort);
    const found: StoredDocument[] = [];
    for (const document of this.#matching(filter, field === "_id" && direction === -1)) {
      if (field === "_id" && after !== undefined && (document._id > after.id ? 1 : -1) * direction <= 0) continue;
      found.push(document);
      if (field === "_id" && found.length === limit) break;
    }
    if (field === "_id") return found;
    if (after !== undefined) throw new Error("pages by another field than _id are not needed in a bench");
    return found.sort((a, b) => (Number(valueAt(a, field)) - Number(valueAt(b, field))) * direction).slice(0, limit);
  }

  async count(filter: Filter, cap = Number.POSITIVE_INFINITY): Promise<number> {
    let count = 0;
    for (const _ of this.#matching(filter)) if (++count >= cap) break;
    return count;
  }

  async insertOne(document: StoredDocument): Promise<InsertOutcome> {
    const index = this.#documents.has(document._id) ? "_id" : this.#collisionOf(document);
    if (index !== undefined) return { ok: false, reason: "duplicate-key", index };
    this.#keep(document);
    return { ok: true };
  }

  async updateOne(filter: Filter, update: Update, { upsert = false } = {}): Promise<UpdateOutcome> {
    const found = this.#first(filter) !== undefined;
    this.#update(filter, update, upsert);
    return { matched: found ? 1 : 0, upserted: !found && upsert };
  }

  async findOneAndUpdate(filter: Filter, update: Update, { upsert = false } = {}): Promise<StoredDocument | undefined> {
    return this.#update(filter, update, upsert);
  }

  async bulkWrite(writes: readonly BulkWrite[]): Promise<BulkOutcome> {
    const failed: { position: number; reason: "duplicate-key" }[] = [];
    let matched = 0;
    for (const [position, write] of writes.entries()) {
      if ("deleteOne" in write) matched += (await this.deleteOne(write.deleteOne.filter)).deleted;
      else if ("updateOne" in write)
        matched += (await this.updateOne(write.updateOne.filter, write.updateOne.update, write.updateOne)).matched;
      else if (!(await this.insertOne(write.insertOne.document)).ok) failed.push({ position, reason: "duplicate-key" });
    }
    return { failed, matched };
  }

  async deleteOne(filter: Filter): Promise<{ readonly deleted: number }> {
    const document = this.#first(filter);
    if (document !== undefined) this.#drop([document]);
    return { deleted: document === undefined ? 0 : 1 };
  }

  async deleteMany(filter: Filter): Promise<{ readonly deleted: number }> {
    const documents = [...this.#matching(filter)];
    this.#drop(documents);
    return { deleted: documents.length };
  }

  #first(filter: Filter): StoredDocument | undefined {
    for (const document of this.#matching(filter)) return document;
    return undefined;
  }

  *#matching(filter: Filter, descending = false): Generator<StoredDocument> {
    const test = compileFilter(filter);
    for (const id of this.#candidates(filter, descending)) {
      const document = this.#documents.get(id);
      if (document !== undefined && test(document)) yield document;
    }
  }

  *#candidates(filter: Filter, descending: boolean): Generator<string> {
    const id = filter["_id"];
    if (typeof id === "string") return yield id;
    if (typeof id === "object" && id !== null && "$in" in id && Array.isArray(id.$in)) return yield* [...id.$in].sort();
    const index = this.#unique.find(({ field }) => typeof filter[field] === "string");
    if (index !== undefined) return yield index.ids.get(filter[index.field]) ?? "";
    if (!this.#isSorted) this.#ids.sort();
    this.#isSorted = true;
    const ids = this.#ids;
    for (let i = 0; i < ids.length; i++) yield ids[descending ? ids.length - 1 - i : i] ?? "";
  }

  #update(filter: Filter, update: Update, upsert: boolean): StoredDocument | undefined {
    const former = this.#first(filter);
    if (former === undefined && !upsert) return undefined;
    const document = former === undefined ? seedOfUpsert(filter) : JSON.parse(JSON.stringify(former));
    applyUpdate(document, update, former === undefined);
    const index = this.#collisionOf(document);
    if (index !== undefined) throw new DuplicateKeyError(this.name, index);
    this.#keep(document, former);
    return document;
  }

  /** Another document with the same key, by the name of the index. */
  #collisionOf(document: StoredDocument): string | undefined {
    return this.#unique.find(({ field, ids }) => (ids.get(valueAt(document, field)) ?? document._id) !== document._id)?.name;
  }

  #keep(document: StoredDocument, former?: StoredDocument): void {
    for (const { field, ids } of this.#unique) {
      const [now, before] = [valueAt(document, field), former === undefined ? undefined : valueAt(former, field)];
      if (before !== undefined && before !== now) ids.delete(before);
      if (now !== undefined && now !== null) ids.set(now, document._id);
    }
    this.#documents.set(document._id, document);
    if (former !== undefined) return;
    if (document._id < (this.#ids.at(-1) ?? "")) this.#isSorted = false;
    this.#ids.push(document._id);
  }

  #drop(documents: readonly StoredDocument[]): void {
    if (documents.length === 0) return;
    for (const document of documents) {
      this.#documents.delete(document._id);
      for (const { field, ids } of this.#unique) ids.delete(valueAt(document, field));
    }
    this.#ids = this.#ids.filter((id) => this.#documents.has(id));
  }
}

function valueAt(document: StoredDocument, path: string): unknown {
  const reached = reach(document, path);
  return reached.kind === "value" ? reached.value : undefined;
}

function memoryTelemetry(): TelemetryStore {
  const series = new Map<string, Map<number, TelemetryPoint>>();
  const keyOf = ({ endpoint, path }: Pick<TelemetryPoint, "endpoint" | "path">): string => JSON.stringify([endpoint, path]);
  const range: TelemetryStore["range"] = async (query) =>
    [...(series.get(keyOf(query))?.values() ?? [])]
      .filter(({ timeMs }) => timeMs >= query.fromMs && timeMs < query.toMs)
      .sort((a, b) => a.timeMs - b.timeMs)
      .slice(0, query.limit);
  return {
    append: async (points) => {
      for (const point of points) {
        const key = keyOf(point);
        const known = series.get(key) ?? new Map<number, TelemetryPoint>();
        series.set(key, known.set(point.timeMs, point));
      }
    },
    range,
    downsample: (query) => downsampleByPages(range, query),
    series: async () => {
      throw new Error("nobody lists series in a bench");
    },
  };
}
