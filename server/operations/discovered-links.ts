/** The answer to a Discover: what is below a path, and with which attributes (LwM2M Core 1.1 §6.3.2, §5.1.2). Pure. */
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import { attributesOfLink, effectiveAttributes, type NotificationAttributes } from "@lwm2m/protocol/lwm2m/attributes";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { findAttribute, type Link, parseLinks } from "@lwm2m/protocol/lwm2m/link-format";
import { contains, findPath, formatPath, type Lwm2mPath, pathIds, pathOf } from "@lwm2m/protocol/lwm2m/path";
import type { Registration } from "../registration/registration.ts";
import type { AnswerContext } from "./answer-values.ts";
import type { DiscoveredLink, LinkFacts } from "./operation.ts";

/** Old clients leave the first slash out, in the list they register as well. */
export type DiscoverTolerance = "relative-target";

export interface DiscoveredLinks {
  readonly links: readonly DiscoveredLink[];
  readonly tolerances: readonly string[];
}

/** `depth`: no link further below `asked` is taken, whatever the device says. Throws `Lwm2mFormatError`. */
export function discoveredLinks(
  { payload }: Pick<IncomingResponse, "payload">,
  asked: Lwm2mPath,
  depth: number | undefined,
  { rootPath }: Pick<Registration, "rootPath">,
  { model, strict }: Pick<AnswerContext, "model" | "strict">,
): DiscoveredLinks {
  const parsed = parseLinks(payload, { strict });
  const tolerances = new Set<string>(parsed.tolerances);
  const found = parsed.links.map((link) => {
    if (!link.target.startsWith("/")) {
      if (strict) throw new Lwm2mFormatError("link-format", `<${link.target}>: not accepted in strict mode: relative-target`);
      tolerances.add("relative-target");
    }
    return { link, text: pathText(link.target, rootPath) };
  });
  const byPath = new Map(found.map(({ link, text }) => [text, attributesOfLink(link.attributes)]));
  const deepest = depth === undefined ? undefined : pathIds(asked).length + depth;
  const links = found.flatMap(({ link, text }): readonly DiscoveredLink[] => {
    const path = findPath(text);
    if (path !== undefined && deepest !== undefined && contains(asked, path) && pathIds(path).length > deepest) return [];
    const name = path === undefined ? undefined : model.nameOf(path);
    return [
      {
        path: text,
        ...(name === undefined ? {} : { name }),
        attributes: Object.fromEntries(link.attributes.map(({ name: attribute, value }) => [attribute, value ?? true])),
        attached: factsOf(link),
        effective: effectiveAt(path, byPath),
      },
    ];
  });
  return { links, tolerances: [...tolerances] };
}

/** From the root of the object tree. */
function pathText(target: string, rootPath: string): string {
  const absolute = target.startsWith("/") ? target : `/${target}`;
  const root = `/${rootPath}`;
  return rootPath !== "" && absolute.startsWith(`${root}/`) ? absolute.slice(root.length) : absolute;
}

function factsOf(link: Link): LinkFacts {
  const dimension = countIn(findAttribute(link, "dim"));
  const shortServerId = countIn(findAttribute(link, "ssid"));
  const version = findAttribute(link, "ver");
  const serverUri = findAttribute(link, "uri");
  return {
    notification: { ...attributesOfLink(link.attributes) },
    ...(dimension === undefined ? {} : { dimension }),
    ...(version === undefined ? {} : { version }),
    ...(shortServerId === undefined ? {} : { shortServerId }),
    ...(serverUri === undefined ? {} : { serverUri }),
  };
}

function countIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}

/** Resource instance before resource before instance before object, as far as the answer tells of them; what has no effect is left out. */
function effectiveAt(
  path: Lwm2mPath | undefined,
  byPath: ReadonlyMap<string, NotificationAttributes>,
): { readonly [name: string]: number } {
  if (path === undefined) return {};
  const ids = pathIds(path);
  const levels = ids.map((_, index) => byPath.get(formatPath(pathOf(ids.slice(0, ids.length - index)))) ?? {});
  return { ...effectiveAttributes(levels) };
}
