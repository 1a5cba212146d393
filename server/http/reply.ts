/** Writes replies: JSON, problems (RFC 9457) and streams, with the headers every answer of the API carries. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Response } from "express";
import { type Problem, problemTypes } from "./problem.ts";
import { hasBody } from "./request-body.ts";
import type { Reply } from "./route.ts";

export interface ReplyContext {
  readonly method: string;
  /** The path asked for: `instance` of a problem. */
  readonly path: string;
  readonly traceId: string;
  readonly signal: AbortSignal;
}

/** `application/problem+json` with the members this API adds (RFC 9457 §3.2). */
export type ProblemDocument = { readonly [member: string]: unknown };

/** Bytes of an unread body that are worth reading to keep the connection. */
const drainedBytes = 16_777_216;

export async function sendReply(response: Response, reply: Reply, context: ReplyContext): Promise<void> {
  for (const [name, value] of Object.entries(replyHeaders)) response.setHeader(name, value);
  response.setHeader("Trace-Id", context.traceId);
  if (isBodyLeft(response)) response.setHeader("Connection", "close");
  if ("problem" in reply) {
    sendProblem(response, reply.problem, context);
    return;
  }
  response.statusCode = reply.status;
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if ("stream" in reply) await sendStream(response, reply.stream, context);
  else if (reply.body === undefined) response.end();
  else sendJson(response, reply.body, "application/json; charset=utf-8");
}

export function problemDocument(problem: Problem, context: Pick<ReplyContext, "path" | "traceId">): ProblemDocument {
  const { status, title } = problemTypes[problem.type];
  return {
    type: `urn:lwm2m:problem:${problem.type}`,
    title,
    status,
    detail: problem.detail,
    instance: context.path,
    code: problem.type,
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
    ...(problem.coapCode === undefined ? {} : { coapCode: problem.coapCode }),
    ...(problem.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: problem.retryAfterSeconds }),
    traceId: context.traceId,
  };
}

/** Answers are about devices and for one caller: not for caches, frames or sniffers. */
const replyHeaders = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
} as const;

function sendProblem(response: Response, problem: Problem, context: ReplyContext): void {
  response.statusCode = problemTypes[problem.type].status;
  if (response.statusCode === 401) response.setHeader("WWW-Authenticate", 'Bearer realm="lwm2m"');
  if (problem.allow !== undefined) response.setHeader("Allow", problem.allow);
  if (problem.retryAfterSeconds !== undefined) response.setHeader("Retry-After", String(Math.ceil(problem.retryAfterSeconds)));
  sendJson(response, problemDocument(problem, context), "application/problem+json");
}

function sendJson(response: Response, body: unknown, mediaType: string): void {
  // The line ends, so that a terminal shows its prompt on the next one.
  const text = `${JSON.stringify(body)}\n`;
  if (!response.hasHeader("Content-Type")) response.setHeader("Content-Type", mediaType);
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(text);
}

async function sendStream(response: Response, chunks: AsyncIterable<string | Uint8Array>, context: ReplyContext): Promise<void> {
  if (context.method === "HEAD") {
    response.end();
    // One that was begun holds what it reads from.
    await chunks[Symbol.asyncIterator]().return?.();
    return;
  }
  // So that the client sees the head of a stream that has nothing to say yet.
  response.flushHeaders();
  try {
    await pipeline(Readable.from(chunks, { objectMode: true, highWaterMark: 1 }), response);
  } catch (error) {
    // The client went away: nobody is left to tell.
    if (!context.signal.aborted) throw error;
  }
}

/** Small remainders are read by Node and dropped, so that the client is free to read the answer; others end with the connection. */
function isBodyLeft(response: Response): boolean {
  const { req: request } = response;
  if (request.complete || !hasBody(request)) return false;
  return request.headers.expect !== undefined || !(Number(request.headers["content-length"]) <= drainedBytes);
}
