/**
 * A standing observation: a wish for one device or for every member of a group, for as long as it stands.
 *
 *   standing --removed--> ending: cancelled at every device --nothing held any more--> (gone)
 *
 * At each of its devices:
 *
 *   pending --granted--> active --registers anew, gone--> pending (restore: always) | ended (restore: never)
 *   pending --refused--> refused --registers anew, retryAt--> pending
 *   pending | unsupported: as the device's version and objects are
 *   active --cancelled there by an operation--> ended, until it registers anew
 *   any --leaves the group, or the wish ends--> leaving --cancelled--> (gone)
 */
import type { WithOutbox } from "../events/event.ts";
import type { OperationRequest } from "../operations/operation.ts";
import type { StoredDocument } from "../storage/collection.ts";

export type Attributes = NonNullable<OperationRequest["attributes"]>;

export interface StandingObservation extends StoredDocument, WithOutbox {
  /** A ULID. */
  readonly _id: string;
  /** Whom it is for: one of the two. */
  readonly endpoint: string | null;
  readonly group: string | null;
  /** `/` of a composite one. */
  readonly path: string;
  /** Only of a composite one. */
  readonly paths?: readonly string[];
  readonly attributes: Attributes | null;
  /** `never`: a relation that ended with its registration is not asked for again. */
  readonly restore: "always" | "never";
  readonly state: "standing" | "ending";
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly createdBy: string;
  readonly rev: number;
}

export const deviceStates = ["pending", "active", "refused", "unsupported", "ended", "leaving"] as const;
export type DeviceState = (typeof deviceStates)[number];

/** What a standing observation came to at one device. */
export interface StandingDevice extends StoredDocument, Standpoint {
  /** `<standing observation>@<endpoint name>` */
  readonly _id: string;
  readonly standing: string;
  readonly endpoint: string;
  /** Id of what it wishes to be observed there. */
  readonly observation: string;
  /** Since when the state is what it is. */
  readonly since: number;
  /** The registration, by its time, in which it was last active; null: never. */
  readonly heldIn: number | null;
  readonly rev: number;
}

export interface Standpoint {
  readonly state: DeviceState;
  /** What a pending one waits for, why a refused one was refused; null where the state says it all. */
  readonly reason: string | null;
  readonly coapCode: string | null;
  readonly detail: string | null;
  /** When it is tried again at the latest, though nothing happens. */
  readonly retryAt: number | null;
}

export function standingDeviceId(standing: string, endpoint: string): string {
  return `${standing}@${endpoint}`;
}

/** What holds at the device; null removes one, so it is none. */
export function heldAttributes(attributes: Attributes | null): { readonly [name: string]: number } {
  const held = Object.entries(attributes ?? {}).filter((entry): entry is [string, number] => entry[1] !== null);
  return Object.fromEntries(held.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function haveSameAttributes(one: Attributes | null, other: Attributes | null): boolean {
  return JSON.stringify(heldAttributes(one)) === JSON.stringify(heldAttributes(other));
}
