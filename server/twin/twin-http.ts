/** Last known values and their history over REST: answered at once, whether the device is awake or asleep. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { contains, findPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import { findInstant, formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Devices } from "../devices/device.ts";
import type { Problem } from "../http/problem.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { OperationDoor } from "../operations/operation-door.ts";
import { operationHeaders, operationReplies } from "../operations/operation-http.ts";
import { operationProblem } from "../operations/operation-view.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registrations } from "../registration/registration.ts";
import type { Json } from "../storage/collection.ts";
import type { KnownValue } from "./twin.ts";
import type { TwinService } from "./twin-service.ts";

export interface TwinRoutesDeps {
  readonly twins: TwinService;
  readonly devices: Devices;
  readonly registrations: Registrations;
  readonly registry: ObjectRegistry;
  readonly door: OperationDoor;
  readonly clock: Clock;
}

const instant: JsonSchema = { type: "string", format: "date-time" };
const dayMs = 86_400_000;

const valueSchema: JsonSchema = {
  type: "object",
  required: ["path", "type", "value", "source", "observedAt", "receivedAt", "stale"],
  properties: {
    path: { type: "string" },
    name: { type: "string" },
    type: { type: "string" },
    value: {},
    source: { enum: ["read", "notify", "write", "send"] },
    observedAt: { ...instant, description: "when the device took it, or when it arrived" },
    receivedAt: instant,
    stale: { type: "boolean", description: "the device is not registered, or has registered anew since" },
  },
};

const valuesSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "values"],
  properties: {
    endpoint: { type: "string" },
    path: { type: "string" },
    value: { description: "only when the path is one value" },
    values: { type: "array", items: valueSchema },
  },
};

export function twinRoutes(deps: TwinRoutesDeps): Route[] {
  return [
    {
      method: "GET",
      path: "/devices/{endpoint}/resources",
      name: "listResources",
      summary: "Every value that is known of the device",
      replies: { 200: { description: "The known values", schema: valuesSchema } },
      handle: (request) => listAll(deps, request),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}/resources/{path...}",
      name: "getResource",
      summary:
        "The last known value of a resource, or the known values of an instance or object, at once and without asking the device. live=true reads from the device first and waits like createOperation; it answers 202 with the operation when the device does not answer in time.",
      query: { live: { type: "boolean", default: false } },
      headers: operationHeaders,
      replies: { ...operationReplies, 200: { description: "The known values", schema: valuesSchema } },
      handle: (request) => get(deps, request),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}/history",
      name: "getHistory",
      summary:
        "The values of a resource over time, oldest first, from (inclusive) to (exclusive); by default the last day. `next` is the next `from`.",
      query: {
        path: { type: "string", minLength: 1, description: "/3303/0/5700 or temperature/0/sensorValue" },
        from: instant,
        to: instant,
        limit: { type: "integer", minimum: 1, maximum: 10_000, default: 1_000 },
      },
      requiredQuery: ["path"],
      replies: {
        200: {
          description: "Points",
          schema: {
            type: "object",
            required: ["items", "next"],
            properties: { items: { type: "array" }, next: { type: ["string", "null"] } },
          },
        },
      },
      handle: (request) => history(deps, request),
    },
  ];
}

async function listAll(deps: TwinRoutesDeps, { params }: RouteRequest): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  if (!(await deps.devices.isKnown(endpoint))) return unknownDevice(endpoint);
  return { status: 200, body: { endpoint, values: await knownValues(deps, endpoint) } };
}

async function get(deps: TwinRoutesDeps, request: RouteRequest): Promise<Reply> {
  const endpoint = request.params["endpoint"] ?? "";
  if (!(await deps.devices.isKnown(endpoint))) return unknownDevice(endpoint);
  const resolved = await deps.door.findPath(endpoint, request.params["path"] ?? "");
  if ("problem" in resolved) return resolved;
  const live = request.query["live"] === true;
  if (live) {
    const submitted = await deps.door.submit(request, endpoint, { kind: "read", path: resolved.path });
    if ("problem" in submitted) return submitted;
    const problem = operationProblem(submitted.operation);
    if (problem !== undefined) return { problem };
    if (submitted.operation.open) return deps.door.reply(submitted.operation);
  }
  const values = await knownValues(deps, endpoint, findPath(resolved.path));
  if (values.length === 0 && !live) {
    const detail = `no value of ${resolved.path} has been read or reported yet; live=true asks the device`;
    return { problem: { type: "value-unknown", detail } };
  }
  const [only] = values;
  const single = values.length === 1 && only !== undefined && only["path"] === resolved.path ? only : {};
  return { status: 200, body: { endpoint, path: resolved.path, ...single, values } };
}

async function history(deps: TwinRoutesDeps, { params, query }: RouteRequest): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  if (!(await deps.devices.isKnown(endpoint))) return unknownDevice(endpoint);
  const resolved = await deps.door.findPath(endpoint, String(query["path"]));
  if ("problem" in resolved) return resolved;
  const fault = notASeries(resolved.path);
  if (fault !== undefined) return { problem: fault };
  const limit = Number(query["limit"] ?? 1_000);
  const nowMs = deps.clock.now();
  const toMs = findInstant(String(query["to"] ?? "")) ?? nowMs + 1;
  const fromMs = findInstant(String(query["from"] ?? "")) ?? toMs - dayMs;
  if (fromMs > toMs) {
    const detail = "from is later than to";
    return { problem: { type: "bad-request", detail, errors: [{ pointer: "/from", detail }] } };
  }
  const points = await deps.twins.history({ endpoint, path: resolved.path, fromMs, toMs, limit });
  const last = points.at(-1);
  return {
    status: 200,
    body: {
      endpoint,
      path: resolved.path,
      items: points.map(({ timeMs, receivedMs, value }) => ({ time: formatInstant(timeMs), receivedAt: formatInstant(receivedMs), value })),
      next: points.length === limit && last !== undefined ? formatInstant(last.timeMs + 1) : null,
    },
  };
}

/** A series belongs to one value: an empty list for an object would read as "nothing happened". */
function notASeries(text: string): Problem | undefined {
  const path = findPath(text);
  const level = path === undefined ? "object" : levelOf(path);
  if (level === "resource" || level === "resourceInstance") return undefined;
  const detail = `${text} is an ${level}; a history belongs to a resource or a resource instance`;
  return { type: "bad-request", detail, errors: [{ pointer: "/path", detail }] };
}

