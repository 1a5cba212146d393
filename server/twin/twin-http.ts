/** Last known values over REST: answered at once, whether the device is awake or asleep. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { contains, findPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
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
