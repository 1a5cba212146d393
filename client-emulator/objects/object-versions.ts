/** Which version of each object the device implements, by the LwM2M release it speaks. */
import type { ObjectDefinition, ObjectRegistry } from "@lwm2m/object-registry/definition";

export type Lwm2mVersion = "1.0" | "1.1";

const versionsByRelease: Readonly<Record<Lwm2mVersion, ReadonlyMap<number, string>>> = {
  "1.0": new Map(),
  // LwM2M Core 1.1 appendix E; /5 is ahead of its table (1.0) for Cancel, which the object list says with `ver`.
  "1.1": new Map([
    [0, "1.1"],
    [1, "1.1"],
    [3, "1.1"],
    [4, "1.2"],
    [5, "1.1"],
  ]),
};

/** Throws when the catalogue lacks the object: the emulator cannot run without it. */
export function definitionFor(registry: ObjectRegistry, release: Lwm2mVersion, objectId: number): ObjectDefinition {
  const version = versionsByRelease[release].get(objectId) ?? "1.0";
  const definition = registry.find(objectId, version);
  if (definition === undefined) throw new Error(`the catalogue has no object ${objectId} version ${version}`);
  return definition;
}
