import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest } from "@lwm2m/protocol/coap/message";
import { pressedRoutes } from "../http/pressure-http.ts";
import type { Reply, Route, RouteRequest } from "../http/route.ts";
import type { PressureLevel } from "../storage/store-pressure.ts";
import { openPressureGate } from "./pressure-gate.ts";

const fractions = (...values: readonly number[]) => {
  let next = 0;
  return { bytes: () => new Uint8Array(), fraction: () => values[next++] ?? 0 };
};
// The gate looks at these two alone.
const aRequest = (method: number, ...path: readonly string[]) => ({ method, path }) as unknown as IncomingRequest;

test("RFC 7252 §5.9.3.4: a pressed store puts off Sends first, then Register and Update, each with a spread Max-Age", async () => {
  let level: PressureLevel = "normal";
  const gate = openPressureGate(() => ({ level }), fractions(0, 0.999, 0, 0.999));
  const handle = gate.guard(() => ({ code: ResponseCode.changed }));
  const requests = {
    send: aRequest(Method.post, "dp"),
    register: aRequest(Method.post, "rd"),
    update: aRequest(Method.post, "rd", "x"),
    deregister: aRequest(Method.delete, "rd", "x"),
    block: aRequest(Method.get, "fw", "x"),
  };
  const putOff = async () => {
    const found: { [name: string]: number | undefined } = {};
    for (const [name, request] of Object.entries(requests)) {
      const answer = await handle(request);
      if (answer.code === ResponseCode.serviceUnavailable) found[name] = answer.maxAgeSeconds;
    }
    return found;
  };
  assert.deepEqual(await putOff(), {});
  level = "slow";
  assert.deepEqual(await putOff(), { send: 30 });
  level = "refusing";
  assert.deepEqual(await putOff(), { send: 300, register: 30, update: 60 });
  level = "normal";
  assert.deepEqual(await putOff(), {});
  assert.deepEqual(gate.putOff, { sends: 2, registrations: 2 });
});

test("RFC 6585 §4, RFC 9110 §15.6.4: programs get 429, then 503, with Retry-After for what would write; looking is always answered", async () => {
  let level: PressureLevel = "normal";
  const pressure = () => ({ level, waiting: 1, commitP95Ms: 2, oldestMs: 3, reached: { slow: 4, refusing: 5 } });
  const aRoute = (method: Route["method"]): Route => ({
    ...{ method, path: "/x", name: method, summary: "", replies: {} },
    handle: async () => ({ status: 200 }),
  });
  const routes = pressedRoutes([aRoute("GET"), aRoute("POST"), aRoute("DELETE")], { pressure, putOff: { sends: 6, registrations: 7 } });
  const ask = (name: string): Promise<Reply> =>
    routes.find((route) => route.name === name)?.handle({ stream: undefined } as unknown as RouteRequest) ?? assert.fail();
  const outcomes = async () => {
    const found: unknown[] = [];
    for (const name of ["GET", "POST", "DELETE"]) {
      const reply = await ask(name);
      found.push("problem" in reply ? [reply.problem.type, reply.problem.retryAfterSeconds] : reply.status);
    }
    return found;
  };
  assert.deepEqual(await outcomes(), [200, 200, 200]);
  level = "slow";
  assert.deepEqual(await outcomes(), [200, ["store-busy", 5], 200]);
  level = "refusing";
  assert.deepEqual(await outcomes(), [200, ["unavailable", 30], ["unavailable", 30]]);
  const shown = await ask("getStore");
  assert.deepEqual("body" in shown ? shown.body : undefined, {
    ...pressure(),
    putOff: { sends: 6, registrations: 7, requests: 3 },
  });
});
