/** Operations on several paths at once: FETCH and iPATCH on the root (LwM2M Core 1.1 §6.3.8, §6.3.9, §6.4.3). */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest, OutgoingResponse, ServedObservation } from "@lwm2m/protocol/coap/message";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { answer, refused } from "./answer.ts";
import { compositeFormat, decodePaths, decodeRequest, encodeValues, type PayloadSettings } from "./payload-door.ts";
import { readComposite, writeComposite } from "./tree/composite.ts";
import type { ObjectTree } from "./tree/object-tree.ts";

export interface CompositeOptions {
  readonly tree: ObjectTree;
  readonly payloads: PayloadSettings;
  readonly observe: (
    served: ServedObservation,
    target: readonly CompositePath[],
    contentFormat: number,
    values: readonly PathValue[],
  ) => void;
}

export function isComposite(request: IncomingRequest): boolean {
  return request.path.length === 0 && (request.method === Method.fetch || request.method === Method.ipatch);
}

export function serveComposite(options: CompositeOptions, request: IncomingRequest): OutgoingResponse {
  const { tree, payloads, observe } = options;
  if (request.method === Method.ipatch) {
    const decoded = decodeRequest(payloads, tree, undefined, request);
    return decoded.ok ? answer(writeComposite(tree, decoded.values)) : refused(decoded);
  }
  const list = decodePaths(payloads, tree, request);
  if (!list.ok) return refused(list);
  const format = compositeFormat(payloads, request);
  if (!format.ok) return refused(format);
  const values = readComposite(tree, list.paths);
  const payload = encodeValues(tree, undefined, values, format.contentFormat);
  if (!payload.ok) return refused(payload);
  const response: OutgoingResponse = { code: ResponseCode.content, contentFormat: format.contentFormat, payload: payload.bytes };
  if (request.observe !== 0) return response;
  return { ...response, acceptObserve: (served) => observe(served, list.paths, format.contentFormat, values) };
}
