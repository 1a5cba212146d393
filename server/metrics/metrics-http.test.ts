import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { aDevice, anApp } from "../testing/plain-app.ts";
import { aDataDirectory } from "../testing/secured-app.ts";

test("GET /metrics: behind the key, in the Prometheus text format, with what happened so far", async (t) => {
  const { app, ask, assertNoFaults } = await anApp(t, await aDataDirectory(t));
  assert.equal((await fetch(`${app.httpOrigin}/api/v1/metrics`)).status, 401);
  const device = await aDevice(t, app.coapPort, () => ({ code: ResponseCode.notFound }));
  const query = ["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U"];
  const payload = new TextEncoder().encode("</1/0>,</3/0>");
  await device({ method: Method.post, path: ["rd"], query, contentFormat: ContentFormat.linkFormat, payload });
  const text = async (): Promise<string> => {
    const reply = await ask("/metrics");
    assert.equal(reply.status, 200);
    assert.match(reply.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    return reply.text();
  };
  // The event follows the acknowledgement.
  while (!/^lwm2m_events_total\{type="device\.registered"\} 1$/m.test(await text()));
  assert.match(await text(), /^lwm2m_secured_door_total\{door="coaps",what="\w+"\} 0$/m);
  assertNoFaults();
});
