/** The object model of one device: the versions it registered, or, before it ever did, the newest ones. */
import type { ObjectDefinition, ObjectRegistry } from "@lwm2m/object-registry/definition";
import { type PathNames, pathNames } from "@lwm2m/object-registry/names";
import { registeredDefinitions, typeLookup } from "@lwm2m/object-registry/type-lookup";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { ResourceTypeLookup } from "@lwm2m/protocol/lwm2m/value";
import { unknownPath } from "../models/unknown-path.ts";
import type { Registration } from "./registration.ts";

export interface DeviceModel {
  /** Undefined where no model knows the object. */
  definitionOf(objectId: number): ObjectDefinition | undefined;
  readonly typeOf: ResourceTypeLookup;
  readonly names: PathNames;
  /** A sentence about a text that `names` does not find: which part of it, and what was probably meant. */
  faultOf(text: string): string;
  /** `device/0/batteryLevel`; undefined where no model knows the whole path. */
  nameOf(path: Lwm2mPath): string | undefined;
}

export type ModelSource = Pick<Registration, "objects" | "lwm2mVersion">;

export function deviceModel(registry: ObjectRegistry, registration: ModelSource | undefined): DeviceModel {
  const objects = registration?.objects ?? [];
  const enablerVersion = registration?.lwm2mVersion ?? "1.1";
  const definitions = registeredDefinitions(registry, objects, enablerVersion);
  const definitionOf = (objectId: number): ObjectDefinition | undefined => definitions.get(objectId) ?? registry.find(objectId);
  const names = pathNames(registry, definitionOf);
  return {
    definitionOf,
    typeOf: typeLookup(registry, objects, enablerVersion),
    names,
    faultOf: (text) => unknownPath(text, registry, definitionOf),
    nameOf(path) {
      const definition = definitionOf(path.objectId);
      if (definition === undefined) return undefined;
      if (path.resourceId !== undefined && !definition.resources.has(path.resourceId)) return undefined;
      return names.format(path);
    },
  };
}

/** The path on the wire: below the alternate root of the device, where it has one (LwM2M Core 1.1 §6.2.1). */
export function uriPath({ rootPath }: Pick<Registration, "rootPath">, path: Lwm2mPath): readonly string[] {
  const root = rootPath.split("/").filter((segment) => segment !== "");
  return [...root, ...formatPath(path).slice(1).split("/")];
}
