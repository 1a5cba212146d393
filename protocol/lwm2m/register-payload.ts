/** The object list of a Register or Update (LwM2M Core 1.1 §6.2.1): which objects, versions and instances a client has, and which formats it reads. */
import { Lwm2mFormatError } from "./format-error.ts";
import { findAttribute, type Link, type LinkAttribute, type LinkOptions, type LinkTolerance, parseLinks } from "./link-format.ts";
import { findPath, type Lwm2mPath } from "./path.ts";

export interface RegisterPayload {
  /** Alternate root of the client without a trailing slash: `"/lwm2m"`; `"/"` without one. */
  readonly rootPath: string;
  /** Content formats beside the mandatory ones (`ct` of the root link). */
  readonly contentFormats: readonly number[];
  /** By object id. */
  readonly objects: readonly RegisteredObject[];
  readonly tolerances: readonly RegisterTolerance[];
  /** Targets that name no object or instance, as sent. */
  readonly ignored: readonly string[];
}

export interface RegisteredObject {
  readonly id: number;
  /** `major.minor`; absent: the version that the client's LwM2M version implies. */
  readonly version?: string;
  /** Ascending. */
  readonly instances: readonly number[];
}

export type RegisterTolerance =
  | LinkTolerance
  | "root-without-type"
  | "repeated-content-format"
  | "relative-target"
  | "trailing-slash"
  | "quoted-version"
  | "version-on-instance"
  | "hidden-object"
  | "ignored-link";

/** Never shown to a server and ignored when listed: Security, OSCORE, COSE (LwM2M Core 1.2.1 §6.2.1), and MQTT Server. */
export const hiddenObjects: ReadonlySet<number> = new Set([0, 21, 23, 24]);

const rootType = "oma.lwm2m";
const versionPattern = /^\d{1,3}\.\d{1,3}$/;

/** Throws `link-format`; in strict mode for every tolerance. */
export function parseRegisterPayload(payload: Uint8Array | string, options: LinkOptions = {}): RegisterPayload {
  const { links, tolerances } = parseLinks(payload, options);
  const reading: Reading = {
    strict: options.strict === true,
    tolerances: new Set<RegisterTolerance>(tolerances),
    objects: new Map(),
    ignored: [],
  };
  const root = findRoot(links, reading);
  const rootPath = root === undefined ? "/" : withoutTrailingSlash(root.target);
  for (const link of links) if (link !== root) readObjectLink(link, rootPath, reading);
  return {
    rootPath,
    contentFormats: root === undefined ? [] : contentFormatsOf(root, reading),
    objects: [...reading.objects.values()]
      .sort((a, b) => a.id - b.id)
      .map(({ id, version, instances }) => ({
        id,
        ...(version === undefined ? {} : { version }),
        instances: [...instances].sort((a, b) => a - b),
      })),
    tolerances: [...reading.tolerances],
    ignored: reading.ignored,
  };
}

/** The links a client sends: root link where it says something, `ver` on the object, one link an instance, `</o>` for an object without. */
export function registerLinks(payload: Pick<RegisterPayload, "rootPath" | "contentFormats" | "objects">): readonly Link[] {
  const isDefaultRoot = payload.rootPath === "/";
  const prefix = isDefaultRoot ? "" : payload.rootPath;
  const root: Link = {
    target: payload.rootPath,
    attributes: [{ name: "rt", value: rootType, quoted: true }, ...contentFormatAttribute(payload.contentFormats)],
  };
  return [
    ...(isDefaultRoot && payload.contentFormats.length === 0 ? [] : [root]),
    ...payload.objects.flatMap((object) => objectLinks(object, prefix)),
  ];
}

interface Reading {
  readonly strict: boolean;
  readonly tolerances: Set<RegisterTolerance>;
  readonly objects: Map<number, { readonly id: number; version: string | undefined; readonly instances: Set<number> }>;
  readonly ignored: string[];
}

/** The link with the LwM2M resource type; `</>;ct=…` without it is taken for the root as well. */
function findRoot(links: readonly Link[], reading: Reading): Link | undefined {
  const typed = links.find((link) => findAttribute(link, "rt")?.split(/\s+/).includes(rootType));
  if (typed !== undefined) return typed;
  const bare = links.find((link) => link.target === "/");
  if (bare !== undefined) tolerate(reading, "root-without-type", bare);
  return bare;
}

