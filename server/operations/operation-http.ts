/** Operations over REST: the one way to act on a device, awake or asleep. */
import type { Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import { idOf, limitParameter, pageIn, pageOf, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import { outlookProperties } from "../outlook/outlook-view.ts";
import type { Operation, OperationRequest } from "./operation.ts";
import type { OperationDoor } from "./operation-door.ts";
import { operationRequestSchema, readOperationRequest } from "./operation-request.ts";
import type { OperationService } from "./operation-service.ts";
import { operationSchema } from "./operation-view.ts";
import { inPlannedOrder, wakeUpSchemas } from "./queue-view.ts";

export interface OperationRoutesDeps {
  readonly operations: OperationService;
  readonly devices: Devices;
  readonly door: OperationDoor;
}

const pageQuery: { readonly [name: string]: JsonSchema } = {
  limit: limitParameter,
  after: { type: "string", pattern: "^[0-9A-HJKMNP-TV-Z]{26}$", description: "`next` of the page before" },
};

const openQuery: JsonSchema = { type: "boolean", description: "only those that are not final, or only those that are" };

const pageSchema = pageSchemaOf(operationSchema);

const queueSchema: JsonSchema = {
  type: "object",
  required: ["items", "awake", "nextExpectedContact", "waitingFor", ...Object.keys(wakeUpSchemas)],
  properties: {
    items: { type: "array", items: operationSchema },
    awake: { type: "boolean" },
    nextExpectedContact: { type: ["string", "null"], format: "date-time" },
    ...outlookProperties,
    ...wakeUpSchemas,
  },
};

/** Headers and replies of every address that makes an operation. */
export const operationHeaders: NonNullable<Route["headers"]> = ["Prefer", "Idempotency-Key"];

export const operationReplies: Route["replies"] = {
  200: { description: "The operation is final", schema: operationSchema },
  202: { description: "The operation waits for the device or its answer; it stands at Location", schema: operationSchema },
};

export function operationRoutes(deps: OperationRoutesDeps): Route[] {
  return [
    {
      method: "POST",
      path: "/devices/{endpoint}/operations",
      name: "createOperation",
      summary:
        "Acts on the device, now or when it wakes. Prefer: wait=N holds the reply up to N seconds; without it 10 seconds for a device that is awake, none for one asleep. A final operation is 200, whatever its status; one that goes on is 202 with Location. Idempotency-Key is honoured for a day.",
      body: operationRequestSchema,
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => create(deps, request),
    },
    {
      method: "GET",
      path: "/operations",
      name: "listOperations",
      summary: "Operations, newest first, of all devices or of one",
      query: {
        ...pageQuery,
        endpoint: { type: "string" },
        open: openQuery,
      },
      replies: { 200: { description: "A page of operations", schema: pageSchema } },
      handle: (request) => list(deps, request),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}/operations",
      name: "listDeviceOperations",
      summary: "Operations of one device, newest first",
      query: { ...pageQuery, open: openQuery },
      replies: { 200: { description: "A page of operations", schema: pageSchema } },
      handle: (request) => listOfDevice(deps, request),
    },
    {
      method: "GET",
      path: "/operations/{id}",
      name: "getOperation",
      summary: "One operation; with Prefer: wait=N the reply is held until it is final",
      headers: ["Prefer"],
      replies: { 200: { description: "The operation", schema: operationSchema } },
      handle: (request) => get(deps, request),
    },
    {
      method: "POST",
      path: "/operations/{id}:cancel",
      name: "cancelOperation",
      summary: "Takes back an operation that has not been sent; 409 for any other",
      replies: { 200: { description: "The cancelled operation", schema: operationSchema } },
      handle: (request) => cancel(deps, request),
    },
    {
      method: "POST",
      path: "/operations/{id}:retry",
      name: "retryOperation",
      summary:
        "Makes a new operation like one that failed, expired or was cancelled, with a new time to live and the same notBefore; 409 for any other",
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => retry(deps, request),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}/queue",
      name: "getQueue",
      summary:
        "What waits for the device, in the order in which it will be sent, and the exchanges of its next wake-up with what they cost",
      query: { limit: { ...limitParameter, description: "of `items`" } },
      replies: { 200: { description: "The operations that are not final, and the plan", schema: queueSchema } },
      handle: (request) => queue(deps, request),
    },
  ];
}

