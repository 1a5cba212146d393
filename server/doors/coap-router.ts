/** One handler for the CoAP endpoint: the first path segment decides which feature answers. */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { RequestHandler } from "@lwm2m/protocol/coap/message";
import { findCoreAnswer, type ResourceLink } from "@lwm2m/protocol/coap/well-known-core";

export interface CoapRoute {
  /** The first path segment, `rd`. */
  readonly prefix: string;
  /** What `/.well-known/core` says of it (RFC 6690 §3); absent: it is not listed. */
  readonly attributes?: NonNullable<ResourceLink["attributes"]>;
  readonly handle: RequestHandler;
}

/** Any other path is 4.04; `/.well-known/core` lists the routes that say something of themselves (RFC 6690 §4). */
export function coapRouter(routes: readonly CoapRoute[]): RequestHandler {
  const handlers = new Map(routes.map(({ prefix, handle }) => [prefix, handle]));
  if (handlers.size < routes.length) throw new Error("two CoAP routes have one prefix");
  const links = routes.flatMap(({ prefix, attributes }) => (attributes === undefined ? [] : [{ path: [prefix], attributes }]));
  return (request) => {
    const [first] = request.path;
    const handle = first === undefined ? undefined : handlers.get(first);
    return handle === undefined ? (findCoreAnswer(request, links) ?? { code: ResponseCode.notFound }) : handle(request);
  };
}
