/** CoAP requests of an LwM2M server turned into operations on the tree, and their outcomes into answers (LwM2M Core 1.1 §6.3, §6.4). */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse, ServedObservation } from "@lwm2m/protocol/coap/message";
import { findPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { answer, refused } from "./answer.ts";
import { isComposite, serveComposite } from "./composite-door.ts";
import { decodeRequest, encodeValues, type PayloadSettings, responseFormat } from "./payload-door.ts";
import { locate } from "./tree/access.ts";
import { execute } from "./tree/execute.ts";
import type { ObjectTree } from "./tree/object-tree.ts";
import { type Done, type Refusal, refuse } from "./tree/outcome.ts";
import { read } from "./tree/read.ts";
import { create, remove, type WriteMode, write } from "./tree/write.ts";

export interface DeviceManagementOptions {
  readonly tree: ObjectTree;
  readonly payloads: PayloadSettings;
  readonly discover: (path: Lwm2mPath) => { readonly ok: true; readonly links: Uint8Array } | Refusal;
  readonly writeAttributes: (path: Lwm2mPath, query: readonly string[]) => Done | Refusal;
  readonly observe: (
    served: ServedObservation,
    target: readonly CompositePath[],
    contentFormat: number,
    values: readonly PathValue[],
  ) => void;
  readonly log: (message: string) => void;
}

export function serveDeviceManagement(options: DeviceManagementOptions, request: IncomingRequest): OutgoingResponse {
  const path = findPath(`/${request.path.join("/")}`);
  if (options.payloads.lwm2mVersion !== "1.0" && isComposite(request)) return serveComposite(options, request);
  if (path === undefined) return refused(refuse(ResponseCode.notFound, "not a path into the object tree"));
  return route(options, request, path);
}

function route(options: DeviceManagementOptions, request: IncomingRequest, path: Lwm2mPath): OutgoingResponse {
  switch (request.method) {
    case Method.get:
      return request.accept === ContentFormat.linkFormat ? discovered(options, path) : readOrObserve(options, request, path);
    case Method.put:
      return isAttributeWrite(request) ? answer(options.writeAttributes(path, request.query)) : written(options, request, path, "replace");
    case Method.post:
      return posted(options, request, path);
    case Method.delete:
      return answer(remove(options.tree, path), ResponseCode.deleted);
    case Method.fetch:
    case Method.patch:
    case Method.ipatch:
      return refused(refuse(ResponseCode.methodNotAllowed, "composite operations are for the root, from LwM2M 1.1 on"));
  }
}

function discovered(options: DeviceManagementOptions, path: Lwm2mPath): OutgoingResponse {
  const outcome = options.discover(path);
  if (!outcome.ok) return refused(outcome);
  return { code: ResponseCode.content, contentFormat: ContentFormat.linkFormat, payload: outcome.links };
}

function readOrObserve(options: DeviceManagementOptions, request: IncomingRequest, path: Lwm2mPath): OutgoingResponse {
  const outcome = read(options.tree, path);
  if (!outcome.ok) return refused(outcome);
  const format = responseFormat(options.payloads, options.tree, path, request.accept);
  if (!format.ok) return refused(format);
  const payload = encodeValues(options.tree, path, outcome.values, format.contentFormat);
  if (!payload.ok) return refused(payload);
  const response: OutgoingResponse = { code: ResponseCode.content, contentFormat: format.contentFormat, payload: payload.bytes };
  if (request.observe !== 0) return response;
  return { ...response, acceptObserve: (served) => options.observe(served, [path], format.contentFormat, outcome.values) };
}

/** Write-Attributes is a PUT that says everything in its query (LwM2M Core 1.1 §6.3.2). */
function isAttributeWrite(request: IncomingRequest): boolean {
  return request.query.length > 0 && request.payload.length === 0 && request.contentFormat === undefined;
}

function written(options: DeviceManagementOptions, request: IncomingRequest, path: Lwm2mPath, mode: WriteMode): OutgoingResponse {
  // Where nothing may be written the payload does not matter: 4.01, 4.04 and 4.05 come before 4.15 and 4.00.
  const target = locate(options.tree, path);
  if (!target.ok) return refused(target);
  const decoded = decodeRequest(options.payloads, options.tree, path, request);
  if (!decoded.ok) return refused(decoded);
  return answer(write(options.tree, path, mode, decoded.values));
}

function posted(options: DeviceManagementOptions, request: IncomingRequest, path: Lwm2mPath): OutgoingResponse {
  switch (levelOf(path)) {
    case "object":
      return created(options, request, path);
    case "instance":
      return written(options, request, path, "update");
    case "resource":
    case "resourceInstance": {
      const resource = options.tree.resource(path.objectId, path.resourceId ?? 0);
      const addsInstances = resource?.multiple === true && resource.operations !== "E" && path.resourceInstanceId === undefined;
      return addsInstances ? written(options, request, path, "update") : executed(options, request, path);
    }
  }
}

function created(options: DeviceManagementOptions, request: IncomingRequest, path: Lwm2mPath): OutgoingResponse {
  const { tree } = options;
  const target = locate(tree, path);
  if (!target.ok) return refused(target);
  if (target.object.behaviour.newInstance === undefined) {
    return refused(refuse(ResponseCode.methodNotAllowed, `object ${path.objectId} takes no new instances`));
  }
  const isBare = request.payload.length === 0 && request.contentFormat === undefined;
  const decoded = isBare ? { ok: true as const, values: [] } : decodeRequest(options.payloads, tree, path, request);
  if (!decoded.ok) return refused(decoded);
  const outcome = create(tree, path.objectId, decoded.values);
  if (!outcome.ok) return refused(outcome);
  const [first, ...others] = outcome.created;
  // The server has named several itself, and one place could not say all of them.
  if (first === undefined || others.length > 0) return { code: ResponseCode.created };
  return { code: ResponseCode.created, locationPath: [`${path.objectId}`, `${first}`] };
}

function executed(options: DeviceManagementOptions, request: IncomingRequest, path: Lwm2mPath): OutgoingResponse {
  if (request.payload.length > 0 && request.contentFormat !== undefined && request.contentFormat !== ContentFormat.text) {
    const target = locate(options.tree, path);
    if (target.ok && target.resource?.operations === "E")
      return refused(refuse(ResponseCode.unsupportedContentFormat, "arguments are text/plain"));
  }
  const outcome = execute(options.tree, path, new TextDecoder().decode(request.payload));
  if (!outcome.ok) return refused(outcome);
  return { code: ResponseCode.changed, ...(outcome.afterSent === undefined ? {} : { afterSent: outcome.afterSent }) };
}
