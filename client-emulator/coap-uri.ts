/** `coap://host:port/path?query` and `coaps://…` taken apart (RFC 7252 §6.4). */

export interface CoapUri {
  /** By DTLS: the scheme is `coaps`. */
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly path: readonly string[];
  readonly query: readonly string[];
}

/** RFC 7252 §6.1 and §6.2. */
const schemes: ReadonlyMap<string, { readonly secure: boolean; readonly port: number }> = new Map([
  ["coap:", { secure: false, port: 5_683 }],
  ["coaps:", { secure: true, port: 5_684 }],
]);

/** Undefined for another scheme or a URI without host. */
export function findCoapUri(text: string): CoapUri | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const scheme = schemes.get(url.protocol);
  if (scheme === undefined || url.hostname === "" || url.username !== "" || url.hash !== "") return undefined;
  const path = decodeAll(url.pathname.split("/").slice(1));
  const query = decodeAll(url.search.slice(1).split("&"));
  if (path === undefined || query === undefined) return undefined;
  return {
    secure: scheme.secure,
    // The brackets of an IPv6 literal belong to the URI, not to the address.
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? scheme.port : Number(url.port),
    // A path of "/" alone has no segments (RFC 7252 §6.4 step 8).
    path: path.length === 1 && path[0] === "" ? [] : path,
    query: query.length === 1 && query[0] === "" ? [] : query,
  };
}

function decodeAll(parts: readonly string[]): readonly string[] | undefined {
  try {
    return parts.map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
