/** An operation as it may be shown: without the values of resources that nobody can read (LwM2M Core 1.1 appendix D.1: W). Pure. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import { idIn, resourceNames } from "@lwm2m/object-registry/names";
import { findPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import type { DeviceModel } from "../registration/device-model.ts";
import type { Json } from "../storage/collection.ts";
import type { OperationRequest } from "./operation.ts";

export interface Shown<T extends OperationRequest> {
  readonly operation: T;
  /** Something was left out. */
  readonly hides: boolean;
}

export function withoutUnreadable<T extends OperationRequest>(operation: T, { definitionOf }: DeviceModel): Shown<T> {
  const isUnreadable = (text: string): boolean => {
    const path = findPath(text);
    return path?.resourceId !== undefined && definitionOf(path.objectId)?.resources.get(path.resourceId)?.operations === "W";
  };
  if (operation.values !== undefined) {
    const values = Object.fromEntries(Object.entries(operation.values).filter(([text]) => !isUnreadable(text)));
    const hides = Object.keys(values).length < Object.keys(operation.values).length;
    return hides ? { operation: { ...operation, values }, hides } : { operation, hides };
  }
  if (operation.value === undefined) return { operation, hides: false };
  const { value, ...rest } = operation;
  // The type is the same but for a member that is optional in it.
  if (isUnreadable(operation.path)) return { operation: rest as T, hides: true };
  const path = findPath(operation.path);
  const definition = path === undefined ? undefined : definitionOf(path.objectId);
  if (path === undefined || definition === undefined || !(levelOf(path) === "instance" || operation.kind === "create")) {
    return { operation, hides: false };
  }
  const readable = readableMembers(value, definition);
  return readable === undefined ? { operation, hides: false } : { operation: { ...operation, value: readable }, hides: true };
}

/** Of the value of an instance; undefined: all of it may be shown. */
function readableMembers(value: Json, definition: ObjectDefinition): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const names = resourceNames(definition);
  const members = Object.entries(value);
  const readable = members.filter(([key]) => definition.resources.get(idIn(key, names) ?? -1)?.operations !== "W");
  return readable.length === members.length ? undefined : Object.fromEntries(readable);
}
