/** A door over loopback for tests, with a known key. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import type { TestContext } from "node:test";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openLog } from "../log.ts";
import { bearerCheck } from "../security/api-key.ts";
import { openHttpDoor } from "./door.ts";
import { healthRoutes } from "./health-http.ts";
import type { Route, RouteRequest } from "./route.ts";

export const key = "a-key-for-the-tests";
const anyReply = { 200: { description: "" }, 204: { description: "" } };

export function aRoute(route: Partial<Route> & Pick<Route, "path">): Route {
  return { method: "GET", name: `route${route.path}`, summary: "", replies: anyReply, handle: echo, ...route };
}

async function echo({ params, query, body, preferWaitMs, idempotencyKey, actor }: RouteRequest) {
  return {
    status: 200,
    body: {
      params,
      query: JSON.parse(JSON.stringify(query)),
      body: body ?? null,
      preferWaitMs: preferWaitMs ?? null,
      idempotencyKey: idempotencyKey ?? null,
      actor,
    },
  };
}

export async function aDoor(t: TestContext, routes: readonly Route[], faults: readonly string[] = []) {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const door = await openHttpDoor({
    host: "127.0.0.1",
    port: 0,
    routes,
    openRoutes: healthRoutes({ findFaults: async () => faults }),
    authenticate: bearerCheck(key),
    bodyBytes: 2_000,
    maxWaitSeconds: 60,
    requestTimeoutMs: 10_000,
    clock: systemClock,
    random: systemRandom,
    log: openLog({ level: "debug", pretty: false, sink }),
    checkReplies: true,
  });
  t.after(() => door.close(0));
  const origin = `http://127.0.0.1:${door.port}`;
  const ask = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
    fetch(`${origin}/api/v1${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });
  return { door, origin, ask, lines };
}

export const json = (body: unknown) => ({ body: JSON.stringify(body), headers: { "content-type": "application/json" } });

export async function problemOf(response: Response, status: number, code: string) {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const problem = await bodyOf(response);
  assert.deepEqual(
    [response.status, problem.status, problem.code, problem.type],
    [status, status, code, `urn:lwm2m:problem:${code}`],
    JSON.stringify(problem),
  );
  assert.equal(typeof problem.title, "string");
  assert.equal(typeof problem.detail, "string");
  assert.match(problem.traceId, /^[0-9a-f]{32}$/);
  assert.match(problem.instance, /^\//);
  return problem;
}

/** The tests know the shape they expect; they assert it. */
export async function bodyOf(response: Response) {
  return JSON.parse(await response.text());
}