async function knownValues(
  deps: TwinRoutesDeps,
  endpoint: string,
  under?: Lwm2mPath,
): Promise<readonly { readonly [field: string]: Json }[]> {
  const [twin, last, registration] = await Promise.all([
    deps.twins.find(endpoint),
    deps.registrations.findLast(endpoint),
    deps.registrations.find(endpoint),
  ]);
  const model = deviceModel(deps.registry, last);
  const freshSince = registration?.registeredAt ?? Number.POSITIVE_INFINITY;
  return Object.entries(twin?.values ?? {})
    .flatMap(([text, value]) => {
      const path = findPath(text);
      return path === undefined || (under !== undefined && !contains(under, path)) ? [] : [{ path, text, value }];
    })
    .sort((a, b) => comparePaths(a.text, b.text))
    .map(({ path, text, value }) => valueView(text, model.nameOf(path), value, freshSince));
}

function valueView(path: string, name: string | undefined, known: KnownValue, freshSince: number): { readonly [field: string]: Json } {
  const { type, value, source, observedAt, receivedAt } = known;
  return {
    path,
    ...(name === undefined ? {} : { name }),
    type,
    value,
    source,
    observedAt: formatInstant(observedAt),
    receivedAt: formatInstant(receivedAt),
    stale: receivedAt < freshSince,
  };
}

/** By number, part by part. */
function comparePaths(a: string, b: string): number {
  const left = a.split("/").map(Number);
  const right = b.split("/").map(Number);
  for (let i = 1; i < Math.max(left.length, right.length); i += 1) {
    const order = (left[i] ?? -1) - (right[i] ?? -1);
    if (order !== 0) return order;
  }
  return 0;
}

function unknownDevice(endpoint: string): Reply {
  return { problem: { type: "device-unknown", detail: `no device named ${JSON.stringify(endpoint)} has registered here` } };
}
