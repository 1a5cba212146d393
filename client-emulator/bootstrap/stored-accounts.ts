/** Objects 0 and 1 as a state file keeps them: what a bootstrap server wrote outlives a power cut. It holds the device's keys. */
import { fromJsonValue, type JsonScalar, toJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { findPath, formatPath, pathOf } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue, ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import { securityObjectId } from "../objects/security-object.ts";
import { serverObjectId } from "../objects/server-object.ts";
import { contentsOf } from "../tree/contents.ts";
import type { Instance, ObjectTree, TreeObject } from "../tree/object-tree.ts";

/** Path and value, such as `["/0/0/10", 101]`. */
export type StoredValue = readonly [string, JsonScalar];

const accountObjects: readonly number[] = [securityObjectId, serverObjectId];

export function storeAccounts(tree: ObjectTree): readonly StoredValue[] {
  return accountObjects.flatMap((objectId) =>
    [...(tree.find(objectId)?.instances ?? [])].flatMap(([id, instance]) => valuesOf(objectId, id, instance)),
  );
}

/** Replaces what the tree holds of both objects. False, and nothing done, for values that do not fit this device. */
export function restoreAccounts(tree: ObjectTree, stored: readonly StoredValue[]): boolean {
  const values = stored.map(([path, json]) => readValue(tree, path, json));
  const read = values.flatMap((value) => value ?? []);
  if (read.length < values.length) return false;
  const objects = accountObjects.flatMap((objectId) => tree.find(objectId) ?? []);
  const instances = objects.map((object) => instancesFrom(object, read));
  if (instances.includes(undefined)) return false;
  objects.forEach((object, index) => {
    object.instances.clear();
    for (const [id, instance] of instances[index] ?? []) object.instances.set(id, instance);
  });
  return true;
}

function valuesOf(objectId: number, instanceId: number, instance: Instance): readonly StoredValue[] {
  return [...instance].flatMap(([resourceId, content]): readonly StoredValue[] => {
    const ids = [objectId, instanceId, resourceId];
    if (!content.multiple) return [stored(ids, content.value)];
    return [...content.values].map(([id, value]) => stored([...ids, id], value));
  });
}

function stored(ids: readonly number[], value: ResourceValue): StoredValue {
  return [formatPath(pathOf(ids)), toJsonValue(value)];
}

function readValue(tree: ObjectTree, text: string, json: JsonScalar): PathValue | undefined {
  const path = findPath(text);
  if (path?.instanceId === undefined || path.resourceId === undefined || !accountObjects.includes(path.objectId)) return undefined;
  const type = tree.typeOf(path.objectId, path.resourceId)?.type;
  const reading = type === undefined ? undefined : fromJsonValue(type, json);
  return reading?.ok === true ? { path, value: reading.value } : undefined;
}

function instancesFrom(object: TreeObject, values: readonly PathValue[]): ReadonlyMap<number, Instance> | undefined {
  const { definition, behaviour } = object;
  const own = values.filter(({ path }) => path.objectId === definition.id);
  const instances = new Map<number, Instance>();
  for (const instanceId of new Set(own.flatMap(({ path }) => path.instanceId ?? []))) {
    const outcome = contentsOf(
      definition,
      behaviour.supported,
      own.filter(({ path }) => path.instanceId === instanceId),
    );
    if (!outcome.ok) return undefined;
    instances.set(instanceId, new Map(outcome.contents));
  }
  return instances;
}
