/** `coap://host:port/path?query` taken apart (RFC 7252 §6.4). */

export interface CoapUri {
  readonly host: string;
  readonly port: number;
  readonly path: readonly string[];
  readonly query: readonly string[];
}

const defaultPort = 5_683;

/** Undefined for another scheme or a URI without host. */
export function findCoapUri(text: string): CoapUri | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "coap:" || url.hostname === "" || url.username !== "" || url.hash !== "") return undefined;
  const path = decodeAll(url.pathname.split("/").slice(1));
  const query = decodeAll(url.search.slice(1).split("&"));
  if (path === undefined || query === undefined) return undefined;
  return {
    // The brackets of an IPv6 literal belong to the URI, not to the address.
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? defaultPort : Number(url.port),
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
