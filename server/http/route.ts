/** Routes as data: validation, the OpenAPI document and the door itself derive from them. Each feature declares its own in `x-http.ts`. */
import type { Readable } from "node:stream";
import type { Json } from "../storage/collection.ts";
import type { Problem } from "./problem.ts";

/** JSON Schema 2020-12 as ajv takes it. */
export type JsonSchema = { readonly [keyword: string]: unknown };

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Under `/api/v1`, OpenAPI style: `/devices/{endpoint}/operations`, `/operations/{id}:cancel`; `{path...}` takes the rest, slashes included. */
  readonly path: string;
  /** camelCase, unique: the OpenAPI operationId. */
  readonly name: string;
  readonly summary: string;
  /** Schemas of single query parameters, by name; numbers and booleans are coerced. One of type array may be repeated. Unknown ones are refused (400). */
  readonly query?: { readonly [name: string]: JsonSchema };
  /** Names in `query` that a request must give. */
  readonly requiredQuery?: readonly string[];
  /** Request headers the handler looks at, for the OpenAPI document. */
  readonly headers?: readonly ("Prefer" | "Idempotency-Key" | "If-Match")[];
  /** Schema of the JSON body, or `"binary"`: the handler reads `stream`. Absent: a body is refused. */
  readonly body?: JsonSchema | "binary";
  /** For `"binary"`: the media types taken, others are 415 and an empty body is 400. Absent: any, the handler looks. */
  readonly mediaTypes?: readonly string[];
  /** Whether a request without a body is refused (400). Default: yes, unless the schema is an object without required members. */
  readonly bodyRequired?: boolean;
  /** Replies by status; problems need not be listed. */
  readonly replies: { readonly [status: number]: ReplyDescription };
  readonly handle: (request: RouteRequest) => Promise<Reply>;
}

export interface ReplyDescription {
  readonly description: string;
  /** Of a reply in JSON. */
  readonly schema?: JsonSchema;
  /** Other media types the reply comes in, by Accept: what a line or an event of them is. */
  readonly streams?: { readonly [mediaType: string]: string };
}

export interface RouteRequest {
  /** Decoded path parameters. */
  readonly params: { readonly [name: string]: string };
  /** Validated and coerced. */
  readonly query: { readonly [name: string]: string | number | boolean | readonly string[] | undefined };
  /** Validated JSON, undefined without a body. */
  readonly body: Json | undefined;
  /** For `body: "binary"`; the handler must read or destroy it. */
  readonly stream: Readable | undefined;
  readonly headers: { readonly [name: string]: string | undefined };
  /** `Prefer: wait=N` in milliseconds, capped by the settings; 0 for `respond-async`; undefined without the header (RFC 7240 §4). */
  readonly preferWaitMs: number | undefined;
  readonly idempotencyKey: string | undefined;
  /** Who asks: the key's name, never the key. */
  readonly actor: string;
  /** From `traceparent`, or made for this request. */
  readonly traceId: string;
  /** Aborted when the client went away. */
  readonly signal: AbortSignal;
}

export type Reply =
  | { readonly status: number; readonly body?: Json; readonly headers?: { readonly [name: string]: string } }
  | { readonly problem: Problem }
  /** Server-sent events or another stream: the handler writes until the signal aborts. */
  | { readonly status: number; readonly headers: { readonly [name: string]: string }; readonly stream: AsyncIterable<string | Uint8Array> };
