/** The JSON value of a write or create as typed nodes, checked against the model before anything is stored (LwM2M Core 1.1 §6.3). */
import type { ObjectDefinition, ResourceDefinition } from "@lwm2m/object-registry/definition";
import { idIn, resourceNames } from "@lwm2m/object-registry/names";
import { type CheckFault, checkWrite, type WriteMode } from "@lwm2m/object-registry/value-check";
import { fromJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { formatPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue, ResourceType } from "@lwm2m/protocol/lwm2m/value";
import type { Json } from "../storage/collection.ts";
import { isJsonObject } from "../storage/json-object.ts";
import type { CreateRefusal } from "./operation.ts";

export type ValuesOutcome =
  | { readonly ok: true; readonly values: readonly PathValue[] }
  | { readonly ok: false; readonly refusal: CreateRefusal };

/** Nodes with the place each came from, for messages. */
interface Placed {
  readonly node: PathValue;
  readonly pointer: string;
}

class Refused extends Error {
  readonly refusal: CreateRefusal;

  constructor(refusal: CreateRefusal) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

/** `path` is an instance, a resource or a resource instance; a new instance has its own id or `unassignedInstanceId`. */
export function valuesOf(path: Lwm2mPath, value: Json | undefined, object: ObjectDefinition | undefined, mode: WriteMode): ValuesOutcome {
  try {
    const placed = nodesOf(path, value, object);
    const outcome = object === undefined ? { ok: true as const } : checkWrite(nodesIn(placed), object, mode);
    return outcome.ok ? { ok: true, values: nodesIn(placed) } : { ok: false, refusal: refusalOf(outcome, placed) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

export function refusalOf(fault: CheckFault, placed: readonly Placed[] = []): CreateRefusal {
  const where = fault.path === undefined ? "" : `${fault.path}: `;
  const detail = `${where}expected ${fault.expected}, got ${fault.got}`;
  if (fault.reason === "operation-not-allowed") {
    return { reason: fault.reason, detail: `${where}${fault.expected}; ${fault.got} is not allowed` };
  }
  if (fault.reason === "path-not-in-model") return { reason: fault.reason, detail };
  const pointer = placed.find(({ node }) => formatPath(node.path) === fault.path)?.pointer ?? "/value";
  const missing = fault.reason === "mandatory-missing" ? `mandatory resources are missing: ${fault.expected}` : detail;
  return { reason: "value-type-mismatch", detail: missing, pointer };
}

function nodesIn(placed: readonly Placed[]): readonly PathValue[] {
  return placed.map(({ node }) => node);
}

function nodesOf(path: Lwm2mPath, value: Json | undefined, object: ObjectDefinition | undefined): readonly Placed[] {
  if (value === undefined) throw mismatch("/value", "a value", "none");
  if (levelOf(path) === "instance") return instanceNodes(path, value, object);
  const resource = path.resourceId === undefined ? undefined : object?.resources.get(path.resourceId);
  if (path.resourceInstanceId !== undefined) return [scalarNode(path, value, resource?.type, "/value")];
  return resourceNodes(path, value, resource, "/value");
}

function instanceNodes(path: Lwm2mPath, value: Json, object: ObjectDefinition | undefined): readonly Placed[] {
  if (!isJsonObject(value)) throw mismatch("/value", "an object of resources", describe(value));
  const names = object === undefined ? undefined : resourceNames(object);
  const entries = Object.entries(value);
  if (entries.length === 0) return [{ node: { path }, pointer: "/value" }];
  return entries.flatMap(([key, inner]) => {
    const pointer = `/value/${escapePointer(key)}`;
    const resourceId = idIn(key, names);
    const resource = resourceId === undefined ? undefined : object?.resources.get(resourceId);
    if (resourceId === undefined || (object !== undefined && resource === undefined))
      throw new Refused({ reason: "path-not-in-model", detail: `${key} is no resource of ${object?.name ?? "this object"} (${pointer})` });
    return resourceNodes({ ...path, resourceId }, inner, resource, pointer);
  });
}

function resourceNodes(path: Lwm2mPath, value: Json, resource: ResourceDefinition | undefined, pointer: string): readonly Placed[] {
  const severalInstances = resource === undefined ? isJsonObject(value) : resource.multiple;
  if (!severalInstances) return [scalarNode(path, value, resource?.type, pointer)];
  if (!isJsonObject(value)) throw mismatch(pointer, "an object of values by resource instance id", describe(value));
  const entries = Object.entries(value);
  if (entries.length === 0) return [{ node: { path }, pointer }];
  return entries.map(([key, inner]) => {
    const resourceInstanceId = idIn(key);
    if (resourceInstanceId === undefined) throw mismatch(`${pointer}/${escapePointer(key)}`, "a resource instance id", JSON.stringify(key));
    return scalarNode({ ...path, resourceInstanceId }, inner, resource?.type, `${pointer}/${key}`);
  });
}

function scalarNode(path: Lwm2mPath, value: Json, type: ResourceType | undefined, pointer: string): Placed {
  const read = fromJsonValue(type ?? naturalType(value), value);
  if (!read.ok) throw mismatch(pointer, read.expected, read.got);
  return { node: { path, value: read.value }, pointer };
}

/** What a value without a model is written as: what its JSON form says. */
function naturalType(value: Json): ResourceType {
  switch (typeof value) {
    case "boolean":
      return "boolean";
    case "number":
      return Number.isInteger(value) ? "integer" : "float";
    default:
      return "string";
  }
}

function mismatch(pointer: string, expected: string, got: string): Refused {
  return new Refused({ reason: "value-type-mismatch", detail: `${pointer}: expected ${expected}, got ${got}`, pointer });
}

function describe(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

/** RFC 6901 §3. */
export function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The check of a value names its place in a plain write; it stood under `pointer`. */
export function placedUnder(pointer: string, refusal: CreateRefusal): CreateRefusal {
  const detail = refusal.detail.replace(/^\/value(?=[/:])/, pointer);
  return "pointer" in refusal ? { ...refusal, detail, pointer: refusal.pointer.replace(/^\/value/, pointer) } : { ...refusal, detail };
}
