/** Path-shaped shortcuts to operations: PUT writes, POST creates or updates, DELETE deletes, and the verbs by name. */
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { OperationRequest } from "./operation.ts";
import type { OperationDoor } from "./operation-door.ts";
import { operationHeaders, operationReplies } from "./operation-http.ts";
import {
  attributesSchema,
  executeArgumentsSchema,
  findForeignField,
  instancesSchema,
  prioritySchema,
  requestFault,
} from "./operation-request.ts";
import { operationProblem } from "./operation-view.ts";

const at = "/devices/{endpoint}/resources/{path...}";
const waiting = "Waits like createOperation; what the device refuses is 502 with its coapCode, no answer is 504.";

const valueBody: JsonSchema = {
  type: "object",
  required: ["value"],
  additionalProperties: false,
  properties: { value: {}, onOffline: { enum: ["queue", "fail"] }, priority: prioritySchema },
};

const postBody: JsonSchema = {
  type: "object",
  minProperties: 1,
  additionalProperties: false,
  properties: {
    value: {},
    instanceId: { type: "integer", minimum: 0, maximum: 65_534 },
    instances: instancesSchema,
    onOffline: { enum: ["queue", "fail"] },
    priority: prioritySchema,
  },
};

const executeBody: JsonSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    arguments: executeArgumentsSchema,
    retryExecute: { type: "boolean" },
    onOffline: { enum: ["queue", "fail"] },
    priority: prioritySchema,
  },
};

const observeBody: JsonSchema = { type: "object", additionalProperties: false, properties: { attributes: attributesSchema } };

type Fields = Omit<OperationRequest, "kind" | "path">;

export function resourceRoutes(door: OperationDoor): Route[] {
  const act = (request: RouteRequest, kind: OperationRequest["kind"], more: Fields = {}) => submit(door, request, kind, more);
  return [
    {
      method: "PUT",
      path: at,
      name: "writeResource",
      summary: `Writes a resource, or replaces an instance: { "value": … }. ${waiting}`,
      body: valueBody,
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => act(request, "write", fieldsOf(request)),
    },
    {
      method: "POST",
      path: at,
      name: "postResource",
      summary: `On an object creates an instance, or several: { "instances": { "1": …, "2": … } }; on an instance or a multi-instance resource updates what is named: { "value": … }. ${waiting}`,
      body: postBody,
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => post(door, request),
    },
    {
      method: "DELETE",
      path: at,
      name: "deleteInstance",
      summary: `Deletes an object instance on the device, or (LwM2M 1.2) a resource instance. ${waiting}`,
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => act(request, "delete"),
    },
    {
      method: "POST",
      path: `${at}:execute`,
      name: "executeResource",
      summary: `Executes a resource; never repeated by itself. ${waiting}`,
      body: executeBody,
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => act(request, "execute", fieldsOf(request)),
    },
    {
      method: "GET",
      path: `${at}:discover`,
      name: "discoverResource",
      summary: `Asks the device what is below the path, with the attributes attached there and those in effect by inheritance. ${waiting}`,
      query: { depth: { type: "integer", minimum: 0, maximum: 3, description: "levels below the path" } },
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => act(request, "discover", request.query["depth"] === undefined ? {} : { depth: Number(request.query["depth"]) }),
    },
    {
      method: "PUT",
      path: `${at}/observation`,
      name: "observeResource",
      summary: `Observes the path, from now on and again after every registration: { "attributes": { "pmin": 10 } }. ${waiting}`,
      body: observeBody,
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => act(request, "observe", fieldsOf(request)),
    },
    {
      method: "DELETE",
      path: `${at}/observation`,
      name: "cancelObservation",
      summary: `Ends the observation of the path. ${waiting}`,
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => act(request, "cancelObserve"),
    },
  ];
}

async function post(door: OperationDoor, request: RouteRequest): Promise<Reply> {
  const resolved = await door.findPath(request.params["endpoint"] ?? "", request.params["path"] ?? "");
  if ("problem" in resolved) return resolved;
  const isObject = resolved.path.split("/").length === 2;
  const fields = fieldsOf(request);
  const isEmpty = fields.value === undefined && (!isObject || fields.instances === undefined);
  const kind = isObject ? "create" : "write";
  const fault = isEmpty ? requestFault("/value", "POST needs it") : findForeignField({ kind, ...fields });
  if (fault !== undefined) return { problem: fault };
  return submit(door, request, kind, isObject ? fields : { ...fields, mode: "update" });
}

async function submit(door: OperationDoor, request: RouteRequest, kind: OperationRequest["kind"], more: Fields): Promise<Reply> {
  const submitted = await door.submit(request, request.params["endpoint"] ?? "", { ...more, kind, path: request.params["path"] ?? "" });
  if ("problem" in submitted) return submitted;
  const problem = operationProblem(submitted.operation);
  return problem === undefined ? door.reply(submitted.operation) : { problem };
}

/** The schema has checked the body. */
function fieldsOf({ body }: RouteRequest): Fields {
  return (body ?? {}) as { readonly [field: string]: Json } as Fields;
}
