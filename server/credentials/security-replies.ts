/** What the addresses of the security store have in common: parameters, replies, problems. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { JsonSchema, Reply, RouteRequest } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { Entry } from "./entry-store.ts";
import type { Fault } from "./key-text.ts";

export const realmSchema: JsonSchema = {
  enum: ["server", "bootstrap"],
  description: "The LwM2M server or the bootstrap server; default server",
};

export const dropParameter: { readonly [name: string]: JsonSchema } = {
  dropConnections: { type: "boolean", default: true, description: "Whether connections that live by the former key are ended" },
};

export const entryMembers: { readonly [member: string]: JsonSchema } = {
  id: { type: "string" },
  realm: { enum: ["server", "bootstrap"] },
  createdAt: { type: "string", format: "date-time" },
  updatedAt: { type: "string", format: "date-time" },
};

export function entryView({ _id, realm, createdAt, updatedAt }: Entry): { readonly [member: string]: Json } {
  return { id: _id, realm, createdAt: formatInstant(createdAt), updatedAt: formatInstant(updatedAt) };
}

export function bodyOf(request: RouteRequest): { readonly [member: string]: Json } {
  // The schema asked for an object.
  return request.body as { readonly [member: string]: Json };
}

export function wantsDrop({ query }: RouteRequest): boolean {
  return query["dropConnections"] !== false;
}

export function malformed(faults: readonly Fault[]): Reply {
  const [first] = faults;
  return { problem: { type: "bad-request", detail: `${first?.pointer || "the body"}: ${first?.detail}`, errors: faults } };
}

export function conflict(pointer: string, detail: string): Reply {
  return { problem: { type: "conflict", detail, errors: [{ pointer, detail }] } };
}

export function notFound(what: string, id: string | undefined): Reply {
  return { problem: { type: "not-found", detail: `there is no ${what} ${JSON.stringify(id ?? "")}` } };
}
