/** What a bootstrap server may do to the tree: more than any LwM2M server, but not cut its own account (LwM2M Core 1.1 §6.1.7). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { contentsOf } from "./contents.ts";
import type { Instance, ObjectTree } from "./object-tree.ts";
import { type Done, done, type Refusal, refuse } from "./outcome.ts";

const securityObject = 0;
const bootstrapServerResource = 1;

/** Creates or overwrites whatever stands there; completeness is checked at Finish (LwM2M Core 1.1 §6.1.7.5). */
export function bootstrapWrite(tree: ObjectTree, path: Lwm2mPath, values: readonly PathValue[]): Done | Refusal {
  const object = tree.find(path.objectId);
  if (object === undefined) return refuse(ResponseCode.badRequest, `no object ${path.objectId}`);
  const ids = new Set(values.flatMap((value) => value.path.instanceId ?? []));
  if (path.instanceId !== undefined) ids.add(path.instanceId);
  const contents = new Map<number, Instance>();
  for (const instanceId of ids) {
    if (!object.definition.multiple && instanceId !== 0)
      return refuse(ResponseCode.badRequest, `object ${path.objectId} has instance 0 only`);
    const own = values.filter((value) => value.path.instanceId === instanceId);
    const decoded = contentsOf(object.definition, object.behaviour.supported, own);
    if (!decoded.ok) return decoded;
    contents.set(instanceId, new Map(decoded.contents));
  }
  for (const [instanceId, instance] of contents) {
    const kept = path.resourceId === undefined ? undefined : object.instances.get(instanceId);
    object.instances.set(instanceId, new Map([...(kept ?? []), ...instance]));
  }
  tree.announce({ paths: [path], structure: true });
  return done;
}

/** `path` undefined: everything. The account of the bootstrap server and /3 survive (LwM2M Core 1.1 §6.1.7.6). */
export function bootstrapDelete(tree: ObjectTree, path: Lwm2mPath | undefined): Done | Refusal {
  if (path?.resourceId !== undefined) return refuse(ResponseCode.badRequest, `${formatPath(path)} is no object or instance`);
  for (const object of tree.objects()) {
    if (path !== undefined && path.objectId !== object.definition.id) continue;
    for (const instanceId of [...object.instances.keys()]) {
      if (path?.instanceId !== undefined && path.instanceId !== instanceId) continue;
      if (mayGo(tree, object.definition.id, instanceId)) object.instances.delete(instanceId);
    }
  }
  tree.announce({
    paths: path === undefined ? tree.objects().map((object) => ({ objectId: object.definition.id })) : [path],
    structure: true,
  });
  return done;
}

function mayGo(tree: ObjectTree, objectId: number, instanceId: number): boolean {
  if (objectId === securityObject) {
    const bootstrapServer = tree.value(securityObject, instanceId, bootstrapServerResource);
    return !(bootstrapServer?.type === "boolean" && bootstrapServer.value);
  }
  // Mandatory single-instance objects such as Device describe the hardware.
  const definition = tree.find(objectId)?.definition;
  return definition?.multiple === true;
}
