/** Whether a path leads somewhere and whether servers may go there (LwM2M Core 1.1 §6.3, §7). */
import type { ResourceDefinition } from "@lwm2m/object-registry/definition";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { Instance, ObjectTree, ResourceContent, TreeObject } from "./object-tree.ts";
import { type Refusal, refuse } from "./outcome.ts";

/** Keys and bootstrap accounts: no LwM2M server may touch Security, OSCORE and COSE (LwM2M Core 1.1 §6.3). */
const bootstrapOnlyObjects: ReadonlySet<number> = new Set([0, 21, 23]);

export interface Target {
  readonly ok: true;
  readonly object: TreeObject;
  readonly instance: Instance | undefined;
  readonly resource: ResourceDefinition | undefined;
  /** Undefined also for live and executable resources. */
  readonly content: ResourceContent | undefined;
}

export function isBootstrapOnly(objectId: number): boolean {
  return bootstrapOnlyObjects.has(objectId);
}

/** 4.01 for a protected object, 4.04 where the path leaves the tree; a resource that is supported but has no value yet is found. */
export function locate(tree: ObjectTree, path: Lwm2mPath): Target | Refusal {
  if (isBootstrapOnly(path.objectId)) return refuse(ResponseCode.unauthorized, `${formatPath(path)} is for the bootstrap server alone`);
  const object = tree.find(path.objectId);
  if (object === undefined) return refuse(ResponseCode.notFound, `no object ${path.objectId}`);
  if (path.instanceId === undefined) return { ok: true, object, instance: undefined, resource: undefined, content: undefined };
  const instance = object.instances.get(path.instanceId);
  if (instance === undefined) return refuse(ResponseCode.notFound, `no instance ${path.instanceId} of object ${path.objectId}`);
  if (path.resourceId === undefined) return { ok: true, object, instance, resource: undefined, content: undefined };
  const resource = object.definition.resources.get(path.resourceId);
  if (resource === undefined || !object.behaviour.supported.has(path.resourceId)) {
    return refuse(ResponseCode.notFound, `no resource ${path.resourceId} in object ${path.objectId}`);
  }
  return { ok: true, object, instance, resource, content: instance.get(path.resourceId) };
}

export function canRead(resource: ResourceDefinition): boolean {
  return resource.operations === "R" || resource.operations === "RW";
}

export function canWrite(resource: ResourceDefinition): boolean {
  return resource.operations === "W" || resource.operations === "RW";
}
