/** The tree as links: object list of Register, Discover, Bootstrap-Discover (LwM2M Core 1.1 §6.2.1, §6.3.7, §6.1.7.3). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { encodeLinks, type Link, type LinkAttribute } from "@lwm2m/protocol/lwm2m/link-format";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { Lwm2mVersion } from "../objects/object-versions.ts";
import { accountsIn, securityObjectId } from "../objects/security-object.ts";
import { ServerResource, serverObjectId } from "../objects/server-object.ts";
import { isBootstrapOnly, locate } from "./access.ts";
import { type Instance, instancesOf, type ObjectTree, type TreeObject } from "./object-tree.ts";
import { type Refusal, refuse } from "./outcome.ts";

export interface ShownAttributes {
  /** The notification attributes attached to exactly this path. */
  attached(path: Lwm2mPath): readonly LinkAttribute[];
  /** With those of the object and the instance above it. */
  inherited(path: Lwm2mPath): readonly LinkAttribute[];
}

type AttributesOf = ShownAttributes["attached"];

export function registrationLinks(tree: ObjectTree, version: Lwm2mVersion, formats: readonly number[]): Uint8Array {
  const root: LinkAttribute[] = [{ name: "rt", value: "oma.lwm2m", quoted: true }];
  // Only 1.1 knows formats beyond those of 1.0 (LwM2M Core 1.1 §6.2.1).
  if (version !== "1.0") root.push({ name: "ct", value: formats.join(" "), quoted: true });
  const objects = tree.objects().filter(({ definition }) => !isBootstrapOnly(definition.id));
  return encodeLinks([link("/", root), ...objects.flatMap((object) => objectLinks(object))]);
}

export function discover(
  tree: ObjectTree,
  path: Lwm2mPath,
  shown: ShownAttributes,
): { readonly ok: true; readonly links: Uint8Array } | Refusal {
  if (path.resourceInstanceId !== undefined)
    return refuse(ResponseCode.methodNotAllowed, "Discover is for objects, instances and resources");
  const target = locate(tree, path);
  if (!target.ok) return target;
  const { object, instance, resource } = target;
  const attached: AttributesOf = (each) => shown.attached(each);
  if (instance === undefined) {
    const head = link(formatPath(path), [...versionOf(object), ...attached(path)]);
    const instances = instancesOf(object).flatMap(([instanceId, each]) => instanceLinks(object, instanceId, each, attached));
    return { ok: true, links: encodeLinks([head, ...instances]) };
  }
  const instanceId = path.instanceId ?? 0;
  if (resource === undefined) return { ok: true, links: encodeLinks(instanceLinks(object, instanceId, instance, attached)) };
  if (!isPresent(object, instance, instanceId, resource.id)) return refuse(ResponseCode.notFound, `${formatPath(path)} has no value`);
  // Asked for alone, a resource shows what holds for it, wherever it is attached (LwM2M Core 1.1 §6.3.2).
  return { ok: true, links: encodeLinks([resourceLink(object, instanceId, instance, resource.id, (each) => shown.inherited(each))]) };
}

export function bootstrapLinks(tree: ObjectTree, version: Lwm2mVersion, objectId: number | undefined): Uint8Array {
  const accounts = new Map(accountsIn(tree).map((account) => [account.instanceId, account]));
  const links = [link("/", [{ name: "lwm2m", value: version }])];
  for (const object of tree.objects()) {
    const id = object.definition.id;
    if (objectId !== undefined && objectId !== id) continue;
    if (object.instances.size === 0 || versionOf(object).length > 0) links.push(link(`/${id}`, versionOf(object)));
    for (const [instanceId] of instancesOf(object)) {
      const attributes: LinkAttribute[] = [];
      const account = id === securityObjectId ? accounts.get(instanceId) : undefined;
      const server = id === serverObjectId ? tree.value(id, instanceId, ServerResource.shortServerId) : undefined;
      // The account of the bootstrap server goes without ssid: that is how it is told apart (LwM2M Core 1.1 §6.1.7.3).
      if (account?.shortServerId !== undefined && !account.bootstrapServer) attributes.push(ssid(account.shortServerId));
      if (account !== undefined && version !== "1.0") attributes.push({ name: "uri", value: account.uri, quoted: true });
      if (server?.type === "integer") attributes.push(ssid(server.value));
      links.push(link(`/${id}/${instanceId}`, attributes));
    }
  }
  return encodeLinks(links);
}

function objectLinks(object: TreeObject): readonly Link[] {
  const { id } = object.definition;
  const version = versionOf(object);
  const head = object.instances.size === 0 || version.length > 0 ? [link(`/${id}`, version)] : [];
  return [...head, ...instancesOf(object).map(([instanceId]) => link(`/${id}/${instanceId}`, []))];
}

function instanceLinks(object: TreeObject, instanceId: number, instance: Instance, attached: AttributesOf): readonly Link[] {
  const path = { objectId: object.definition.id, instanceId };
  const resources = [...object.behaviour.supported]
    .sort((a, b) => a - b)
    .filter((resourceId) => isPresent(object, instance, instanceId, resourceId))
    .map((resourceId) => resourceLink(object, instanceId, instance, resourceId, attached));
  return [link(formatPath(path), attached(path)), ...resources];
}

function resourceLink(object: TreeObject, instanceId: number, instance: Instance, resourceId: number, attached: AttributesOf): Link {
  const path = { objectId: object.definition.id, instanceId, resourceId };
  const content = instance.get(resourceId);
  const dimension: readonly LinkAttribute[] = content?.multiple === true ? [{ name: "dim", value: String(content.values.size) }] : [];
  return link(formatPath(path), [...dimension, ...attached(path)]);
}

/** Executable and write-only resources are there without holding a value. */
function isPresent(object: TreeObject, instance: Instance, instanceId: number, resourceId: number): boolean {
  const operations = object.definition.resources.get(resourceId)?.operations;
  if (operations === "E" || operations === "W" || instance.has(resourceId)) return true;
  return object.behaviour.live?.(instanceId, resourceId) !== undefined;
}

/** Objects of version 1.0 may leave it out (LwM2M Core 1.1 §7.2.2). */
function versionOf(object: TreeObject): readonly LinkAttribute[] {
  return object.definition.version === "1.0" ? [] : [{ name: "ver", value: object.definition.version }];
}

function link(target: string, attributes: readonly LinkAttribute[]): Link {
  return { target, attributes };
}

function ssid(shortServerId: number | bigint): LinkAttribute {
  return { name: "ssid", value: String(shortServerId) };
}
