/**
 * The document-collection port: the subset of the MongoDB Collection API that both engines give with the same meaning.
 * One document is one atomic write; there are no transactions over several, but for what is inserted beside a write. Every flow is
 * compare-and-set on `rev`, an idempotent step and a sweeper.
 */

import type { TelemetryPoint } from "./store.ts";

/** JSON throughout: instants are epoch milliseconds, 64-bit integers and bytes are strings, identifiers are strings. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export interface StoredDocument {
  readonly _id: string;
}

/** `$in $gt $gte $lt $lte $ne $exists $all`, equality (null included) and one level of `$and`/`$or`; dotted paths reach into documents. */
export type Filter = { readonly [pathOrOperator: string]: unknown };

/** Update operators only; a replacement document is not an update. */
export interface Update {
  readonly $set?: { readonly [path: string]: unknown };
  readonly $unset?: { readonly [path: string]: true };
  readonly $inc?: { readonly [path: string]: number };
  readonly $setOnInsert?: { readonly [path: string]: unknown };
  /** A value, or `{ $each: [...], $slice: -n }`. */
  readonly $push?: { readonly [path: string]: unknown };
  readonly $addToSet?: { readonly [path: string]: unknown };
  readonly $pull?: { readonly [path: string]: unknown };
  readonly $max?: { readonly [path: string]: unknown };
  readonly $min?: { readonly [path: string]: unknown };
}

export interface FindQuery {
  /** One field, then `_id` in the same direction; default `{ _id: 1 }`. */
  readonly sort?: { readonly [path: string]: 1 | -1 };
  /** 1–1,000; default 100. */
  readonly limit?: number;
  /** Keyset paging: the sort value and `_id` of the last document of the page before. */
  readonly after?: { readonly value: unknown; readonly id: string };
}

/** What comes with a write: there exactly if the write has applied, in the same commit. Only where the store `commitsTogether`. */
export interface Beside {
  /** New documents of another collection. One whose key is there already is left out. */
  readonly inserts?: { readonly collection: string; readonly documents: readonly StoredDocument[] };
  /** Appended, as `TelemetryStore.append` does. */
  readonly points?: readonly TelemetryPoint[];
}

export interface InsertSettings {
  readonly beside?: Beside | undefined;
}

export interface UpdateSettings extends InsertSettings {
  readonly upsert?: boolean;
}

export type InsertOutcome = { readonly ok: true } | { readonly ok: false; readonly reason: "duplicate-key"; readonly index: string };

export interface UpdateOutcome {
  readonly matched: number;
  readonly upserted: boolean;
}

export type BulkWrite<T extends StoredDocument = StoredDocument> =
  | { readonly insertOne: { readonly document: T } }
  | { readonly updateOne: { readonly filter: Filter; readonly update: Update } & UpdateSettings }
  | { readonly deleteOne: { readonly filter: Filter } };

export interface BulkOutcome {
  /** Positions in the input that did not apply, each with its reason; all others applied. */
  readonly failed: readonly { readonly position: number; readonly reason: "duplicate-key" }[];
  /** How many updates and deletions found their document. */
  readonly matched: number;
}

/** Every method resolves only after the engine has made the write durable; it rejects with `StorageUnavailableError` when it cannot. */
export interface Collection<T extends StoredDocument> {
  readonly name: string;
  findOne(filter: Filter): Promise<T | undefined>;
  find(filter: Filter, query?: FindQuery): Promise<readonly T[]>;
  /** Stops counting at `cap`. */
  count(filter: Filter, cap?: number): Promise<number>;
  insertOne(document: T, settings?: InsertSettings): Promise<InsertOutcome>;
  updateOne(filter: Filter, update: Update, settings?: UpdateSettings): Promise<UpdateOutcome>;
  /** The document after the update, or undefined when nothing matched (and no upsert was asked for). */
  findOneAndUpdate(filter: Filter, update: Update, settings?: UpdateSettings): Promise<T | undefined>;
  /** Unordered; not atomic as a whole. */
  bulkWrite(writes: readonly BulkWrite<T>[]): Promise<BulkOutcome>;
  deleteOne(filter: Filter): Promise<{ readonly deleted: number }>;
  deleteMany(filter: Filter): Promise<{ readonly deleted: number }>;
}

/** What start-up creates on either engine. A filter that no index serves (and that does not name `_id`) is refused in tests and counted in production. */
export interface CollectionDefinition {
  readonly name: string;
  readonly indexes: readonly IndexDefinition[];
}

export interface IndexDefinition {
  readonly name: string;
  /** Scalar fields, in order; dotted paths allowed. */
  readonly fields: readonly string[];
  readonly unique?: boolean;
  /** Only documents whose field equals the value are in the index. */
  readonly where?: { readonly field: string; readonly equals: Json };
}

/** The engine is gone or refuses to write: readiness turns false, doors answer 503 or 5.03. */
export class StorageUnavailableError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StorageUnavailableError";
  }
}

/** An update or upsert would have made a second document with the same key; nothing was written. An insert says so in its outcome. */
export class DuplicateKeyError extends Error {
  /** The declared name of the index, or `_id`. */
  readonly index: string;

  constructor(collection: string, index: string) {
    super(`${collection} already has a document with this key (${index})`);
    this.name = "DuplicateKeyError";
    this.index = index;
  }
}
