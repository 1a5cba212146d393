/** Which model reads the bytes of one device: the versions it registered, the nearest one where the registry lacks it. */
import type { ResourceTypeLookup } from "@lwm2m/protocol/lwm2m/value";
import type { ObjectDefinition, ObjectRegistry } from "./definition.ts";
import { compareVersions, findVersion, impliedVersion } from "./object-version.ts";

export interface RegisteredObject {
  readonly id: number;
  /** The `ver` of the link; absent when the device left it out. */
  readonly version?: string | undefined;
}

/**
 * The definition of an object in a registered version. Where the registry has not got it: the newest of the same major
 * version (minor versions only add, LwM2M Core 1.1 §7.2), else the newest of all.
 */
export function nearestDefinition(registry: ObjectRegistry, objectId: number, version: string): ObjectDefinition | undefined {
  const exact = registry.find(objectId, version);
  if (exact !== undefined) return exact;
  const major = findVersion(version)?.major;
  const sameMajor = registry.versionsOf(objectId).filter((known) => findVersion(known)?.major === major);
  return registry.find(objectId, sameMajor.toSorted(compareVersions).at(-1));
}

/** The definition of each registered object, by id; objects no model knows are missing. */
export function registeredDefinitions(
  registry: ObjectRegistry,
  objects: Iterable<RegisteredObject>,
  enablerVersion: string,
): ReadonlyMap<number, ObjectDefinition> {
  const definitions = new Map<number, ObjectDefinition>();
  for (const { id, version } of objects) {
    const definition = nearestDefinition(registry, id, version ?? impliedVersion(id, enablerVersion));
    if (definition !== undefined) definitions.set(id, definition);
  }
  return definitions;
}

/**
 * Types for the codecs. Objects outside the list are read by their newest version: a device may send what it did not list
 * (bootstrap, a registration that is being updated), and a type from another version reads better than none.
 */
export function typeLookup(registry: ObjectRegistry, objects: Iterable<RegisteredObject>, enablerVersion: string): ResourceTypeLookup {
  const definitions = registeredDefinitions(registry, objects, enablerVersion);
  return (objectId, resourceId) => {
    const resource = (definitions.get(objectId) ?? registry.find(objectId))?.resources.get(resourceId);
    return resource?.type === undefined ? undefined : { type: resource.type, multiple: resource.multiple };
  };
}
