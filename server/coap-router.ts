/** One handler for the CoAP endpoint: the first path segment decides which feature answers. */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse, RequestHandler } from "@lwm2m/protocol/coap/message";

export interface CoapRoute {
  /** The first path segment, `rd`. */
  readonly prefix: string;
  readonly handle: RequestHandler;
}

/** Any other path is 4.04; `/.well-known/core` lists the prefixes (RFC 6690 §4). */
export function coapRouter(routes: readonly CoapRoute[]): RequestHandler {
  const handlers = new Map(routes.map(({ prefix, handle }) => [prefix, handle]));
  if (handlers.size < routes.length) throw new Error("two CoAP routes have one prefix");
  const links = new TextEncoder().encode(routes.map(({ prefix }) => `</${prefix}>`).join(","));
  return (request) => {
    const [first] = request.path;
    const handle = first === undefined ? undefined : handlers.get(first);
    if (handle !== undefined) return handle(request);
    return isDiscovery(request) ? discoveryOf(request, links) : { code: ResponseCode.notFound };
  };
}

function isDiscovery({ path }: IncomingRequest): boolean {
  return path.length === 2 && path[0] === ".well-known" && path[1] === "core";
}

function discoveryOf({ method, accept }: IncomingRequest, links: Uint8Array): OutgoingResponse {
  if (method !== Method.get) return { code: ResponseCode.methodNotAllowed };
  if (accept !== undefined && accept !== ContentFormat.linkFormat) return { code: ResponseCode.notAcceptable };
  return { code: ResponseCode.content, contentFormat: ContentFormat.linkFormat, payload: links };
}
