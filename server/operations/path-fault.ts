/** Whether the device has the path and its model allows the operation there, before anything is stored (LwM2M Core 1.1 §6.3). Pure. */
import { checkOperation, type PathOperation } from "@lwm2m/object-registry/value-check";
import { formatPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import type { DeviceModel } from "../registration/device-model.ts";
import type { CreateRefusal } from "./operation.ts";
import { type PlanTarget, unseenTarget } from "./operation-plan.ts";
import { refusalOf } from "./operation-value.ts";

export function pathFault(operation: PathOperation, path: Lwm2mPath, target: PlanTarget, model: DeviceModel): CreateRefusal | undefined {
  const registered = target === unseenTarget || target.objects.some(({ id }) => id === path.objectId);
  if (!registered && !isBootstrapOnly(path)) {
    return { reason: "path-not-in-model", detail: `the device has not registered object ${path.objectId}` };
  }
  const definition = model.definitionOf(path.objectId);
  if (definition === undefined) return isBootstrapOnly(path) ? bootstrapOnly(path) : levelFault(operation, path);
  const outcome = checkOperation(operation, path, definition);
  return outcome.ok ? undefined : refusalOf(outcome);
}

/** Of text that is no path at all. */
export function noPath(text: string): CreateRefusal {
  return { reason: "path-not-in-model", detail: `${text} is no path to an object, instance or resource` };
}

/** Security, OSCORE and COSE are never registered and never a management server's business (LwM2M Core 1.1 §6.3). */
function isBootstrapOnly({ objectId }: Lwm2mPath): boolean {
  return objectId === 0 || objectId === 21 || objectId === 23;
}

function bootstrapOnly({ objectId }: Lwm2mPath): CreateRefusal {
  return { reason: "operation-not-allowed", detail: `object ${objectId} belongs to the bootstrap server` };
}

/** Without a model only the level of the path can be wrong. */
function levelFault(operation: PathOperation, path: Lwm2mPath): CreateRefusal | undefined {
  const level = levelOf(path);
  const wrong =
    (operation === "create" && level !== "object") ||
    (operation === "execute" && level !== "resource") ||
    (operation === "write" && level === "object") ||
    (operation === "delete" && level !== "instance" && level !== "resourceInstance");
  return wrong ? { reason: "operation-not-allowed", detail: `${operation} does not apply to the ${level} ${formatPath(path)}` } : undefined;
}
