/** Last known values over REST: answered at once, whether the device is awake or asleep. */
import { findPath } from "@lwm2m/protocol/lwm2m/path";
import type { Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { OperationDoor } from "../operations/operation-door.ts";
import { operationHeaders, operationReplies } from "../operations/operation-http.ts";
import type { OperationService } from "../operations/operation-service.ts";
import { operationProblem } from "../operations/operation-view.ts";
import { desiredRoutes } from "./desired-http.ts";
import type { DesiredService } from "./desired-service.ts";
import { type KnownValuesDeps, knownValueSchema, knownValues } from "./known-values.ts";
import type { TwinService } from "./twin-service.ts";

export interface TwinRoutesDeps extends KnownValuesDeps {
  readonly twins: TwinService;
  readonly desired: DesiredService;
  readonly operations: Pick<OperationService, "find">;
  readonly devices: Devices;
  readonly door: OperationDoor;
}

const valuesSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "values"],
  properties: {
    endpoint: { type: "string" },
    path: { type: "string" },
    value: { description: "only when the path is one value" },
    values: { type: "array", items: knownValueSchema },
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
    ...desiredRoutes(deps),
  ];
}

async function listAll(deps: TwinRoutesDeps, { params }: RouteRequest): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  if (!(await deps.devices.isKnown(endpoint))) return unknownDevice(endpoint);
  return { status: 200, body: { endpoint, values: await valuesUnder(deps, endpoint) } };
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
  const values = await valuesUnder(deps, endpoint, resolved.path);
  if (values.length === 0 && !live) {
    const detail = `no value of ${resolved.path} has been read or reported yet; live=true asks the device`;
    return { problem: { type: "value-unknown", detail } };
  }
  const [only] = values;
  const single = values.length === 1 && only !== undefined && only["path"] === resolved.path ? only : {};
  return { status: 200, body: { endpoint, path: resolved.path, ...single, values } };
}

async function valuesUnder(deps: TwinRoutesDeps, endpoint: string, path?: string) {
  const [twin, desired] = await Promise.all([deps.twins.find(endpoint), deps.desired.find(endpoint)]);
  return knownValues(deps, { endpoint, twin, desired, under: path === undefined ? undefined : findPath(path) });
}
