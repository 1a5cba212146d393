/** Which paths hold what nobody is to see: keys, passwords, and all that a device only takes. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { isCredentialObject, secretResourcesOf } from "@lwm2m/object-registry/secret-resource";
import type { Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { DeviceModel } from "./device-model.ts";

/** A resource, or an instance of it. Where no model knows the object nothing tells. */
export function isSecretPath({ objectId, resourceId }: Lwm2mPath, { definitionOf }: Pick<DeviceModel, "definitionOf">): boolean {
  if (isCredentialObject(objectId)) return true;
  const definition = resourceId === undefined ? undefined : definitionOf(objectId);
  return definition !== undefined && resourceId !== undefined && secretResourcesOf(definition).has(resourceId);
}

/** By the newest models. */
export function newestModels(registry: ObjectRegistry): Pick<DeviceModel, "definitionOf"> {
  return { definitionOf: (objectId) => registry.find(objectId) };
}
