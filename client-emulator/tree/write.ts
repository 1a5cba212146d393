/** Write, Create and Delete (LwM2M Core 1.1 §6.3.3, §6.3.5, §6.3.6): all of a request or nothing of it. */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatPath, type Lwm2mPath, maxIdentifier } from "@lwm2m/protocol/lwm2m/path";
import { unassignedInstanceId } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { canWrite, locate, type Target } from "./access.ts";
import { contentsOf } from "./contents.ts";
import type { Instance, ObjectTree, ResourceContent, TreeObject } from "./object-tree.ts";
import { type Done, done, type Refusal, refuse } from "./outcome.ts";

export type WriteMode = "replace" | "update";
export interface CheckedWrite {
  readonly ok: true;
  readonly object: TreeObject;
  readonly instance: Instance;
  readonly path: Lwm2mPath;
  readonly mode: WriteMode;
  readonly contents: ReadonlyMap<number, ResourceContent>;
}

export type CreateOutcome = { readonly ok: true; readonly created: readonly number[] } | Refusal;

export function write(tree: ObjectTree, path: Lwm2mPath, mode: WriteMode, values: readonly PathValue[]): Done | Refusal {
  const checked = checkWrite(tree, path, mode, values);
  return checked.ok ? apply(tree, checked) : checked;
}

/** What a write would do, or why it would not; changes nothing. */
export function checkWrite(tree: ObjectTree, path: Lwm2mPath, mode: WriteMode, values: readonly PathValue[]): CheckedWrite | Refusal {
  const target = locate(tree, path);
  if (!target.ok) return target;
  const { object, instance, resource } = target;
  // Only a bootstrap server writes a whole object; POST on an object is Create (LwM2M Core 1.1 §6.3.3).
  if (instance === undefined) return refuse(ResponseCode.methodNotAllowed, `${formatPath(path)} is no target of a write`);
  if (resource !== undefined && !canWrite(resource)) return refuse(ResponseCode.methodNotAllowed, `${formatPath(path)} is not writable`);
  if (path.resourceInstanceId !== undefined && resource?.multiple === false) {
    return refuse(ResponseCode.methodNotAllowed, `${formatPath(path)}: the resource has no instances`);
  }
  const decoded = contentsOf(object.definition, object.behaviour.supported, values);
  if (!decoded.ok) return decoded;
  const emptied = path.resourceId !== undefined && mode === "replace";
  const contents = emptied ? filledIn(path.resourceId, decoded.contents, resource?.multiple) : decoded.contents;
  return problemOf(target, path, mode, contents) ?? { ok: true, object, instance, path, mode, contents };
}

/** One or several instances; what stands under `unassignedInstanceId` becomes one the device numbers (LwM2M Core 1.1 §6.3.5). */
export function create(tree: ObjectTree, objectId: number, values: readonly PathValue[]): CreateOutcome {
  const target = locate(tree, { objectId });
  if (!target.ok) return target;
  const { definition, behaviour, instances } = target.object;
  const { newInstance } = behaviour;
  if (newInstance === undefined) return refuse(ResponseCode.methodNotAllowed, `object ${objectId} takes no new instances`);
  const fresh = new Map<number, Instance>();
  for (const [wanted, own] of byInstance(values)) {
    const instanceId = wanted === unassignedInstanceId ? freeId(instances, fresh) : wanted;
    if (instances.has(instanceId)) return refuse(ResponseCode.badRequest, `/${objectId}/${instanceId} exists already`);
    if (!definition.multiple && instanceId !== 0) return refuse(ResponseCode.badRequest, `object ${objectId} has instance 0 only`);
    const decoded = contentsOf(definition, behaviour.supported, own);
    if (!decoded.ok) return decoded;
    const instance = newInstance();
    for (const [resourceId, content] of decoded.contents) {
      const resource = definition.resources.get(resourceId);
      // What only the device may set is its own business, also at birth.
      if (resource !== undefined && canWrite(resource)) instance.set(resourceId, content);
    }
    fresh.set(instanceId, instance);
  }
  for (const [id, instance] of fresh) instances.set(id, instance);
  tree.announce({ paths: [...fresh.keys()].map((instanceId) => ({ objectId, instanceId })), structure: true });
  return { ok: true, created: [...fresh.keys()] };
}

