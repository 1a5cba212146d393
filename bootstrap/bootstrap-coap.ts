/** The CoAP door: `POST /bs?ep=NAME&pct=FORMAT` (LwM2M Core 1.1 §6.1.7.1; Transport 1.1 §6.4.3, table of codes). */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import type { ResourceLink } from "@lwm2m/protocol/coap/well-known-core";

export interface BootstrapRequest {
  /** Undefined: what the credential of the device says (LwM2M Core 1.1 §6.1.7.1). */
  readonly endpointName: string | undefined;
  /** What the device wants its writes in; TLV when it does not say. */
  readonly contentFormat: number;
}

export type BootstrapRequestOutcome =
  | ({ readonly ok: true } & BootstrapRequest)
  | { readonly ok: false; readonly code: ResponseCode; readonly detail: string };

/** What `/.well-known/core` lists (RFC 6690 §4). */
export const bootstrapLinks: readonly ResourceLink[] = [{ path: ["bs"], attributes: { rt: "core.bs" } }];

/** What a client may ask for with `pct`. */
const preferredFormats: ReadonlySet<number> = new Set([ContentFormat.tlv, ContentFormat.senmlJson, ContentFormat.senmlCbor]);

/** 1.0 clients know no `pct` and take TLV; so does every later one. */
const usualFormat = ContentFormat.tlv;

/** `endpoint name` of LwM2M: an URN or serial number; one Uri-Query option holds 255 bytes. */
const maxEndpointNameBytes = 252;

export function readBootstrapRequest(request: IncomingRequest): BootstrapRequestOutcome {
  const [segment, ...more] = request.path;
  // The pack is optional: the client falls back to the Bootstrap-Request (LwM2M Core 1.2 §6.1.7.7).
  if (segment === "bspack" && more.length === 0) return refuse(ResponseCode.notImplemented, "no Bootstrap-Pack here: use POST /bs");
  if (segment !== "bs" || more.length > 0) return refuse(ResponseCode.notFound, "this is a bootstrap server: POST /bs");
  if (request.method !== Method.post) return refuse(ResponseCode.methodNotAllowed, "POST /bs");
  const names = valuesOf(request.query, "ep");
  const [endpointName] = names;
  // The client may leave ep out where its credential names it (1.1); over plain UDP there is none.
  const isNamed = request.peer.identity.kind !== "none";
  if (endpointName === "" || (endpointName === undefined && !isNamed)) return refuse(ResponseCode.badRequest, "ep is missing");
  if (names.length > 1) return refuse(ResponseCode.badRequest, "ep is given twice");
  if (endpointName !== undefined && Buffer.byteLength(endpointName) > maxEndpointNameBytes)
    return refuse(ResponseCode.badRequest, "ep is too long");
  const formats = valuesOf(request.query, "pct");
  const [pct] = formats;
  if (pct === undefined) return { ok: true, endpointName, contentFormat: usualFormat };
  if (formats.length > 1 || !/^\d{1,5}$/.test(pct)) return refuse(ResponseCode.badRequest, "pct is not one Content-Format number");
  if (!preferredFormats.has(Number(pct))) {
    const offered = [...preferredFormats].join(", ");
    return refuse(ResponseCode.unsupportedContentFormat, `pct ${Number(pct)} is not offered, only ${offered}`);
  }
  return { ok: true, endpointName, contentFormat: Number(pct) };
}

/** The detail is for people: a diagnostic payload (RFC 7252 §5.5.2). */
export function refusal(code: ResponseCode, detail: string): OutgoingResponse {
  return { code, payload: new TextEncoder().encode(detail) };
}

function refuse(code: ResponseCode, detail: string): BootstrapRequestOutcome {
  return { ok: false, code, detail };
}

function valuesOf(query: readonly string[], key: string): readonly string[] {
  return query.filter((part) => part === key || part.startsWith(`${key}=`)).map((part) => part.slice(key.length + 1));
}
