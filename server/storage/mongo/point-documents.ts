/** What both kinds of point collections share: their name, their bounds, and values as documents. */
import type { Db } from "mongodb";
import type { Json } from "../collection.ts";
import type { TelemetryStore } from "../store.ts";
import { fromBson, toBson } from "./bson-document.ts";
import type { MongoLink } from "./mongo-link.ts";
import type { OneAtATime } from "./one-at-a-time.ts";

/** Points one `range` gives at most. */
export const longestRange = 10_000;
/** Points listed or deleted in one call, about: what others wait for meanwhile. */
export const usualStep = 5_000;

export const pointCollection = "points";

export type RangeQuery = Parameters<TelemetryStore["range"]>[0];

export interface TelemetryParts {
  readonly database: Db;
  readonly link: MongoLink;
  /** Where the server's updates must not overlap. */
  readonly turns: OneAtATime | undefined;
  readonly onWarning: (message: string) => void;
  /** Points of one step of an export or a retention; default `usualStep`. */
  readonly step?: number;
}

/** In a document of its own, so that every value is a document to the server. */
export function packed(value: Json): { readonly v: unknown } {
  return { v: toBson({ v: value })["v"] };
}

export function unpacked(stored: { readonly v: unknown }): Json {
  // Written by `packed`, by nobody else.
  return (fromBson(stored) as { readonly v: Json }).v;
}

export function checkTimes(path: string, timeMs: number, receivedMs: number): void {
  if (!Number.isFinite(timeMs) || !Number.isFinite(receivedMs)) throw new Error(`point of ${path}: its time is no number`);
}

export function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > longestRange) throw new Error(`range of points: limit ${limit}`);
}
