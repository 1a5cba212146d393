/** The tree as links: object list of Register, Discover, Bootstrap-Discover (LwM2M Core 1.1 §6.2.1, §6.3.7, §6.1.7.3). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { Lwm2mVersion } from "../objects/object-versions.ts";
import { accountsIn, securityObjectId } from "../objects/security-object.ts";
import { ServerResource, serverObjectId } from "../objects/server-object.ts";
import { isBootstrapOnly, locate } from "./access.ts";
import type { Instance, ObjectTree, TreeObject } from "./object-tree.ts";
import { type Refusal, refuse } from "./outcome.ts";

/** Link attributes in the order they are printed; an attribute without a value has the text alone. */
export type LinkAttributes = readonly (readonly [name: string, value: string])[];
/** The notification attributes attached to exactly this path. */
export type AttachedAttributes = (path: Lwm2mPath) => LinkAttributes;

export function registrationLinks(tree: ObjectTree, version: Lwm2mVersion, formats: readonly number[]): Uint8Array {
  const root: [string, string][] = [["rt", quoted("oma.lwm2m")]];
  // Only 1.1 knows formats beyond those of 1.0 (LwM2M Core 1.1 §6.2.1).
  if (version !== "1.0") root.push(["ct", quoted(formats.join(" "))]);
  const objects = tree.objects().filter(({ definition }) => !isBootstrapOnly(definition.id));
  return encoded([link("/", root), ...objects.flatMap((object) => objectLinks(object))]);
}

export function discover(
  tree: ObjectTree,
  path: Lwm2mPath,
  attached: AttachedAttributes,
): { readonly ok: true; readonly links: Uint8Array } | Refusal {
  if (path.resourceInstanceId !== undefined)
    return refuse(ResponseCode.methodNotAllowed, "Discover is for objects, instances and resources");
  const target = locate(tree, path);
  if (!target.ok) return target;
  const { object, instance, resource } = target;
  if (instance === undefined) {
    const head = link(formatPath(path), [...versionOf(object), ...attached(path)]);
    const instances = [...object.instances].flatMap(([instanceId, each]) => instanceLinks(object, instanceId, each, attached));
    return { ok: true, links: encoded([head, ...instances]) };
  }
  const instanceId = path.instanceId ?? 0;
  if (resource === undefined) return { ok: true, links: encoded(instanceLinks(object, instanceId, instance, attached)) };
  if (!isPresent(object, instance, instanceId, resource.id)) return refuse(ResponseCode.notFound, `${formatPath(path)} has no value`);
  return { ok: true, links: encoded([resourceLink(object, instanceId, instance, resource.id, attached)]) };
}

export function bootstrapLinks(tree: ObjectTree, version: Lwm2mVersion, objectId: number | undefined): Uint8Array {
  const accounts = new Map(accountsIn(tree).map((account) => [account.instanceId, account]));
  const links = [link("/", [["lwm2m", version]])];
  for (const object of tree.objects()) {
    const id = object.definition.id;
    if (objectId !== undefined && objectId !== id) continue;
    if (object.instances.size === 0 || versionOf(object).length > 0) links.push(link(`/${id}`, versionOf(object)));
    for (const instanceId of object.instances.keys()) {
      const attributes: [string, string][] = [];
      const account = id === securityObjectId ? accounts.get(instanceId) : undefined;
      const server = id === serverObjectId ? tree.value(id, instanceId, ServerResource.shortServerId) : undefined;
      // The account of the bootstrap server goes without ssid: that is how it is told apart (LwM2M Core 1.1 §6.1.7.3).
      if (account?.shortServerId !== undefined && !account.bootstrapServer) attributes.push(["ssid", String(account.shortServerId)]);
      if (account !== undefined && version !== "1.0") attributes.push(["uri", quoted(account.uri)]);
      if (server?.type === "integer") attributes.push(["ssid", String(server.value)]);
      links.push(link(`/${id}/${instanceId}`, attributes));
    }
  }
  return encoded(links);
}

function objectLinks(object: TreeObject): readonly string[] {
  const { id } = object.definition;
  const version = versionOf(object);
  const head = object.instances.size === 0 || version.length > 0 ? [link(`/${id}`, version)] : [];
  return [...head, ...[...object.instances.keys()].map((instanceId) => link(`/${id}/${instanceId}`, []))];
}

function instanceLinks(object: TreeObject, instanceId: number, instance: Instance, attached: AttachedAttributes): readonly string[] {
  const path = { objectId: object.definition.id, instanceId };
  const resources = [...object.behaviour.supported]
    .sort((a, b) => a - b)
    .filter((resourceId) => isPresent(object, instance, instanceId, resourceId))
    .map((resourceId) => resourceLink(object, instanceId, instance, resourceId, attached));
  return [link(formatPath(path), attached(path)), ...resources];
}

function resourceLink(
  object: TreeObject,
  instanceId: number,
  instance: Instance,
  resourceId: number,
  attached: AttachedAttributes,
): string {
  const path = { objectId: object.definition.id, instanceId, resourceId };
  const content = instance.get(resourceId);
  const dimension: LinkAttributes = content?.multiple === true ? [["dim", String(content.values.size)]] : [];
  return link(formatPath(path), [...dimension, ...attached(path)]);
}

/** Executable and write-only resources are there without holding a value. */
function isPresent(object: TreeObject, instance: Instance, instanceId: number, resourceId: number): boolean {
  const operations = object.definition.resources.get(resourceId)?.operations;
  if (operations === "E" || operations === "W" || instance.has(resourceId)) return true;
  return object.behaviour.live?.(instanceId, resourceId) !== undefined;
}

/** Objects of version 1.0 may leave it out (LwM2M Core 1.1 §7.2.2). */
function versionOf(object: TreeObject): LinkAttributes {
  return object.definition.version === "1.0" ? [] : [["ver", object.definition.version]];
}

function link(path: string, attributes: LinkAttributes): string {
  return `<${path}>${attributes.map(([name, value]) => `;${name}=${value}`).join("")}`;
}

function quoted(text: string): string {
  return `"${text}"`;
}

function encoded(links: readonly string[]): Uint8Array {
  return new TextEncoder().encode(links.join(","));
}
