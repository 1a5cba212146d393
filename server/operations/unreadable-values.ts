/** An operation as it may be shown: without the values that nobody is to see. Pure. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import { idIn, resourceNames } from "@lwm2m/object-registry/names";
import { secretResourcesOf } from "@lwm2m/object-registry/secret-resource";
import { findPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import type { DeviceModel } from "../registration/device-model.ts";
import { isSecretPath } from "../registration/secret-paths.ts";
import type { Json } from "../storage/collection.ts";
import type { CreateRefusal, OperationRequest } from "./operation.ts";

export interface Shown<T extends OperationRequest> {
  readonly operation: T;
  /** Something was left out. */
  readonly hides: boolean;
}

export function withoutUnreadable<T extends OperationRequest>(operation: T, model: Pick<DeviceModel, "definitionOf">): Shown<T> {
  const isUnreadable = (text: string): boolean => {
    const path = findPath(text);
    return path !== undefined && isSecretPath(path, model);
  };
  if (operation.values !== undefined) {
    const values = Object.fromEntries(Object.entries(operation.values).filter(([text]) => !isUnreadable(text)));
    const hides = Object.keys(values).length < Object.keys(operation.values).length;
    return hides ? { operation: { ...operation, values }, hides } : { operation, hides };
  }
  if (operation.instances !== undefined) return withoutUnreadableInstances(operation, operation.instances, model);
  if (operation.value === undefined) return { operation, hides: false };
  const { value, ...rest } = operation;
  // The type is the same but for a member that is optional in it.
  if (isUnreadable(operation.path)) return { operation: rest as T, hides: true };
  const path = findPath(operation.path);
  const definition = path === undefined ? undefined : model.definitionOf(path.objectId);
  if (path === undefined || definition === undefined || !(levelOf(path) === "instance" || operation.kind === "create")) {
    return { operation, hides: false };
  }
  const readable = readableMembers(value, definition);
  return readable === undefined ? { operation, hides: false } : { operation: { ...operation, value: readable }, hides: true };
}

function withoutUnreadableInstances<T extends OperationRequest>(
  operation: T,
  instances: NonNullable<OperationRequest["instances"]>,
  model: Pick<DeviceModel, "definitionOf">,
): Shown<T> {
  const path = findPath(operation.path);
  const definition = path === undefined ? undefined : model.definitionOf(path.objectId);
  if (definition === undefined) return { operation, hides: false };
  const readable = Object.entries(instances).map(([id, value]) => [id, value, readableMembers(value, definition)] as const);
  if (readable.every(([, , members]) => members === undefined)) return { operation, hides: false };
  const shown = Object.fromEntries(readable.map(([id, value, members]) => [id, members ?? value]));
  return { operation: { ...operation, instances: shown }, hides: true };
}

/** Why a request is refused, without the value that was given. */
export function withoutValue(refusal: CreateRefusal): CreateRefusal {
  return refusal.reason === "value-type-mismatch" ? { ...refusal, detail: "the value does not fit the resource" } : refusal;
}

/** Of the value of an instance; undefined: all of it may be shown. */
function readableMembers(value: Json, definition: ObjectDefinition): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const names = resourceNames(definition);
  const members = Object.entries(value);
  const secrets = secretResourcesOf(definition);
  const readable = members.filter(([key]) => !secrets.has(idIn(key, names) ?? -1));
  return readable.length === members.length ? undefined : Object.fromEntries(readable);
}
