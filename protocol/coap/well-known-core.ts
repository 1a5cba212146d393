/** The list of resources at /.well-known/core, whole or filtered (RFC 6690 §2, §4, §4.1; RFC 7252 §7.2). Pure. */
import { Method, ResponseCode } from "./codes.ts";
import { ContentFormat } from "./content-formats.ts";
import type { IncomingRequest, OutgoingResponse } from "./message.ts";

export interface ResourceLink {
  readonly path: readonly string[];
  /** `rt`, `if`, `ct`, `sz`, `title`, …; a name without a value is a flag, as `obs` (RFC 7641 §6). */
  readonly attributes?: { readonly [name: string]: string | number | true };
}

/** Attributes whose value is a list with blanks between, any part of which a filter may match (RFC 6690 §4.1). */
const listed: ReadonlySet<string> = new Set(["rt", "if", "rel", "rev", "ct"]);

const encoder = new TextEncoder();

/** What a server with these resources answers; undefined when the request is for another path. */
export function findCoreAnswer(
  { method, path, query, accept }: Pick<IncomingRequest, "method" | "path" | "query" | "accept">,
  links: readonly ResourceLink[],
): OutgoingResponse | undefined {
  if (path.length !== 2 || path[0] !== ".well-known" || path[1] !== "core") return undefined;
  if (method !== Method.get) return { code: ResponseCode.methodNotAllowed };
  if (accept !== undefined && accept !== ContentFormat.linkFormat) return { code: ResponseCode.notAcceptable };
  const payload = encoder.encode(formatResourceLinks(links, query));
  return { code: ResponseCode.content, contentFormat: ContentFormat.linkFormat, payload };
}

/** The links that every argument of `query` selects: `rt=Type1`, `if=If*`, `href=/a*`; an argument that is no `name=value` selects nothing. */
export function formatResourceLinks(links: readonly ResourceLink[], query: readonly string[] = []): string {
  return links
    .filter((link) => query.every((argument) => isSelected(link, argument)))
    .map(formatLink)
    .join(",");
}

function isSelected(link: ResourceLink, argument: string): boolean {
  const equals = argument.indexOf("=");
  if (equals <= 0) return false;
  const name = argument.slice(0, equals);
  const wanted = argument.slice(equals + 1);
  const value = name === "href" ? targetOf(link) : link.attributes?.[name];
  if (value === undefined || value === true) return false;
  const parts = listed.has(name) ? String(value).split(" ") : [String(value)];
  return parts.some((part) => (wanted.endsWith("*") ? part.startsWith(wanted.slice(0, -1)) : part === wanted));
}

function formatLink(link: ResourceLink): string {
  const attributes = Object.entries(link.attributes ?? {}).map(([name, value]) => formatAttribute(name, value));
  return [`<${targetOf(link)}>`, ...attributes].join(";");
}

/** RFC 6690 §2: cardinals stand bare, everything else in quotes with `"` and `\` escaped. */
function formatAttribute(name: string, value: string | number | true): string {
  if (value === true) return name;
  return typeof value === "number" ? `${name}=${value}` : `${name}="${value.replaceAll(/["\\]/g, "\\$&")}"`;
}

function targetOf(link: ResourceLink): string {
  return `/${link.path.map(encodeURIComponent).join("/")}`;
}
