/** Payloads in and out: which format, and what a format error is answered with (LwM2M Core 1.1 §7.4). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import type { Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { decodePayload, encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import { unassignedInstanceId } from "@lwm2m/protocol/lwm2m/payload-contract";
import { type CompositePath, decodePathList } from "@lwm2m/protocol/lwm2m/senml-etch";
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

/** The format of the answer to a composite read: one that carries absolute paths. */
export function compositeFormat(
  settings: PayloadSettings,
  request: IncomingRequest,
): { readonly ok: true; readonly contentFormat: number } | Refusal {
  const wanted = request.accept ?? request.contentFormat ?? ContentFormat.senmlCbor;
  if (wanted === ContentFormat.senmlJson || wanted === ContentFormat.senmlCbor) return { ok: true, contentFormat: wanted };
  return refuse(ResponseCode.notAcceptable, `format ${wanted} is not supported in ${settings.lwm2mVersion} composite operations`);
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

export type DecodeOutcome = { readonly ok: true; readonly values: readonly PathValue[] } | Refusal;

/** `path` undefined: a composite write, whose names are absolute. */
export function decodeRequest(
  settings: PayloadSettings,
  tree: ObjectTree,
  path: Lwm2mPath | undefined,
  request: IncomingRequest,
): DecodeOutcome {
  const format = request.contentFormat;
  if (format === undefined) return refuse(ResponseCode.badRequest, "the payload has no Content-Format");
  const isTimed = timedFormats.has(format);
  if (!formatsByRelease[settings.lwm2mVersion].has(format) || (path === undefined && !isTimed)) return unsupported(format);
  return decoding(() => {
    // Resources straight under an object are a Create that leaves the number of the instance to the device.
    const context = { typeOf: tree.typeOf, nowMs: settings.nowMs(), bareInstanceId: unassignedInstanceId };
    return { ok: true, values: decodePayload(format, request.payload, path === undefined ? context : { ...context, path }) };
  });
}

/** The list of a composite read (LwM2M Core 1.1 §6.3.8). */
export function decodePaths(
  settings: PayloadSettings,
  tree: ObjectTree,
  request: IncomingRequest,
): { readonly ok: true; readonly paths: readonly CompositePath[] } | Refusal {
  const format = request.contentFormat;
  if (format === undefined) return refuse(ResponseCode.badRequest, "the payload has no Content-Format");
  if (format !== ContentFormat.senmlJson && format !== ContentFormat.senmlCbor) return unsupported(format);
  const context = { typeOf: tree.typeOf, nowMs: settings.nowMs() };
  return decoding(() => ({ ok: true, paths: decodePathList(format, request.payload, context) }));
}

export function encodeValues(
  tree: ObjectTree,
  path: Lwm2mPath | undefined,
  values: readonly PathValue[],
  contentFormat: number,
): { readonly ok: true; readonly bytes: Uint8Array } | Refusal {
  try {
    return { ok: true, bytes: encodePayload(contentFormat, values, { typeOf: tree.typeOf, ...(path === undefined ? {} : { path }) }) };
  } catch (error) {
    // The values are the device's own: only the format can be wrong for them.
    if (!(error instanceof Lwm2mFormatError)) throw error;
    return refuse(ResponseCode.notAcceptable, error.message);
  }
}

function decoding<T>(decode: () => T): T | Refusal {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof Lwm2mFormatError)) throw error;
    return refuse(ResponseCode.badRequest, error.message);
  }
}

function unsupported(format: number): Refusal {
  return refuse(ResponseCode.unsupportedContentFormat, `content format ${format} is not supported`);
}

function isSingle(tree: ObjectTree, path: Lwm2mPath): boolean {
  if (path.resourceId === undefined) return false;
  return path.resourceInstanceId !== undefined || tree.resource(path.objectId, path.resourceId)?.multiple === false;
}
