/** The twin over REST: what is wished of a device, what it is known to have, and what lies between. */
import { createHash } from "node:crypto";
import { findPath } from "@lwm2m/protocol/lwm2m/path";
import type { Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import type { Reply, Route, RouteRequest } from "../http/route.ts";
import type { OperationDoor } from "../operations/operation-door.ts";
import type { OperationService } from "../operations/operation-service.ts";
import { deviceModel } from "../registration/device-model.ts";
import { reportedAt } from "./desired.ts";
import type { DesiredEdit } from "./desired-edit.ts";
import type { DesiredService } from "./desired-service.ts";
import { desiredSchema, desiredView, diffItem, diffSchema, editSchema, reportedSchema } from "./desired-view.ts";
import { entityTag } from "./entity-tag.ts";
import { comparePaths, isMet, type KnownValuesDeps, knownValues } from "./known-values.ts";
import type { Twin } from "./twin.ts";
import type { TwinService } from "./twin-service.ts";

export interface DesiredRoutesDeps extends KnownValuesDeps {
  readonly twins: TwinService;
  readonly desired: DesiredService;
  readonly operations: Pick<OperationService, "find">;
  readonly devices: Devices;
  readonly door: OperationDoor;
}

export function desiredRoutes(deps: DesiredRoutesDeps): Route[] {
  const desired = "/devices/{endpoint}/twin/desired";
  const replies = { 200: { description: "What is desired; ETag is its version", schema: desiredSchema } };
  const change = { headers: ["If-Match"] as const, body: editSchema, replies };
  return [
    {
      method: "GET",
      path: desired,
      name: "getDesiredTwin",
      summary: "The values wished of the device, each with its time and who wished it, and who is right in a conflict",
      replies,
      handle: (request) => onDevice(deps, request, (endpoint) => showDesired(deps, endpoint)),
    },
    {
      method: "PUT",
      path: desired,
      name: "putDesiredTwin",
      summary:
        "Wishes for exactly these values: of writable resources, by path or name, as a write takes them; of a multi-instance resource all its instances by id. They are written when the device can take them, and until it has them. What was wished before and is not named is not wished any more; what the device has stays.",
      ...change,
      body: { ...editSchema, required: ["values"] },
      handle: (request) => onDevice(deps, request, (endpoint) => put(deps, endpoint, request, "replace")),
    },
    {
      method: "PATCH",
      path: desired,
      name: "patchDesiredTwin",
      summary:
        "Changes single wishes (JSON merge patch, RFC 7396): null removes one. A value that was refused is tried again when it is said again.",
      ...change,
      handle: (request) => onDevice(deps, request, (endpoint) => put(deps, endpoint, request, "merge")),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}/twin/reported",
      name: "getReportedTwin",
      summary: "Every value that is known of the device, with the version of the whole; the same values as listResources",
      replies: { 200: { description: "What the device is known to have; ETag is its version", schema: reportedSchema } },
      handle: (request) => onDevice(deps, request, (endpoint) => showReported(deps, endpoint)),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}/twin/diff",
      name: "getTwinDiff",
      summary: "What is desired and not yet so: desired and reported value, since when, and what it waits for",
      replies: { 200: { description: "The difference, empty where there is none", schema: diffSchema } },
      handle: (request) => onDevice(deps, request, (endpoint) => showDiff(deps, endpoint)),
    },
  ];
}

async function onDevice(
  { devices }: DesiredRoutesDeps,
  { params }: RouteRequest,
  answer: (endpoint: string) => Promise<Reply>,
): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  return (await devices.isKnown(endpoint)) ? answer(endpoint) : unknownDevice(endpoint);
}

async function showDesired({ desired, registrations, registry }: DesiredRoutesDeps, endpoint: string): Promise<Reply> {
  const [found, last] = await Promise.all([desired.find(endpoint), registrations.findLast(endpoint)]);
  const body = desiredView(endpoint, found, desired.policyOf(found), deviceModel(registry, last));
  return { status: 200, body, headers: { ETag: entityTag(found) } };
}

async function put(
  { desired, registrations, registry }: DesiredRoutesDeps,
  endpoint: string,
  { body, actor, traceId, headers }: RouteRequest,
  mode: DesiredEdit["mode"],
): Promise<Reply> {
  const edit: DesiredEdit = { ...(body as Omit<DesiredEdit, "mode">), mode };
  const ifMatch = headers["if-match"];
  const outcome = await desired.change(endpoint, edit, { actor, traceId, ...(ifMatch === undefined ? {} : { ifMatch }) });
  if (!outcome.ok) {
    const { refusal } = outcome;
    const errors = "pointer" in refusal ? { errors: [{ pointer: refusal.pointer, detail: refusal.detail }] } : {};
    return { problem: { type: refusal.type, detail: refusal.detail, ...errors } };
  }
  const last = await registrations.findLast(endpoint);
  const view = desiredView(endpoint, outcome.desired, desired.policyOf(outcome.desired), deviceModel(registry, last));
  return { status: 200, body: view, headers: { ETag: entityTag(outcome.desired) } };
}

async function showReported(deps: DesiredRoutesDeps, endpoint: string): Promise<Reply> {
  const [twin, desired] = await Promise.all([deps.twins.find(endpoint), deps.desired.find(endpoint)]);
  const body = { endpoint, version: twin?.rev ?? 0, values: await knownValues(deps, { endpoint, twin, desired }) };
  return { status: 200, body, headers: { ETag: entityTag(versionOf(twin)) } };
}

function versionOf(twin: Twin | undefined) {
  return twin === undefined ? undefined : { since: twin.since, version: twin.rev };
}

async function showDiff(
  { twins, desired, operations, registrations, registry, door }: DesiredRoutesDeps,
  endpoint: string,
): Promise<Reply> {
  const [found, twin, last, outlook] = await Promise.all([
    desired.find(endpoint),
    twins.find(endpoint),
    registrations.findLast(endpoint),
    door.outlook(endpoint),
  ]);
  const model = deviceModel(registry, last);
  const wishes = Object.entries(found?.wishes ?? {}).toSorted(([a], [b]) => comparePaths(a, b));
  const open = wishes.filter(([, wish]) => !isMet(wish));
  const items = await Promise.all(
    open.map(async ([path, wish]) => {
      const id = found?.writes[path];
      const parsed = findPath(path);
      return diffItem(wish, {
        path,
        name: parsed === undefined ? undefined : model.nameOf(parsed),
        reported: wish.secret ? undefined : reportedAt(twin?.values ?? {}, path, wish.value),
        operation: id === undefined ? undefined : await operations.find(id),
        outlook,
      });
    }),
  );
  const versions = { desiredVersion: found?.version ?? 0, reportedVersion: twin?.rev ?? 0 };
  const body = { endpoint, ...versions, policy: desired.policyOf(found), items };
  // Whether the device sleeps is part of it, and in no document's version.
  return {
    status: 200,
    body,
    headers: { ETag: `"${createHash("sha256").update(JSON.stringify(body)).digest("base64url").slice(0, 22)}"` },
  };
}
