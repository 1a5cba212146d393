/** The bootstrap interface of the device: what the bootstrap server sends between Bootstrap-Request and Finish (LwM2M Core 1.1 §6.1.7). */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { findPath, formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { answer, refused } from "../answer.ts";
import { decodeRequest, encodeValues, type PayloadSettings, responseFormat } from "../payload-door.ts";
import { bootstrapDelete, bootstrapWrite } from "../tree/bootstrap-access.ts";
import { bootstrapLinks } from "../tree/discover.ts";
import type { ObjectTree } from "../tree/object-tree.ts";
import { refuse } from "../tree/outcome.ts";
import { readAll } from "../tree/read.ts";
import { type CredentialCheck, inconsistency } from "./consistency.ts";

export interface BootstrapDoorOptions {
  readonly tree: ObjectTree;
  readonly payloads: PayloadSettings;
  readonly checkCredential: CredentialCheck;
  /** The configuration is consistent; runs after the answer has left. */
  readonly onFinish: () => void;
  readonly log: (message: string) => void;
}

/** Server and Access Control; keys never leave the device (LwM2M Core 1.1 §6.1.7.4). */
const readableObjects: ReadonlySet<number> = new Set([1, 2]);

export function serveBootstrap(options: BootstrapDoorOptions, request: IncomingRequest): OutgoingResponse {
  if (request.path.length === 1 && request.path[0] === "bs" && request.method === Method.post) return finished(options);
  const path = request.path.length === 0 ? undefined : findPath(`/${request.path.join("/")}`);
  if (path === undefined && request.path.length > 0) return refused(refuse(ResponseCode.badRequest, "not a path into the object tree"));
  switch (request.method) {
    case Method.get:
      return request.accept === ContentFormat.linkFormat ? discovered(options, path) : readInstances(options, request, path);
    case Method.put:
      return written(options, request, path);
    case Method.delete:
      options.log(`bootstrap: delete ${path === undefined ? "/" : formatPath(path)}`);
      return answer(bootstrapDelete(options.tree, path), ResponseCode.deleted);
    case Method.post:
    case Method.fetch:
    case Method.patch:
    case Method.ipatch:
      return refused(refuse(ResponseCode.methodNotAllowed, "no operation of the bootstrap interface"));
  }
}

function finished({ tree, checkCredential, onFinish, log }: BootstrapDoorOptions): OutgoingResponse {
  const problem = inconsistency(tree, checkCredential);
  log(`bootstrap: finish, ${problem ?? "consistent"}`);
  if (problem !== undefined) return refused(refuse(ResponseCode.notAcceptable, problem));
  return { code: ResponseCode.changed, afterSent: onFinish };
}

function written(options: BootstrapDoorOptions, request: IncomingRequest, path: Lwm2mPath | undefined): OutgoingResponse {
  if (path === undefined) return refused(refuse(ResponseCode.badRequest, "the root cannot be written"));
  const decoded = decodeRequest(options.payloads, options.tree, path, request);
  if (!decoded.ok) return refused(decoded);
  options.log(`bootstrap: write ${formatPath(path)}`);
  return answer(bootstrapWrite(options.tree, path, decoded.values));
}

function discovered({ tree, payloads }: BootstrapDoorOptions, path: Lwm2mPath | undefined): OutgoingResponse {
  if (path?.instanceId !== undefined) return refused(refuse(ResponseCode.badRequest, "Bootstrap-Discover is for the root and for objects"));
  if (path !== undefined && tree.find(path.objectId) === undefined) return refused(refuse(ResponseCode.notFound, `no ${formatPath(path)}`));
  const payload = bootstrapLinks(tree, payloads.lwm2mVersion, path?.objectId);
  return { code: ResponseCode.content, contentFormat: ContentFormat.linkFormat, payload };
}

function readInstances(options: BootstrapDoorOptions, request: IncomingRequest, path: Lwm2mPath | undefined): OutgoingResponse {
  if (path === undefined || !readableObjects.has(path.objectId) || path.resourceId !== undefined) {
    return refused(refuse(ResponseCode.methodNotAllowed, "Bootstrap-Read is for /1 and /2 and their instances"));
  }
  const object = options.tree.find(path.objectId);
  const { instanceId } = path;
  if (object === undefined || (instanceId !== undefined && !object.instances.has(instanceId))) {
    return refused(refuse(ResponseCode.notFound, `no ${formatPath(path)}`));
  }
  const ids = instanceId === undefined ? [...object.instances.keys()] : [instanceId];
  const format = responseFormat(options.payloads, options.tree, path, request.accept);
  if (!format.ok) return refused(format);
  const values = ids.flatMap((id) => readAll(object, id));
  const payload = encodeValues(options.tree, path, values, format.contentFormat);
  if (!payload.ok) return refused(payload);
  return { code: ResponseCode.content, contentFormat: format.contentFormat, payload: payload.bytes };
}
