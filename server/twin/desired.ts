/** What is wished of a device: a value by resource, kept until the device has it. Pure. */
import { contains, findPath } from "@lwm2m/protocol/lwm2m/path";
import type { WithOutbox } from "../events/event.ts";
import type { NewsSource } from "../operations/news.ts";
import type { Sealed } from "../security/sealed-documents.ts";
import type { Json, StoredDocument } from "../storage/collection.ts";
import { isJsonObject } from "../storage/json-object.ts";
import type { Twin } from "./twin.ts";

/**
 * Who is right when a device that had the wished value reports another: the wish (it is written again), the device (the wish
 * follows), or whichever is newer (the source time of the report against the time of the wish).
 */
export type ConflictPolicy = "server" | "device" | "newest";

export const conflictPolicies: readonly ConflictPolicy[] = ["server", "device", "newest"];

export interface DesiredTwin extends StoredDocument, WithOutbox, Sealed {
  /** The endpoint name. */
  readonly _id: string;
  /** When this document began; with `rev` unique for ever. */
  readonly since: number;
  /** Rises with every change of a wish or of the policy. */
  readonly version: number;
  /** Null: as the settings say. */
  readonly policy: ConflictPolicy | null;
  /** By path of the resource, `/3/0/15`. */
  readonly wishes: { readonly [path: string]: Wish };
  /** Ids of the writes that were decided and are not known to be over, by path: at most one for a resource. */
  readonly writes: { readonly [path: string]: string };
  /** There are wishes, or writes of former ones: the partial index of what a server looks after. */
  readonly watched: boolean;
  /** Changed by a caller and not looked at since: a crash in between may have left a write that nobody wants any more. */
  readonly edited: boolean;
  /** When a refused wish has its next turn, epoch milliseconds. */
  readonly wakeAt: number | null;
  readonly rev: number;
}

export interface Wish {
  /** The model's; null where no model knows the resource. */
  readonly type: string | null;
  /** As a write takes it; of a multi-instance resource all its instances by id. Null of a secret one: that is sealed. */
  readonly value: Json;
  /** Nobody can read the resource (LwM2M Core 1.1 appendix D.1: W). */
  readonly secret: boolean;
  readonly changedAt: number;
  /** Who wished it: the name of an API key, or `device` where the wish followed a report. */
  readonly source: string;
  readonly traceId: string;
  readonly state: WishState;
  /** Failed writes in a row. */
  readonly failures: number;
  /** When it was written again because the device reported another value, the last hour's. */
  readonly rewrites: readonly number[];
}

/**
 *   pending --the device acknowledges or reports the value--> held
 *   pending --the device, or its model, refuses--> refused
 *   refused --its pause is over; of a final one: the device registered anew, or its instances changed--> pending
 *   held --the device reports another value--> pending   the wish is right: written again
 *                                          --> held      the device is right: the wish follows
 *                                          --> conflict  written again too often
 *   refused | conflict --the device reports the value--> held
 *   any --the wish is changed--> pending
 */
export type WishState =
  /** `isTold`: the difference is in the events. */
  | { readonly kind: "pending"; readonly since: number; readonly isTold: boolean }
  | { readonly kind: "held"; readonly since: number; readonly by: "acknowledged" | "reported" | "followed" }
  | {
      readonly kind: "refused";
      readonly since: number;
      readonly reason: string;
      readonly coapCode: string | null;
      readonly detail: string | null;
      /** Null: final. */
      readonly retryAt: number | null;
      /** The registration and the instances that refused it. */
      readonly against: string;
    }
  | { readonly kind: "conflict"; readonly since: number };

/** What the device is known to have. */
export interface Reported {
  readonly value: Json;
  readonly observedAt: number;
  /** `write`: not by its word, but because it took ours. */
  readonly source?: NewsSource;
}

/** A device's own parameters fit many times over; what is larger is no setting, but a file. */
export const desiredLimits = { maxWishes: 200, maxValueCharacters: 8_192 } as const;

/** Of a multi-instance resource all that is known of its instances; undefined: nothing is. */
export function reportedAt(values: Twin["values"], path: string, wished: Json): Reported | undefined {
  if (!isJsonObject(wished)) return values[path];
  const resource = findPath(path);
  const instances = Object.entries(values).flatMap(([text, known]) => {
    const inner = findPath(text);
    const isInstance = resource !== undefined && inner?.resourceInstanceId !== undefined && contains(resource, inner);
    return isInstance ? [[String(inner.resourceInstanceId), known] as const] : [];
  });
  if (instances.length === 0) return undefined;
  return {
    value: Object.fromEntries(instances.map(([id, known]) => [id, known.value])),
    observedAt: Math.max(...instances.map(([, known]) => known.observedAt)),
    ...(instances.every(([, known]) => known.source === "write") ? { source: "write" } : {}),
  };
}

/** A float may have travelled with 32 bits (LwM2M Core 1.1 appendix C). */
export function isSameValue(type: string | null, one: Json, other: Json): boolean {
  if (isJsonObject(one) && isJsonObject(other)) {
    const keys = Object.keys(one);
    return keys.length === Object.keys(other).length && keys.every((key) => isSameMember(type, one[key], other[key]));
  }
  if (type === "float" && typeof one === "number" && typeof other === "number") return Math.fround(one) === Math.fround(other);
  return JSON.stringify(one) === JSON.stringify(other);
}

function isSameMember(type: string | null, one: Json | undefined, other: Json | undefined): boolean {
  return one !== undefined && other !== undefined && isSameValue(type, one, other);
}