async function create({ door }: OperationRoutesDeps, request: RouteRequest): Promise<Reply> {
  const read = readOperationRequest(request.body);
  if (!read.ok) return { problem: read.problem };
  const submitted = await door.submit(request, request.params["endpoint"] ?? "", read.request);
  return "problem" in submitted ? submitted : door.reply(submitted.operation);
}

async function listOfDevice(deps: OperationRoutesDeps, request: RouteRequest): Promise<Reply> {
  const endpoint = request.params["endpoint"] ?? "";
  if (!(await deps.devices.isKnown(endpoint))) return unknownDevice(endpoint);
  return list(deps, { query: { ...request.query, endpoint } });
}

async function list({ operations, door }: OperationRoutesDeps, { query }: Pick<RouteRequest, "query">): Promise<Reply> {
  const { endpoint, open } = query;
  const page = pageIn(query);
  const found = await operations.list({
    ...page,
    ...(typeof endpoint === "string" ? { endpoint } : {}),
    ...(typeof open === "boolean" ? { open } : {}),
  });
  return pageOf(found, page.limit, (operation) => door.view(operation), idOf);
}

async function get({ operations, door }: OperationRoutesDeps, { params, preferWaitMs, signal }: RouteRequest): Promise<Reply> {
  const id = params["id"] ?? "";
  const operation = await operations.waitFor(id, preferWaitMs ?? 0, signal);
  if (operation === undefined) return unknownOperation(id);
  return { status: 200, body: door.view(operation, await door.outlook(operation.endpoint)) };
}

async function cancel({ operations, door }: OperationRoutesDeps, { params }: RouteRequest): Promise<Reply> {
  const id = params["id"] ?? "";
  const outcome = await operations.cancel(id);
  if (outcome.ok) return { status: 200, body: door.view(outcome.operation) };
  if (outcome.reason === "operation-unknown") return unknownOperation(id);
  const present = await operations.find(id);
  if (present === undefined) return unknownOperation(id);
  const why = present.open ? "it is on its way to the device" : `it is ${present.status}`;
  return { problem: { type: "conflict", detail: `operation ${id} cannot be taken back: ${why}` } };
}

async function retry({ operations, door }: OperationRoutesDeps, request: RouteRequest): Promise<Reply> {
  const id = request.params["id"] ?? "";
  const operation = await operations.find(id);
  if (operation === undefined) return unknownOperation(id);
  if (operation.open || operation.status === "succeeded") {
    return {
      problem: {
        type: "conflict",
        detail: `operation ${id} is ${operation.status}: only what failed, expired or was cancelled is tried again`,
      },
    };
  }
  const submitted = await door.submit(request, operation.endpoint, requestOf(operation));
  return "problem" in submitted ? submitted : door.reply(submitted.operation);
}

async function queue({ operations, devices, door }: OperationRoutesDeps, { params, query }: RouteRequest): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  if (!(await devices.isKnown(endpoint))) return unknownDevice(endpoint);
  const outlook = await door.outlook(endpoint);
  const waiting = await operations.wakeUp(endpoint);
  const items = inPlannedOrder(waiting).slice(0, pageIn(query).limit);
  return {
    status: 200,
    body: { items: items.map((operation) => door.view(operation, outlook)), ...door.wakeUp(waiting, outlook) },
  };
}

/** What was asked for, without what became of it; it gets a new time to live, and is not sent earlier than it was to be. */
function requestOf(operation: Operation): OperationRequest {
  const { kind, path, paths, values, value, mode, instanceId, instances, arguments: args, attributes, depth } = operation;
  const { onOffline, retryExecute, supersedeKey, priority, notBefore } = operation;
  const wanted: { [field: string]: unknown } = {
    ...{ kind, path, paths, values, value, mode, instanceId, instances, arguments: args, attributes, depth },
    ...{ onOffline, retryExecute, supersedeKey, priority, notBefore },
  };
  for (const [field, given] of Object.entries(wanted)) if (given === undefined) delete wanted[field];
  return wanted as unknown as OperationRequest;
}

function unknownOperation(id: string): Reply {
  return { problem: { type: "operation-unknown", detail: `no operation has the id ${JSON.stringify(id)}` } };
}