/** An instance, or (from 1.1 on) one instance of a writable resource. */
export function remove(tree: ObjectTree, path: Lwm2mPath): Done | Refusal {
  const target = locate(tree, path);
  if (!target.ok) return target;
  const { object, instance, resource, content } = target;
  if (instance === undefined || path.instanceId === undefined) return refuse(ResponseCode.methodNotAllowed, "an object cannot be deleted");
  if (path.resourceId === undefined) {
    if (object.behaviour.deletable !== true) return refuse(ResponseCode.methodNotAllowed, `${formatPath(path)} cannot be deleted`);
    object.instances.delete(path.instanceId);
    tree.announce({ paths: [path], structure: true });
    return done;
  }
  if (path.resourceInstanceId === undefined || resource === undefined || !resource.multiple || !canWrite(resource)) {
    return refuse(ResponseCode.methodNotAllowed, `${formatPath(path)} cannot be deleted`);
  }
  if (content?.multiple !== true || !content.values.has(path.resourceInstanceId)) {
    return refuse(ResponseCode.notFound, `no ${formatPath(path)}`);
  }
  const values = new Map(content.values);
  values.delete(path.resourceInstanceId);
  instance.set(path.resourceId, { multiple: true, values });
  tree.announce({ paths: [path], structure: false });
  return done;
}

/** A replace of one multi-instance resource with nothing in it empties the resource. */
function filledIn(
  resourceId: number,
  contents: ReadonlyMap<number, ResourceContent>,
  multiple: boolean | undefined,
): ReadonlyMap<number, ResourceContent> {
  if (contents.size > 0 || multiple !== true) return contents;
  return new Map([[resourceId, { multiple: true, values: new Map() }]]);
}

function problemOf(target: Target, path: Lwm2mPath, mode: WriteMode, contents: ReadonlyMap<number, ResourceContent>): Refusal | undefined {
  const { definition } = target.object;
  if (path.resourceId !== undefined && !contents.has(path.resourceId)) {
    return refuse(ResponseCode.badRequest, `the payload has no value for ${formatPath(path)}`);
  }
  for (const resourceId of contents.keys()) {
    const resource = definition.resources.get(resourceId);
    if (resource !== undefined && !canWrite(resource)) {
      return refuse(ResponseCode.methodNotAllowed, `resource ${resourceId} of object ${definition.id} is not writable`);
    }
  }
  if (path.resourceId !== undefined || mode === "update") return undefined;
  // A replaced instance must be complete; what only the device sets stays (LwM2M Core 1.1 §6.3.3).
  for (const resource of definition.resources.values()) {
    if (
      resource.mandatory &&
      canWrite(resource) &&
      resource.type !== undefined &&
      resource.operations === "RW" &&
      !contents.has(resource.id)
    ) {
      return refuse(ResponseCode.badRequest, `mandatory resource ${resource.id} of object ${definition.id} is missing`);
    }
  }
  return undefined;
}

function apply(tree: ObjectTree, { object, instance, path, mode, contents }: CheckedWrite): Done | Refusal {
  const { definition, behaviour } = object;
  const instanceId = path.instanceId ?? 0;
  const stored = new Set<number>();
  for (const [resourceId, content] of contents) {
    const taken = behaviour.takeWrite?.(instanceId, resourceId, content);
    if (taken?.ok === false) return taken;
    if (taken === undefined) stored.add(resourceId);
  }
  if (mode === "replace" && path.resourceId === undefined) {
    for (const resourceId of [...instance.keys()]) {
      const resource = definition.resources.get(resourceId);
      if (resource !== undefined && canWrite(resource) && !contents.has(resourceId)) {
        instance.delete(resourceId);
        stored.add(resourceId);
      }
    }
  }
  for (const [resourceId, content] of contents) {
    if (stored.has(resourceId)) instance.set(resourceId, merged(instance.get(resourceId), content, path, mode));
  }
  const resourceIds = [...stored];
  if (resourceIds.length === 0) return done;
  tree.announce({ paths: resourceIds.map((resourceId) => ({ objectId: definition.id, instanceId, resourceId })), structure: false });
  behaviour.written?.(instanceId, resourceIds);
  return done;
}

/** Partial update keeps the resource instances it does not name; so does a write to a single one. */
function merged(old: ResourceContent | undefined, next: ResourceContent, path: Lwm2mPath, mode: WriteMode): ResourceContent {
  const keeps = mode === "update" || path.resourceInstanceId !== undefined;
  if (!keeps || !next.multiple || old?.multiple !== true) return next;
  return { multiple: true, values: new Map([...old.values, ...next.values]) };
}

/** A payload without anything in it asks for one instance with the values it is born with. */
function byInstance(values: readonly PathValue[]): ReadonlyMap<number, readonly PathValue[]> {
  const groups = new Map<number, PathValue[]>();
  for (const value of values) {
    const instanceId = value.path.instanceId ?? unassignedInstanceId;
    groups.set(instanceId, [...(groups.get(instanceId) ?? []), value]);
  }
  return groups.size === 0 ? new Map([[unassignedInstanceId, []]]) : groups;
}

function freeId(...taken: readonly ReadonlyMap<number, Instance>[]): number {
  for (let id = 0; id <= maxIdentifier; id += 1) if (!taken.some((instances) => instances.has(id))) return id;
  throw new Error("65,535 instances of one object");
}
