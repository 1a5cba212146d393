/**
 * A standing observation of a path: the wish lasts, the relation behind it comes and goes.
 *
 *   (none) | waiting | ended --device grants it--> active
 *   active --device registers anew, de-registers, expires--> waiting    its relation is void; asked again when the device is back
 *   active --device ends it (error notification)--> ended (device-ended)
 *   active | waiting --cancelled--> ended (cancelled)
 */
import type { WithOutbox } from "../events/event.ts";
import type { OperationRequest } from "../operations/operation.ts";
import type { StoredDocument } from "../storage/collection.ts";

export interface Observation extends StoredDocument, WithOutbox {
  /** `/3303/0/5700@endpoint name` */
  readonly _id: string;
  readonly endpoint: string;
  readonly path: string;
  readonly attributes: NonNullable<OperationRequest["attributes"]> | null;
  readonly state: "active" | "waiting" | "ended";
  readonly endReason: "cancelled" | "device-ended" | null;
  /** The error that ended it, `"4.04"`. */
  readonly coapCode: string | null;
  /** Null unless active. */
  readonly relation: Relation | null;
  /** When it was last granted. */
  readonly since: number;
  /** The last notification that could not be read. */
  readonly fault: { readonly at: number; readonly detail: string } | null;
  readonly rev: number;
}

/** Enough to go on after a restart without asking the device. */
export interface Relation {
  readonly token: string;
  readonly uri: readonly string[];
  readonly accept: number | null;
  /** Which registration it belongs to; void in any other. */
  readonly registeredAt: number;
}

/** A path has no `@`, so the first one divides. */
export function observationId(endpoint: string, path: string): string {
  return `${path}@${endpoint}`;
}