function contentFormatsOf(root: Link, reading: Reading): readonly number[] {
  const values = root.attributes.filter(({ name, value }) => name === "ct" && value !== undefined).map(({ value = "" }) => value);
  if (values.length > 1) tolerate(reading, "repeated-content-format", root);
  const formats = values.flatMap((value) => value.split(/\s+/)).filter((format) => format !== "");
  if (!formats.every((format) => /^\d{1,5}$/.test(format) && Number(format) <= 0xffff)) {
    throw new Lwm2mFormatError("link-format", `ct: expected content formats, got ${JSON.stringify(values.join(" ").slice(0, 64))}`);
  }
  return [...new Set(formats.map(Number))];
}

function readObjectLink(link: Link, rootPath: string, reading: Reading): void {
  const path = pathOf(link, rootPath, reading);
  if (path === undefined || path.resourceId !== undefined) {
    reading.ignored.push(link.target);
    tolerate(reading, "ignored-link", link);
    return;
  }
  if (hiddenObjects.has(path.objectId)) {
    tolerate(reading, "hidden-object", link);
    return;
  }
  const object = reading.objects.get(path.objectId) ?? { id: path.objectId, version: undefined, instances: new Set<number>() };
  reading.objects.set(path.objectId, object);
  if (path.instanceId !== undefined) object.instances.add(path.instanceId);
  object.version ??= versionOf(link, path, reading);
}

/** The target below the root; undefined where it is no path of the object tree. */
function pathOf(link: Link, rootPath: string, reading: Reading): Lwm2mPath | undefined {
  const { target } = link;
  const absolute = target.startsWith("/") ? target : `/${target}`;
  const inside = rootPath === "/" ? absolute : absolute.startsWith(`${rootPath}/`) ? absolute.slice(rootPath.length) : undefined;
  const path = inside === undefined ? undefined : findPath(withoutTrailingSlash(inside));
  if (path === undefined) return undefined;
  if (!target.startsWith("/")) tolerate(reading, "relative-target", link);
  if (target.endsWith("/")) tolerate(reading, "trailing-slash", link);
  return path;
}

/** On the object; on its instance when it is the only one (LwM2M Core 1.1 §7.2.2), which only some servers take. Always recorded there. */
function versionOf(link: Link, path: Lwm2mPath, reading: Reading): string | undefined {
  const attribute = link.attributes.find(({ name }) => name === "ver");
  const version = attribute?.value;
  if (version === undefined) return undefined;
  if (!versionPattern.test(version)) {
    throw new Lwm2mFormatError("link-format", `<${link.target}>: expected ver major.minor, got ${JSON.stringify(version.slice(0, 64))}`);
  }
  // Both are in the specifications' own examples: recorded, never refused.
  if (attribute?.quoted === true) reading.tolerances.add("quoted-version");
  if (path.instanceId !== undefined) reading.tolerances.add("version-on-instance");
  return version;
}

function tolerate(reading: Reading, tolerance: RegisterTolerance, link: Link): void {
  if (reading.strict) throw new Lwm2mFormatError("link-format", `<${link.target.slice(0, 64)}>: not accepted in strict mode: ${tolerance}`);
  reading.tolerances.add(tolerance);
}

function withoutTrailingSlash(target: string): string {
  return target.length > 1 && target.endsWith("/") ? target.slice(0, -1) : target;
}

function contentFormatAttribute(formats: readonly number[]): readonly LinkAttribute[] {
  if (formats.length === 0) return [];
  return [{ name: "ct", value: formats.join(" "), quoted: formats.length > 1 }];
}

function objectLinks({ id, version, instances }: RegisteredObject, prefix: string): readonly Link[] {
  const object: Link = { target: `${prefix}/${id}`, attributes: version === undefined ? [] : [{ name: "ver", value: version }] };
  const list = instances.map((instance): Link => ({ target: `${prefix}/${id}/${instance}`, attributes: [] }));
  return version === undefined && instances.length > 0 ? list : [object, ...list];
}
