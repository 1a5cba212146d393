/**
 * What may be done to a path and written to it, by the model, before anything leaves for the device (LwM2M Core 1.1 §6.3, appendix C).
 * Outcomes are values: they are shown to the caller and stored.
 */
import { formatPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue, ResourceType, ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import type { ObjectDefinition, ResourceDefinition } from "./definition.ts";
import { findRange, isWithin } from "./range.ts";

export type CheckOutcome = { readonly ok: true } | CheckFault;

export interface CheckFault {
  readonly ok: false;
  readonly reason: CheckReason;
  /** Where: a path, `/3/0/13`. Absent when only a value was checked. */
  readonly path?: string;
  readonly expected: string;
  readonly got: string;
}

/**
 * `path-not-in-model`: no such resource, or a level the model has not got; `operation-not-allowed`: the model forbids it;
 * `value-type`, `value-range`: the value does not fit; `mandatory-missing`: a new or replaced instance would be incomplete.
 */
export type CheckReason = "path-not-in-model" | "operation-not-allowed" | "value-type" | "value-range" | "mandatory-missing";

export type WriteMode = "create" | "replace" | "update" | "bootstrap";

const fine: CheckOutcome = { ok: true };

/** Type and range. The range of strings and opaque bounds the length in bytes. */
export function checkValue(value: ResourceValue, resource: ResourceDefinition): CheckOutcome {
  if (resource.operations === "E") return { ok: false, reason: "value-type", expected: "no value: it is executed", got: value.type };
  // A type the registry does not name cannot be checked.
  if (resource.type === undefined) return fine;
  if (value.type !== resource.type) return { ok: false, reason: "value-type", expected: resource.type, got: value.type };
  const limit = typeLimits.get(value.type);
  if (typeof value.value === "bigint" && limit !== undefined && (value.value < limit.min || value.value > limit.max))
    return { ok: false, reason: "value-range", expected: `${limit.min}..${limit.max}`, got: `${value.value}` };
  const range = resource.range === undefined ? undefined : findRange(resource.range, resource.type);
  if (range === undefined || isWithin(range, measureOf(value))) return fine;
  const unit = value.type === "string" || value.type === "opaque" ? " bytes" : "";
  return { ok: false, reason: "value-range", expected: `${resource.range}${unit}`, got: `${measureOf(value)}${unit}` };
}

/** Appendix C: 64 bits each. */
const typeLimits: ReadonlyMap<ResourceType, { readonly min: bigint; readonly max: bigint }> = new Map([
  ["integer", { min: -(2n ** 63n), max: 2n ** 63n - 1n }],
  ["time", { min: -(2n ** 63n), max: 2n ** 63n - 1n }],
  ["unsigned", { min: 0n, max: 2n ** 64n - 1n }],
]);

function measureOf(value: ResourceValue): bigint | number {
  switch (value.type) {
    case "integer":
    case "unsigned":
    case "time":
    case "float":
      return value.value;
    case "string":
    case "corelnk":
      return Buffer.byteLength(value.value, "utf8");
    case "opaque":
      return value.value.length;
    case "boolean":
    case "objlnk":
      return 0;
  }
}

/** The values of one write, create or bootstrap write, each against its resource; then what is missing. */
export function checkWrite(values: readonly PathValue[], object: ObjectDefinition, mode: WriteMode): CheckOutcome {
  for (const node of values) {
    const outcome = checkNode(node, object, mode);
    if (!outcome.ok) return { ...outcome, path: formatPath(node.path) };
  }
  if (mode === "update" || mode === "bootstrap") return fine;
  const instance = values[0]?.path;
  if (instance !== undefined && values.some(({ path }) => path.instanceId !== instance.instanceId)) return fine;
  return checkComplete(new Set(values.map(({ path }) => path.resourceId).filter((id) => id !== undefined)), object);
}

function checkNode({ path, value }: PathValue, object: ObjectDefinition, mode: WriteMode): CheckOutcome {
  if (path.resourceId === undefined) return fine; // An empty instance.
  const resource = object.resources.get(path.resourceId);
  if (resource === undefined) return notInModel(`a resource of ${object.name} ${object.version}`, `resource ${path.resourceId}`);
  // A new instance may set what only the device may change later: the model forbids the Write, not the initial value.
  const settable = resource.operations.includes("W") || (mode !== "replace" && mode !== "update" && resource.operations !== "E");
  if (!settable) return { ok: false, reason: "operation-not-allowed", expected: allowedOn(resource), got: "write" };
  if (path.resourceInstanceId !== undefined && !resource.multiple)
    return notInModel(`${resource.name} as a single value`, `resource instance ${path.resourceInstanceId}`);
  if (value === undefined)
    return resource.multiple ? fine : { ok: false, reason: "value-type", expected: resource.type ?? "a value", got: "nothing" };
  if (resource.multiple && path.resourceInstanceId === undefined)
    return { ok: false, reason: "value-type", expected: `resource instances of ${resource.name}`, got: "a single value" };
  return checkValue(value, resource);
}

/** Create and Replace need every mandatory resource a server may write (LwM2M Core 1.1 §6.3.3, §6.3.9). */
function checkComplete(given: ReadonlySet<number>, object: ObjectDefinition): CheckOutcome {
  const missing = [...object.resources.values()].filter(
    ({ id, mandatory, operations }) => mandatory && operations.includes("W") && !given.has(id),
  );
  if (missing.length === 0) return fine;
  const expected = missing.map(({ id, name }) => `${id} (${name})`).join(", ");
  return { ok: false, reason: "mandatory-missing", expected, got: given.size === 0 ? "no resource" : [...given].join(", ") };
}

export type PathOperation = "read" | "observe" | "discover" | "write" | "writeAttributes" | "execute" | "create" | "delete";

/** Only the bootstrap server may touch these: Security, OSCORE, COSE (LwM2M Core 1.2 §6.3). */
const bootstrapOnlyObjects: ReadonlySet<number> = new Set([0, 21, 23]);

const levelsOf: Readonly<Record<PathOperation, ReadonlySet<string>>> = {
  read: new Set(["object", "instance", "resource", "resourceInstance"]),
  observe: new Set(["object", "instance", "resource", "resourceInstance"]),
  discover: new Set(["object", "instance", "resource"]),
  write: new Set(["instance", "resource", "resourceInstance"]),
  writeAttributes: new Set(["object", "instance", "resource", "resourceInstance"]),
  execute: new Set(["resource"]),
  create: new Set(["object"]),
  delete: new Set(["instance", "resourceInstance"]),
};

/** Whether the model has the path and allows the operation on it, as a server of device management (not as bootstrap server). */
export function checkOperation(operation: PathOperation, path: Lwm2mPath, object: ObjectDefinition): CheckOutcome {
  const outcome = operationOutcome(operation, path, object);
  return outcome.ok ? outcome : { ...outcome, path: formatPath(path) };
}

function operationOutcome(operation: PathOperation, path: Lwm2mPath, object: ObjectDefinition): CheckOutcome {
  if (bootstrapOnlyObjects.has(object.id)) return notAllowed("the bootstrap server only", operation);
  if (path.instanceId !== undefined && path.instanceId !== 0 && !object.multiple)
    return notInModel(`instance 0: ${object.name} has one instance`, `instance ${path.instanceId}`);
  const resource = path.resourceId === undefined ? undefined : object.resources.get(path.resourceId);
  if (path.resourceId !== undefined && resource === undefined)
    return notInModel(`a resource of ${object.name} ${object.version}`, `resource ${path.resourceId}`);
  if (path.resourceInstanceId !== undefined && resource?.multiple === false)
    return notInModel(`${resource.name} as a single value`, `resource instance ${path.resourceInstanceId}`);
  const levels = levelsOf[operation];
  if (!levels.has(levelOf(path))) return notAllowed(`${operation} on ${[...levels].join(" or ")}`, levelOf(path));
  // Device and its like exist from the factory and stay (LwM2M Core 1.1 §6.3.9, §6.3.10).
  if ((operation === "create" || (operation === "delete" && resource === undefined)) && object.mandatory && !object.multiple)
    return notAllowed(`${object.name} has exactly one instance`, operation);
  return resource === undefined ? fine : resourceOutcome(operation, resource);
}

function resourceOutcome(operation: PathOperation, resource: ResourceDefinition): CheckOutcome {
  const needed = neededRight[operation];
  return needed === "" || resource.operations.includes(needed) ? fine : notAllowed(allowedOn(resource), operation);
}

const neededRight: Readonly<Record<PathOperation, "R" | "W" | "E" | "">> = {
  read: "R",
  observe: "R",
  discover: "",
  write: "W",
  writeAttributes: "",
  execute: "E",
  create: "",
  delete: "W",
};

function allowedOn(resource: ResourceDefinition): string {
  return `${resource.name} allows ${resource.operations === "" ? "nothing outside bootstrap" : resource.operations}`;
}

function notAllowed(expected: string, got: string): CheckFault {
  return { ok: false, reason: "operation-not-allowed", expected, got };
}

function notInModel(expected: string, got: string): CheckFault {
  return { ok: false, reason: "path-not-in-model", expected, got };
}
