/**
 * What is observed at one device, a path or several at once: the wish lasts, the relation behind it comes and goes. There is one per
 * device and target, whoever wishes it: an operation, standing observations, or both.
 *
 *   (none) | waiting | refused | ended --device grants it--> active
 *   active --device registers anew, de-registers, expires--> waiting    its relation is void; asked again when the device is back
 *   active --device ends it (error notification)--> ended (device-ended)
 *   (none) | waiting | refused | ended --asked (`asking`), the device refuses--> refused    until `refusal.retryAt`, or it registers anew
 *                                      --asked, no answer--> waiting    until then as well
 *   active | waiting | refused --cancelled--> ended (cancelled)
 *   active --no standing observation wishes it any more--> (none)
 */
import { Method } from "@lwm2m/protocol/coap/codes";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { parsePath } from "@lwm2m/protocol/lwm2m/path";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { WithOutbox } from "../events/event.ts";
import type { ObservedTarget } from "../operations/observation-exchange.ts";
import type { OperationRequest } from "../operations/operation.ts";
import type { StoredDocument } from "../storage/collection.ts";

export interface Observation extends StoredDocument, WithOutbox {
  /** `/3303/0/5700@endpoint name`; of a composite one `/3/0/9,/3303/0/5700@endpoint name`, of one path `/3/0/9,@endpoint name`. */
  readonly _id: string;
  readonly endpoint: string;
  /** `/` of a composite one. */
  readonly path: string;
  /** Only of a composite one, as they were asked for. */
  readonly paths?: readonly string[];
  /** As asked for, with what a Write-Attributes said at its path since. */
  readonly attributes: NonNullable<OperationRequest["attributes"]> | null;
  /** At the device, as far as this server has written them: those of the levels above included. */
  readonly inForce?: { readonly [name: string]: number } | null;
  readonly state: "active" | "waiting" | "refused" | "ended";
  readonly endReason: EndReason | null;
  /** The error that ended it, `"4.04"`. */
  readonly coapCode: string | null;
  /** Null unless active, or silent. */
  readonly relation: Relation | null;
  /** When it was last heard; since then it is silent for longer than it may be. */
  readonly silentSince?: number | null;
  /** When it was last granted; until it is, when it was first wished. */
  readonly since: number;
  /** Wished by standing observations alone: no operation asked for it. */
  readonly standingOnly?: true | null;
  /** The operation by which the server asks for it, stored before that is made. */
  readonly asking?: { readonly operationId: string; readonly at: number } | null;
  /** Why it was not granted when last asked for. */
  readonly refusal?: Refusal | null;
  /** Refusals and silences in a row. */
  readonly failures?: number;
  readonly endedAt?: number | null;
  /** The last notification that could not be read. */
  readonly fault: { readonly at: number; readonly detail: string } | null;
  readonly rev: number;
}

/** `withdrawn`: by the server, since no standing observation wishes it any more. */
export type EndReason = "cancelled" | "withdrawn" | "device-ended";

export interface Refusal {
  /** As of an operation; `expired`, `cancelled` when it had no other end. */
  readonly reason: string;
  readonly coapCode: string | null;
  readonly detail: string | null;
  /** When the device was asked. */
  readonly at: number;
  readonly retryAt: number;
}

/** Enough to go on after a restart without asking the device. */
export interface Relation {
  readonly token: string;
  readonly uri: readonly string[];
  readonly accept: number | null;
  /** Attributes the relation itself carries (LwM2M Core 1.2 §6.4.3). */
  readonly query?: readonly string[];
  /** The list of paths of a composite one, in Base64, and its format: an active cancel repeats it (LwM2M Core 1.1 §6.4.4). */
  readonly list?: { readonly contentFormat: number; readonly payload: string };
  /** Which registration it belongs to; void in any other. */
  readonly registeredAt: number;
}

/** The order of the paths is no part of it; a comma tells a composite one. A path has no `@`, so the first one divides. */
export function observationId(endpoint: string, { path, paths }: ObservedTarget): string {
  const composite = paths?.length === 1 ? `${paths[0]},` : paths?.toSorted().join(",");
  return `${composite ?? path}@${endpoint}`;
}

/** The reverse of `observationId`. */
export function findTarget(id: string): { readonly endpoint: string; readonly target: ObservedTarget } | undefined {
  const divider = id.indexOf("@");
  if (divider < 0) return undefined;
  const text = id.slice(0, divider);
  const target = text.includes(",") ? { path: "/", paths: text.split(",").filter((path) => path !== "") } : { path: text };
  return { endpoint: id.slice(divider + 1), target };
}

/** Of an id that this server made. */
export function getTarget(id: string): { readonly endpoint: string; readonly target: ObservedTarget } {
  const found = findTarget(id);
  if (found === undefined) throw new Error(`${id} names no observation`);
  return found;
}

export function targetOf({ path, paths }: ObservedTarget): ObservedTarget {
  return paths === undefined ? { path } : { path, paths };
}

export function observedPaths({ path, paths }: ObservedTarget): readonly CompositePath[] {
  return (paths ?? [path]).map((text) => (text === "/" ? text : parsePath(text)));
}

/** What of the request outlives it. */
export function relationOf(request: OutgoingRequest, token: string, registeredAt: number): Relation {
  const { path, accept = null, query, contentFormat, payload } = request;
  return {
    token,
    uri: path,
    accept,
    ...(query === undefined ? {} : { query }),
    ...(contentFormat === undefined || payload === undefined
      ? {}
      : { list: { contentFormat, payload: Buffer.from(payload).toString("base64") } }),
    registeredAt,
  };
}

/** The request as it was sent. */
export function requestOf({ uri, accept, query, list }: Relation): OutgoingRequest {
  return {
    method: list === undefined ? Method.get : Method.fetch,
    path: uri,
    ...(accept === null ? {} : { accept }),
    ...(query === undefined ? {} : { query }),
    ...(list === undefined ? {} : { contentFormat: list.contentFormat, payload: new Uint8Array(Buffer.from(list.payload, "base64")) }),
  };
}
