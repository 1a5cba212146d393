/** What the main thread asks of the storage worker, and what comes back. Documents travel as the JSON text they are stored as. */
import type { CollectionDefinition, Filter, Update } from "./collection.ts";
import type { DriverName } from "./drivers/driver.ts";

export interface WorkerSettings {
  readonly file: string;
  readonly driver: DriverName;
  readonly definitions: readonly CollectionDefinition[];
}

export interface FindRequest {
  readonly op: "find";
  readonly collection: string;
  readonly filter: Filter;
  readonly sort: string;
  readonly descending: boolean;
  readonly limit: number;
  /** JSON text of the sort value (`null` for a missing one), and the `_id`. */
  readonly after?: { readonly value: string; readonly id: string };
}

export type WriteRequest =
  | { readonly op: "insert"; readonly collection: string; readonly id: string; readonly document: string }
  | {
      readonly op: "update";
      readonly collection: string;
      readonly filter: Filter;
      readonly update: Update;
      readonly upsert: boolean;
      readonly returning: boolean;
    }
  | { readonly op: "delete"; readonly collection: string; readonly filter: Filter; readonly many: boolean };

export type StoreRequest =
  | FindRequest
  | { readonly op: "count"; readonly collection: string; readonly filter: Filter; readonly cap: number }
  | WriteRequest
  | { readonly op: "bulk"; readonly writes: readonly WriteRequest[] }
  /** JSON text of `[endpoint, path, timeMs, receivedMs, value][]`, the value as JSON text in it. */
  | { readonly op: "append"; readonly points: string }
  | {
      readonly op: "range";
      readonly endpoint: string;
      readonly path: string;
      readonly fromMs: number;
      readonly toMs: number;
      readonly limit: number;
    }
  | { readonly op: "probe" }
  | { readonly op: "verify" }
  /** Must not share its batch with a write. */
  | { readonly op: "rewrite" }
  | { readonly op: "close" };

/** Requests of one turn of the main loop, in order, as one JSON text (cheaper than a clone of every object); `first` numbers the first one. */
export interface RequestBatch {
  readonly first: number;
  /** `StoreRequest[]` */
  readonly requests: string;
}

/**
 * `unavailable`: the engine failed, nothing of this commit is there. `duplicate-key`: this request changed nothing.
 * `refused`: the request does not fit the document or the port.
 */
export type Answer = { readonly ok: true; readonly text: string } | Failure;

export type Failure =
  | { readonly ok: false; readonly kind: "unavailable" | "refused"; readonly message: string }
  | { readonly ok: false; readonly kind: "duplicate-key"; readonly index: string };

export interface AnswerBatch {
  readonly first: number;
  /** The text alone where the request succeeded: most do, and texts are the cheapest to send. */
  readonly answers: readonly (string | Failure)[];
}

export type WorkerMessage =
  | { readonly kind: "open" }
  | { readonly kind: "refused"; readonly code: number; readonly message: string }
  | { readonly kind: "answers"; readonly batches: readonly AnswerBatch[] };
