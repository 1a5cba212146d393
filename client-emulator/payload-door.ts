/** Payloads in and out: which format, and what a format error is answered with (LwM2M Core 1.1 §7.4). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import type { Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { decodePayload, encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import { unassignedInstanceId } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { Lwm2mVersion } from "./objects/object-versions.ts";
import type { ObjectTree } from "./tree/object-tree.ts";
import { type Refusal, refuse } from "./tree/outcome.ts";

export interface PayloadSettings {
  readonly lwm2mVersion: Lwm2mVersion;
  /** Where the server leaves the choice to the client. */
  readonly preferredFormat: number;
  readonly nowMs: () => number;
}

const formatsByRelease: Readonly<Record<Lwm2mVersion, ReadonlySet<number>>> = {
  "1.0": new Set([ContentFormat.text, ContentFormat.opaque, ContentFormat.tlv, ContentFormat.lwm2mJson]),
  // A client of 1.1 never sends the JSON of 1.0 (LwM2M Core 1.1 §7.4.4).
  "1.1": new Set([
    ContentFormat.text,
    ContentFormat.opaque,
    ContentFormat.cbor,
    ContentFormat.senmlJson,
    ContentFormat.senmlCbor,
    ContentFormat.tlv,
  ]),
};

const singleValueFormats: ReadonlySet<number> = new Set([ContentFormat.text, ContentFormat.opaque, ContentFormat.cbor]);
const timedFormats: ReadonlySet<number> = new Set([ContentFormat.senmlJson, ContentFormat.senmlCbor, ContentFormat.lwm2mJson]);

/** The formats a 1.1 client names in its object list: those beyond the mandatory ones. */
export function announcedFormats(version: Lwm2mVersion): readonly number[] {
  return [...formatsByRelease[version]].filter((format) => format !== ContentFormat.text && format !== ContentFormat.opaque);
}

/** Values of different times can share one payload. */
export function carriesTime(contentFormat: number): boolean {
  return timedFormats.has(contentFormat);
}

export function responseFormat(
  settings: PayloadSettings,
  tree: ObjectTree,
  path: Lwm2mPath,
  accept: number | undefined,
): { readonly ok: true; readonly contentFormat: number } | Refusal {
  if (accept === undefined) return { ok: true, contentFormat: settings.preferredFormat };
  if (!formatsByRelease[settings.lwm2mVersion].has(accept)) return refuse(ResponseCode.notAcceptable, `format ${accept} is not supported`);
  if (singleValueFormats.has(accept) && !isSingle(tree, path)) {
    return refuse(ResponseCode.notAcceptable, `format ${accept} carries one value only`);
  }
  return { ok: true, contentFormat: accept };
}

export function decodeRequest(
  tree: ObjectTree,
  path: Lwm2mPath,
  request: IncomingRequest,
  nowMs: number,
): { readonly ok: true; readonly values: readonly PathValue[] } | Refusal {
  if (request.contentFormat === undefined) return refuse(ResponseCode.badRequest, "the payload has no Content-Format");
  try {
    // Resources straight under an object are a Create that leaves the number of the instance to the device.
    const context = { path, typeOf: tree.typeOf, nowMs, bareInstanceId: unassignedInstanceId };
    return { ok: true, values: decodePayload(request.contentFormat, request.payload, context) };
  } catch (error) {
    if (!(error instanceof Lwm2mFormatError)) throw error;
    const code = error.code === "unsupported-format" ? ResponseCode.unsupportedContentFormat : ResponseCode.badRequest;
    return refuse(code, error.message);
  }
}

export function encodeValues(
  tree: ObjectTree,
  path: Lwm2mPath,
  values: readonly PathValue[],
  contentFormat: number,
): { readonly ok: true; readonly bytes: Uint8Array } | Refusal {
  try {
    return { ok: true, bytes: encodePayload(contentFormat, values, { path, typeOf: tree.typeOf }) };
  } catch (error) {
    // The values are the device's own: only the format can be wrong for them.
    if (!(error instanceof Lwm2mFormatError)) throw error;
    return refuse(ResponseCode.notAcceptable, error.message);
  }
}

function isSingle(tree: ObjectTree, path: Lwm2mPath): boolean {
  if (path.resourceId === undefined) return false;
  return path.resourceInstanceId !== undefined || tree.resource(path.objectId, path.resourceId)?.multiple === false;
}
