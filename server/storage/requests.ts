/** What the main thread asks of the storage worker, and what comes back. Documents travel as the JSON text they are stored as. */

import type { CollectionDefinition, Filter, Update } from "./collection.ts";
import type { DriverName } from "./drivers/driver.ts";
import type { Keys } from "./key-columns.ts";
import type { SchemaChange } from "./schema-steps.ts";
import type { SeriesQuery } from "./store.ts";

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

export interface InsertRequest {
  readonly op: "insert";
  readonly collection: string;
  readonly id: string;
  readonly document: string;
  readonly keys: Keys;
}

/** Done if the write applies, in the same commit. */
interface Besides {
  readonly beside?: readonly InsertRequest[];
  /** As `append` has them. */
  readonly points?: string;
}

export type WriteRequest =
  | (InsertRequest & Besides)
  | ({
      readonly op: "update";
      readonly collection: string;
      readonly filter: Filter;
      readonly update: Update;
      readonly upsert: boolean;
      readonly returning: boolean;
    } & Besides)
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
  | {
      readonly op: "downsample";
      readonly endpoint: string;
      readonly path: string;
      readonly fromMs: number;
      readonly toMs: number;
      readonly stepMs: number;
      readonly limit: number;
    }
  | { readonly op: "series"; readonly query: SeriesQuery }
  /** Up to `limit` points from a place on, in the order (path, endpoint name, time): one page of an export. */
  | { readonly op: "points"; readonly after: PointPlace; readonly limit: number }
  /** Deletes points older than `beforeMs`, of the series behind `afterSeries`, until about `limit` are gone. */
  | { readonly op: "prune"; readonly beforeMs: number; readonly afterSeries: number; readonly limit: number }
  | { readonly op: "probe" }
  | { readonly op: "verify" }
  /** Rewrites the file; copies it to another; shortens its log. Each is a commit of its own. */
  | { readonly op: "rewrite" }
  | { readonly op: "copy"; readonly file: string }
  | { readonly op: "shorten" }
  | { readonly op: "close" };

/** Behind this point; without a time: behind all of its series. */
export interface PointPlace {
  readonly path: string;
  readonly endpoint: string;
  readonly timeMs: number | null;
}

/** What no transaction may be open for. */
export const aloneOperations: ReadonlySet<string> = new Set(["rewrite", "copy", "shorten", "close"]);

/**
 * `unavailable`: the engine failed, nothing of this commit is there. `duplicate-key`: this request changed nothing.
 * `refused`: the request does not fit the document or the port.
 */
export type Answer = { readonly ok: true; readonly text: string } | Failure;

export type Failure =
  | { readonly ok: false; readonly kind: "unavailable" | "refused"; readonly message: string }
  | { readonly ok: false; readonly kind: "duplicate-key"; readonly index: string };

/** Requests of one turn of the main loop go as one JSON text of `StoreRequest[]`: cheaper than a clone of every object. */
export type WorkerMessage =
  | { readonly kind: "open"; readonly schema: SchemaChange }
  | { readonly kind: "refused"; readonly code: number; readonly message: string }
  /** In the order of the requests. The text alone where a request succeeded: most do, and texts are the cheapest to send, but for numbers. */
  | { readonly kind: "answers"; readonly answers: readonly (string | number | Failure)[] };

/** What most writes are answered: sent as the place in this list. */
export const usualTexts: readonly string[] = [
  "null",
  '{"matched":1,"upserted":false}',
  '{"matched":0,"upserted":false}',
  '{"deleted":1}',
  '{"failed":[],"matched":0}',
  '{"failed":[],"matched":1}',
];
