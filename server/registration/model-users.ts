/** Who an object model is read for. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { nearestDefinition } from "@lwm2m/object-registry/type-lookup";
import type { CountUsers } from "../models/model-service.ts";
import type { RegistrationService } from "./registration-service.ts";

/** A registered version that no model has is read by the nearest one (LwM2M Core 1.1 §7.2): that one is in use too. */
export function modelUsers(registrations: RegistrationService, registry: ObjectRegistry): CountUsers {
  return (objectId, version) =>
    registrations.countWithObject(objectId, (registered) => nearestDefinition(registry, objectId, registered)?.version === version);
}
