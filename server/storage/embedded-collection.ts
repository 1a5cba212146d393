/** The main thread's side of one collection: checks the call, sends it to the worker, parses what comes back. */
import type {
  Beside,
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
} from "./collection.ts";
import { DuplicateKeyError } from "./collection.ts";
import { textOfPoints } from "./embedded-telemetry.ts";
import { checkDocument, checkFilter, checkFind, checkUpdate, checkUpsert, storeLimits } from "./guard.ts";
import { keysOf } from "./key-columns.ts";
import { isServed, isSortServed } from "./narrowing.ts";
import type { InsertRequest, StoreRequest, WriteRequest } from "./requests.ts";
import type { OnUnserved } from "./unserved-queries.ts";
import type { WorkerLink } from "./worker-link.ts";

/** A count stops here when the caller names no cap. */
const usualCap = 1_000_000;
const byId = { _id: 1 } as const;

export interface EmbeddedCollectionParts {
  readonly definition: CollectionDefinition;
  readonly link: WorkerLink;
  readonly onUnserved: OnUnserved;
  /** Any collection of the store by name; throws where there is none. */
  readonly sibling: (name: string) => EmbeddedCollection<StoredDocument>;
}

export class EmbeddedCollection<T extends StoredDocument> implements Collection<T> {
  readonly name: string;
  readonly #definition: CollectionDefinition;
  readonly #link: WorkerLink;
  readonly #onUnserved: OnUnserved;
  readonly #sibling: (name: string) => EmbeddedCollection<StoredDocument>;

  constructor({ definition, link, onUnserved, sibling }: EmbeddedCollectionParts) {
    this.name = definition.name;
    this.#definition = definition;
    this.#link = link;
    this.#onUnserved = onUnserved;
    this.#sibling = sibling;
  }

  findOne(filter: Filter): Promise<T | undefined> {
    return this.#link.ask(
      () => this.#finding(filter, { limit: 1 }),
      // The texts in the store are documents of this collection: nobody else writes there.
      (text) => (JSON.parse(text) as T[])[0],
    );
  }

  find(filter: Filter, query: FindQuery = {}): Promise<readonly T[]> {
    return this.#link.ask(
      () => this.#finding(filter, query),
      (text) => JSON.parse(text) as T[],
    );
  }

  count(filter: Filter, cap: number = usualCap): Promise<number> {
    return this.#link.ask(() => {
      if (!Number.isInteger(cap) || cap < 1) throw new Error(`count on ${this.name}: cap ${cap}`);
      return { op: "count", collection: this.name, filter: this.#checked(filter), cap };
    }, Number);
  }

  insertOne(document: T, { beside }: InsertSettings = {}): Promise<InsertOutcome> {
    return this.#link.ask<InsertOutcome>(
      () => ({ ...this.#insertion(document), ...this.#besides(beside) }),
      () => ({ ok: true }),
      (index) => ({ ok: false, reason: "duplicate-key", index }),
    );
  }

  updateOne(filter: Filter, update: Update, settings: UpdateSettings = {}): Promise<UpdateOutcome> {
    return this.#link.ask<UpdateOutcome>(() => this.#updating(filter, update, settings, false), JSON.parse, this.#refuse);
  }

  findOneAndUpdate(filter: Filter, update: Update, settings: UpdateSettings = {}): Promise<T | undefined> {
    return this.#link.ask(
      () => this.#updating(filter, update, settings, true),
      (text) => (JSON.parse(text) as T | null) ?? undefined,
      this.#refuse,
    );
  }

  async bulkWrite(writes: readonly BulkWrite<T>[]): Promise<BulkOutcome> {
    if (writes.length === 0) return { failed: [], matched: 0 };
    const requests = writes.map((write) => {
      if ("insertOne" in write) return this.#insertion(write.insertOne.document);
      if ("deleteOne" in write) return this.#deletion(write.deleteOne.filter, false);
      const { filter, update, ...settings } = write.updateOne;
      return this.#updating(filter, update, settings, false);
    });
    return this.#link.ask<BulkOutcome>(() => ({ op: "bulk", writes: requests }), JSON.parse);
  }

  deleteOne(filter: Filter): Promise<{ readonly deleted: number }> {
    return this.#link.ask<{ deleted: number }>(() => this.#deletion(filter, false), JSON.parse);
  }

  deleteMany(filter: Filter): Promise<{ readonly deleted: number }> {
    return this.#link.ask<{ deleted: number }>(() => this.#deletion(filter, true), JSON.parse);
  }

  readonly #refuse = (index: string): never => {
    throw new DuplicateKeyError(this.name, index);
  };

  #finding(filter: Filter, query: FindQuery): StoreRequest {
    checkFind(this.name, query);
    const [sort, direction] = Object.entries(query.sort ?? byId)[0] ?? ["_id", 1];
    const { after } = query;
    const checked = this.#checked(filter);
    if (!isSortServed(this.#definition, filter, sort)) this.#onUnserved(this.name, `sorted by ${sort}`);
    return {
      op: "find",
      collection: this.name,
      filter: checked,
      sort,
      descending: direction === -1,
      limit: query.limit ?? storeLimits.usualDocuments,
      ...(after === undefined ? {} : { after: { value: JSON.stringify(after.value ?? null), id: after.id } }),
    };
  }

  /** To go with another request. */
  insertions(documents: readonly StoredDocument[]): readonly InsertRequest[] {
    return documents.map((document) => this.#insertion(document));
  }

  #insertion(document: StoredDocument): InsertRequest {
    checkDocument(this.#definition, document);
    const text = JSON.stringify(document);
    if (text.length > storeLimits.documentCharacters) throw new Error(`document of ${this.name}: ${text.length} characters`);
    return { op: "insert", collection: this.name, id: document._id, document: text, keys: keysOf(this.#definition, document) };
  }

  #updating(filter: Filter, update: Update, { upsert = false, beside }: UpdateSettings, returning: boolean): WriteRequest {
    checkUpdate(this.name, update);
    if (upsert) checkUpsert(this.name, filter);
    return { op: "update", collection: this.name, filter: this.#checked(filter), update, upsert, returning, ...this.#besides(beside) };
  }

  #besides({ inserts, points = [] }: Beside = {}): { readonly beside?: readonly InsertRequest[]; readonly points?: string } {
    return {
      ...(inserts === undefined ? {} : { beside: this.#sibling(inserts.collection).insertions(inserts.documents) }),
      ...(points.length === 0 ? {} : { points: textOfPoints(points) }),
    };
  }

  #deletion(filter: Filter, many: boolean): WriteRequest {
    return { op: "delete", collection: this.name, filter: this.#checked(filter), many };
  }

  #checked(filter: Filter): Filter {
    checkFilter(this.name, filter);
    if (!isServed(this.#definition, filter)) this.#onUnserved(this.name, `filtered by ${Object.keys(filter).join(", ")}`);
    return filter;
  }
}
