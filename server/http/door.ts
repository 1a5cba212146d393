/** The HTTP door: routes as data become answers. Order: address, key, method, query, body, handler; each refusal is a problem document. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import express, { type Request, type Response } from "express";
import type { Log } from "../log.ts";
import type { Authenticate } from "../security/api-key.ts";
import { type Json, StorageUnavailableError } from "../storage/collection.ts";
import { openHttpListener } from "./platform/http-listener.ts";
import { parsePrefer } from "./prefer.ts";
import { type ReplyContext, sendReply } from "./reply.ts";
import { findUploadProblem, hasBody, jsonBodyReader } from "./request-body.ts";
import { type CheckedRoute, checkedRoutes } from "./request-schema.ts";
import type { Reply, Route, RouteRequest } from "./route.ts";
import { type RouteTable, routeTable } from "./route-table.ts";
import { traceIdOf } from "./trace-context.ts";

export const apiPrefix = "/api/v1";

/** The names of the places only: whoever may read them there has the key already. */
const unauthorizedDetail = "send the API key as Authorization: Bearer KEY; it stands in DATA_DIR/admin-key, or in the setting API_KEY";
/** Long enough for two UUIDs and a word; kept for a day each. */
const maxIdempotencyKey = 255;

export interface HttpDoorSettings {
  readonly host: string;
  readonly port: number;
  /** Under `/api/v1`, behind the key. */
  readonly routes: readonly Route[];
  /** At the root, open to everyone. */
  readonly openRoutes: readonly Route[];
  readonly authenticate: Authenticate;
  readonly bodyBytes: number;
  readonly maxWaitSeconds: number;
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** In tests: a reply that does not fit its own schema is a bug. */
  readonly checkReplies?: boolean;
}

export interface HttpDoor {
  readonly address: string;
  readonly port: number;
  /** Streams and waits end at once, other requests within `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Rejects with the operating system's error when the address cannot be bound. */
export async function openHttpDoor(settings: HttpDoorSettings): Promise<HttpDoor> {
  const presences = new Set<Presence>();
  const answering = new Set<Promise<void>>();
  let isClosing = false;
  const door = { settings, answer: answerer(settings) };
  const app = express();
  app.disable("x-powered-by");
  app.use(async (request: Request, response: Response) => {
    if (isClosing) response.setHeader("Connection", "close");
    const presence = new Presence();
    presences.add(presence);
    response.once("close", () => {
      presences.delete(presence);
      presence.end();
    });
    const answered = answerOne(request, response, presence, door);
    answering.add(answered);
    await answered.finally(() => answering.delete(answered));
  });
  const listener = await openHttpListener(settings, app);
  return {
    address: listener.address,
    port: listener.port,
    async close(graceMs) {
      isClosing = true;
      for (const presence of presences) presence.end();
      await listener.close(graceMs);
      // A handler may outlive its connection; what it uses is closed after the door.
      await Promise.allSettled(answering);
    },
  };
}

/** Whether somebody still waits for the answer. The signal is made for those who ask: most requests are over before it could matter. */
class Presence {
  #controller: AbortController | undefined;
  #isOver = false;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isOver) this.#controller.abort();
    return this.#controller.signal;
  }

  end(): void {
    this.#isOver = true;
    this.#controller?.abort();
  }
}

type Answer = (request: Request, response: Response, context: ReplyContext) => Promise<Reply>;

async function answerOne(
  request: Request,
  response: Response,
  presence: Presence,
  door: { readonly settings: HttpDoorSettings; readonly answer: Answer },
): Promise<void> {
  const { clock, log, random } = door.settings;
  const startedAt = clock.now();
  const context: ReplyContext = {
    method: request.method,
    path: request.path,
    traceId: traceIdOf(request.get("traceparent"), random),
    get signal() {
      return presence.signal;
    },
  };
  const facts = { method: context.method, path: context.path, traceId: context.traceId };
  try {
    await sendReply(response, await door.answer(request, response, context), context);
  } catch (error) {
    if (context.signal.aborted && isBrokenOff(error)) log.debug("the client left", facts);
    else if (!(error instanceof StorageUnavailableError)) log.error("a request handler failed", { ...facts, error });
    if (response.headersSent) response.destroy();
    else {
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      await sendReply(response, failureReply(error), context);
    }
  }
  log.debug("request", { ...facts, status: response.statusCode, durationMs: clock.now() - startedAt });
}

/** A body that ends because its sender went away in the middle. */
function isBrokenOff(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ECONNRESET" || error.code === "ERR_STREAM_PREMATURE_CLOSE");
}

/** What the caller may know of a failure: that it was ours. */
function failureReply(error: unknown): Reply {
  if (error instanceof StorageUnavailableError) {
    return { problem: { type: "unavailable", detail: "the store does not answer now", retryAfterSeconds: 5 } };
  }
  return { problem: { type: "internal-error", detail: "an unexpected failure; the server's log has it under this traceId" } };
}

