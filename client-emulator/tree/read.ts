/** Read at every level (LwM2M Core 1.1 §6.3.1). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { canRead, locate } from "./access.ts";
import { type Instance, instancesOf, type ObjectTree, type ResourceContent, type TreeObject } from "./object-tree.ts";
import { type Refusal, refuse } from "./outcome.ts";

export type ReadOutcome = { readonly ok: true; readonly values: readonly PathValue[] } | Refusal;

export function read(tree: ObjectTree, path: Lwm2mPath): ReadOutcome {
  const target = locate(tree, path);
  if (!target.ok) return target;
  const { object, instance, resource } = target;
  if (instance === undefined) {
    const values = instancesOf(object).flatMap(([id, each]) => instanceValues(object, { objectId: path.objectId, instanceId: id }, each));
    return { ok: true, values };
  }
  const instanceId = path.instanceId ?? 0;
  if (resource === undefined) return { ok: true, values: instanceValues(object, { objectId: path.objectId, instanceId }, instance) };
  if (!canRead(resource)) return refuse(ResponseCode.methodNotAllowed, `${formatPath(path)} is not readable`);
  if (path.resourceInstanceId !== undefined && !resource.multiple) {
    return refuse(ResponseCode.methodNotAllowed, `${formatPath(path)}: the resource has no instances`);
  }
  const content = contentOf(object, instance, instanceId, resource.id);
  if (content === undefined) return refuse(ResponseCode.notFound, `${formatPath(path)} has no value`);
  const values = contentValues({ objectId: path.objectId, instanceId, resourceId: resource.id }, content);
  if (path.resourceInstanceId === undefined) return { ok: true, values };
  const one = values.filter((value) => value.path.resourceInstanceId === path.resourceInstanceId);
  return one.length === 0 ? refuse(ResponseCode.notFound, `no ${formatPath(path)}`) : { ok: true, values: one };
}

/** Every value of an instance, readable or not: what a bootstrap server reads (LwM2M Core 1.1 §6.1.7.4). */
export function readAll(object: TreeObject, instanceId: number): readonly PathValue[] {
  const instance = object.instances.get(instanceId);
  if (instance === undefined) return [];
  return [...instance].flatMap(([resourceId, content]) =>
    contentValues({ objectId: object.definition.id, instanceId, resourceId }, content),
  );
}

/** The number a resource or resource instance holds, for gt, lt and st; undefined where there is no single one. */
export function numberAt(values: readonly PathValue[]): number | undefined {
  const [only, ...others] = values;
  if (only?.value === undefined || others.length > 0) return undefined;
  switch (only.value.type) {
    case "integer":
    case "unsigned":
    case "time":
      return Number(only.value.value);
    case "float":
      return only.value.value;
    case "string":
    case "boolean":
    case "opaque":
    case "objlnk":
    case "corelnk":
      return undefined;
  }
}

function instanceValues(object: TreeObject, path: { objectId: number; instanceId: number }, instance: Instance): readonly PathValue[] {
  const values = [...object.behaviour.supported]
    .sort((a, b) => a - b)
    .flatMap((resourceId) => {
      const resource = object.definition.resources.get(resourceId);
      // Reading a whole instance skips what cannot be read (LwM2M Core 1.1 §6.3.1).
      if (resource === undefined || !canRead(resource)) return [];
      const content = contentOf(object, instance, path.instanceId, resourceId);
      return content === undefined ? [] : contentValues({ ...path, resourceId }, content);
    });
  return values.length === 0 ? [{ path }] : values;
}

function contentOf(object: TreeObject, instance: Instance, instanceId: number, resourceId: number): ResourceContent | undefined {
  const live = object.behaviour.live?.(instanceId, resourceId);
  return live === undefined ? instance.get(resourceId) : { multiple: false, value: live };
}

function contentValues(path: Lwm2mPath, content: ResourceContent): readonly PathValue[] {
  if (!content.multiple) return [{ path, value: content.value }];
  if (content.values.size === 0) return [{ path }];
  return [...content.values].map(([resourceInstanceId, value]) => ({ path: { ...path, resourceInstanceId }, value }));
}
