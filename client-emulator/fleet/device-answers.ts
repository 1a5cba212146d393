/** What a device of a light fleet answers a server: reads, discovery, observations, attributes, and the update trigger. */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse, ServedObservation } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { findPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import { type CompositePath, decodePathList } from "@lwm2m/protocol/lwm2m/senml-etch";
import { linksAt, typeOf, valuesAt } from "./device-values.ts";
import type { FleetDevice } from "./fleet-device.ts";

/** In the order of preference; text and CBOR carry one value only. */
export const contentFormats: readonly number[] = [ContentFormat.senmlCbor, ContentFormat.senmlJson, ContentFormat.tlv];
const compositeFormats: readonly number[] = [ContentFormat.senmlCbor, ContentFormat.senmlJson];
const registrationUpdateTrigger = "/1/0/8";

export interface Answering {
  readonly lifetimeSeconds: number;
  readonly nowMs: () => number;
  readonly onRelation: (device: FleetDevice, served: ServedObservation, targets: readonly CompositePath[], contentFormat: number) => void;
  readonly onUpdateTrigger: (device: FleetDevice) => void;
}

/** Never throws: what a server sends wrong is answered as the standard says. */
export function answer(device: FleetDevice, request: IncomingRequest, answering: Answering): OutgoingResponse {
  try {
    return answerOf(device, request, answering);
  } catch (error) {
    if (!(error instanceof Lwm2mFormatError)) throw error;
    return { code: ResponseCode.badRequest };
  }
}

function answerOf(device: FleetDevice, request: IncomingRequest, answering: Answering): OutgoingResponse {
  if (request.method === Method.fetch) return composite(device, request, answering);
  const text = `/${request.path.join("/")}`;
  const path = findPath(text);
  if (path === undefined) return { code: ResponseCode.notFound };
  switch (request.method) {
    case Method.get:
      return request.accept === ContentFormat.linkFormat ? discovery(path) : values(device, [path], request, answering);
    case Method.put:
      // Write-Attributes has no payload (LwM2M Core 1.1 §6.3.4); the pace of notifications is the load's.
      if (request.payload.length === 0 && request.query.length > 0) return { code: presence(path, ResponseCode.changed) };
      return { code: presence(path, ResponseCode.methodNotAllowed) };
    case Method.post:
      if (text !== registrationUpdateTrigger) return { code: presence(path, ResponseCode.methodNotAllowed) };
      return { code: ResponseCode.changed, afterSent: () => answering.onUpdateTrigger(device) };
    default:
      return { code: ResponseCode.methodNotAllowed };
  }
}

function composite(device: FleetDevice, request: IncomingRequest, answering: Answering): OutgoingResponse {
  const format = request.contentFormat;
  if (format === undefined || !compositeFormats.includes(format)) return { code: ResponseCode.unsupportedContentFormat };
  const targets = decodePathList(format, request.payload, { typeOf, nowMs: answering.nowMs() });
  return values(device, targets, { ...request, accept: request.accept ?? format }, answering);
}

function values(
  device: FleetDevice,
  targets: readonly CompositePath[],
  { accept, observe }: IncomingRequest,
  { lifetimeSeconds, onRelation }: Answering,
): OutgoingResponse {
  const contentFormat = accept ?? ContentFormat.senmlCbor;
  const response = representation(device, targets, contentFormat, lifetimeSeconds);
  if (observe !== 0 || response.code !== ResponseCode.content) return response;
  return { ...response, acceptObserve: (served) => onRelation(device, served, targets, contentFormat) };
}

/** As it is now: the answer to a read, and each notification. */
export function representation(
  device: FleetDevice,
  targets: readonly CompositePath[],
  contentFormat: number,
  lifetimeSeconds: number,
): OutgoingResponse {
  const [only] = targets;
  const found = valuesAt(device, targets, lifetimeSeconds);
  if (found.length === 0) return { code: ResponseCode.notFound };
  const path = targets.length === 1 && only !== undefined && only !== "/" ? { path: only } : {};
  try {
    return { code: ResponseCode.content, contentFormat, payload: encodePayload(contentFormat, found, { typeOf, ...path }) };
  } catch (error) {
    // The values are the device's own: only the format can be wrong for them.
    if (!(error instanceof Lwm2mFormatError)) throw error;
    return { code: ResponseCode.notAcceptable };
  }
}

function discovery(path: Lwm2mPath): OutgoingResponse {
  const links = linksAt(path);
  if (links === "") return { code: ResponseCode.notFound };
  return { code: ResponseCode.content, contentFormat: ContentFormat.linkFormat, payload: new TextEncoder().encode(links) };
}

function presence(path: Lwm2mPath, code: number): number {
  return linksAt(path) === "" ? ResponseCode.notFound : code;
}