function answerer(settings: HttpDoorSettings): Answer {
  const open = routeTable("", checkedRoutes(settings.openRoutes));
  const guarded = routeTable(apiPrefix, checkedRoutes(settings.routes));
  const handle = routeHandler(settings);
  return async (request, response, context) => {
    let match = open.find(context.method, context.path);
    let actor = "anonymous";
    if (match.kind === "unknown") {
      const known = settings.authenticate(request.get("authorization"));
      if (known === undefined) {
        return { problem: { type: "unauthorized", detail: unauthorizedDetail } };
      }
      actor = known.actor;
      match = guarded.find(context.method, context.path);
    }
    switch (match.kind) {
      case "unknown":
        return { problem: { type: "not-found", detail: notFoundDetail(context, guarded) } };
      case "malformed":
        return {
          problem: { type: "bad-request", detail: "the address has a percent escape that is none, or that is no UTF-8 (RFC 3986 §2.1)" },
        };
      case "wrong-method":
        if (context.method === "OPTIONS") return { status: 204, headers: { Allow: match.allow } };
        return {
          problem: { type: "method-not-allowed", detail: `got ${context.method}, this address takes ${match.allow}`, allow: match.allow },
        };
      case "found":
        return handle(match.entry, { request, response, context, params: match.params, actor });
    }
  };
}

/** The near misses: without the prefix, in another version, with a slash at the end. */
function notFoundDetail({ method, path }: ReplyContext, routes: RouteTable<CheckedRoute>): string {
  const bare = path.replace(/^\/api(?:\/v\d+)?(?=\/|$)/, "").replace(/\/+$/, "");
  const near = apiPrefix + bare;
  const hint = near !== path && routes.find(method, near).kind === "found" ? `did you mean ${near}? ` : "";
  return `${path} is no address of this API; ${hint}${apiPrefix}/openapi.json lists them all`;
}

interface Matched {
  readonly request: Request;
  readonly response: Response;
  readonly context: ReplyContext;
  readonly params: RouteRequest["params"];
  readonly actor: string;
}

function routeHandler(settings: HttpDoorSettings): (checked: CheckedRoute, matched: Matched) => Promise<Reply> {
  const readJson = jsonBodyReader(settings.bodyBytes);
  return async (checked, matched) => {
    const { request, response } = matched;
    const { route } = checked;
    const question = request.originalUrl.indexOf("?");
    const query = checked.checkQuery(question < 0 ? "" : request.originalUrl.slice(question + 1));
    if (!query.ok) return query;
    const key = request.get("idempotency-key");
    if (key !== undefined && (key === "" || key.length > maxIdempotencyKey)) {
      return {
        problem: { type: "bad-request", detail: `got an Idempotency-Key of ${key.length} characters, expected 1 to ${maxIdempotencyKey}` },
      };
    }
    if (route.body === undefined && hasBody(request)) {
      return { problem: { type: "bad-request", detail: `${request.method} takes no body at this address` } };
    }
    const misfit = route.mediaTypes === undefined ? undefined : findUploadProblem(request, route.mediaTypes);
    if (misfit !== undefined) return { problem: misfit };
    if (route.body !== undefined && request.headers.expect !== undefined) response.writeContinue();
    let body: Json | undefined;
    if (route.body !== undefined && route.body !== "binary") {
      const read = await readJson(request, response);
      if (!read.ok) return read;
      const problem = checked.checkBody(read.value);
      if (problem !== undefined) return { problem };
      body = read.value;
    }
    const reply = await callHandler(settings, checked, matched, query.value, body);
    if (settings.checkReplies === true && "status" in reply && !("stream" in reply)) {
      const fault = checked.findReplyFault(reply.status, reply.body);
      if (fault !== undefined) throw new Error(`the reply of ${route.name} does not fit its schema: ${fault}`);
    }
    return reply;
  };
}

async function callHandler(
  settings: HttpDoorSettings,
  { route }: CheckedRoute,
  { request, response, context, params, actor }: Matched,
  query: RouteRequest["query"],
  body: Json | undefined,
): Promise<Reply> {
  const preference = parsePrefer(request.get("prefer"), settings.maxWaitSeconds);
  return route.handle({
    params,
    query,
    body,
    stream: route.body === "binary" ? request : undefined,
    headers: headersOf(request),
    // Asked for means honoured: only handlers that can wait look at it (RFC 7240 §3).
    get preferWaitMs() {
      if (preference !== undefined) response.setHeader("Preference-Applied", preference.applied);
      return preference?.waitMs;
    },
    idempotencyKey: request.get("idempotency-key"),
    actor,
    traceId: context.traceId,
    get signal() {
      return context.signal;
    },
  });
}

/** Repeated headers are joined as Node joins them; what it keeps apart (Set-Cookie) is no business of a request. */
function headersOf(request: Request): RouteRequest["headers"] {
  const headers: { [name: string]: string | undefined } = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (name !== "authorization") headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}
