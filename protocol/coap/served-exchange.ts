/** One received request on its way to an answer, and the forms it is given (RFC 7252 §5, RFC 7959 §2). */
import type { Timer } from "../ports/clock.ts";
import type { Block } from "./block-option.ts";
import { Method } from "./codes.ts";
import type { IncomingRequest, OutgoingResponse } from "./message.ts";
import type { Receipt } from "./message-layer-contract.ts";
import type { PeerRecord } from "./peer-table.ts";
import { findPrecondition, type RequestFields } from "./request-fields.ts";
import { etagOf, isBodySource } from "./response-slice.ts";
import type { ResponsePart } from "./response-writer.ts";

export interface ServedExchange {
  readonly record: PeerRecord;
  readonly receipt: Receipt;
  readonly method: Method;
  readonly confirmable: boolean;
  readonly messageId: number;
  readonly token: Uint8Array;
  readonly observe: number | undefined;
  /** Block2 of the request. */
  readonly asked: Block | undefined;
  /** Block1 of the request, repeated in every answer to it (RFC 7959 §2.3). */
  readonly echoed: Block | undefined;
  readonly fields: RequestFields;
  acknowledged: boolean;
  timer: Timer | undefined;
}

export function requestOf(exchange: ServedExchange, payload: Uint8Array): IncomingRequest {
  const { fields } = exchange;
  const request: IncomingRequest = {
    peer: exchange.record.peer,
    method: exchange.method,
    confirmable: exchange.confirmable,
    path: fields.path,
    query: fields.query,
    contentFormat: fields.contentFormat,
    accept: fields.accept,
    observe: fields.observe,
    options: fields.options,
    payload,
  };
  if (findPrecondition(fields) === undefined) return request;
  return {
    ...request,
    ...(fields.ifMatch === undefined ? {} : { ifMatch: fields.ifMatch }),
    ...(fields.ifNoneMatch ? { ifNoneMatch: true } : {}),
  };
}

/** RFC 7252 §5.1: safe methods may run again for a duplicate. */
export function isRepeatable(method: Method): boolean {
  return method === Method.get || method === Method.fetch;
}

/** What says which slice of a body an answer carries. */
type SliceHead = Pick<ResponsePart, "block2" | "etag" | "size2">;

export const wholeHead: SliceHead = { block2: undefined, etag: undefined, size2: undefined };

export function sliceHead(
  response: OutgoingResponse,
  payload: NonNullable<OutgoingResponse["payload"]>,
  block: Block,
  sizeBytes: number,
): SliceHead {
  const etag = response.etag ?? (isBodySource(payload) ? payload.etag : etagOf(payload));
  return { block2: block, etag, size2: block.number === 0 ? sizeBytes : undefined };
}

/** A response with the slice of its body that goes out; field by field, because this runs for every answer and spread is ten times as dear. */
export function partOf(response: OutgoingResponse, payload: Uint8Array | undefined, head: SliceHead = wholeHead): ResponsePart {
  return {
    code: response.code,
    contentFormat: response.contentFormat,
    locationPath: response.locationPath,
    maxAgeSeconds: response.maxAgeSeconds,
    etag: head.etag ?? response.etag,
    block2: head.block2,
    size2: head.size2,
    options: response.options,
    payload,
  };
}

/** RFC 7959 §2.4, §2.5: the same request of the same peer; a new token per block is usual. */
export function transferKey(exchange: ServedExchange, requestTag: Uint8Array | undefined): string {
  return JSON.stringify([exchange.method, exchange.fields.path, exchange.fields.query, requestTag === undefined ? null : [...requestTag]]);
}
