import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoggedEvent } from "../events/event.ts";
import { openMetrics } from "./metrics.ts";
import { metricsRoute } from "./metrics-http.ts";

test("metrics: what has counters of its own is read when it is asked for, events are counted by type, Node's own numbers are there", async () => {
  let tell: (events: readonly LoggedEvent[]) => void = () => assert.fail("nobody listens");
  let handshakes = 3;
  const metrics = openMetrics({
    pressure: () => ({ level: "slow", waiting: 12, commitP95Ms: 250, oldestMs: 1_500, reached: { slow: 2, refusing: 0 } }),
    putOff: () => ({ sends: 5, registrations: 1, requests: 0 }),
    doors: () => ({
      doors: [{ door: "coaps", port: 5684, counters: { connected: handshakes } }],
      messages: [{ door: "coap", port: 5683, counters: { refusedRate: 9 } }],
      identityMismatches: { name: 4 },
    }),
    events: {
      subscribe: (listener) => {
        tell = listener;
        return () => {};
      },
    },
  });
  const event = { _id: "1", sourceKey: "a", type: "device.registered", subject: "dev-1", timeMs: 0, data: null } as const;
  tell([event, { ...event, _id: "2" }]);
  const first = linesOf(await metrics.text());
  for (const line of [
    "lwm2m_store_pressure_level 1",
    "lwm2m_store_waiting_writes 12",
    "lwm2m_store_commit_p95_seconds 0.25",
    "lwm2m_store_oldest_write_seconds 1.5",
    'lwm2m_store_pressure_reached_total{level="slow"} 2',
    'lwm2m_put_off_total{what="sends"} 5',
    'lwm2m_secured_door_total{door="coaps",what="connected"} 3',
    'lwm2m_coap_total{door="coap",what="refusedRate"} 9',
    'lwm2m_identity_mismatches_total{reason="name"} 4',
    'lwm2m_events_total{type="device.registered"} 2',
    'lwm2m_events_total{type="operation.failed"} 0',
  ]) {
    assert.ok(first.includes(line), line);
  }
  assert.ok(first.some((line) => line.startsWith("nodejs_eventloop_lag_p99_seconds ")));
  assert.ok(!first.some((line) => line.includes("dev-1")), "devices are no labels");

  handshakes = 7;
  const second = linesOf(await metrics.text());
  assert.ok(second.includes('lwm2m_secured_door_total{door="coaps",what="connected"} 7'), "a reading does not add to the one before");

  const route = metricsRoute(metrics);
  assert.deepEqual([route.method, route.path], ["GET", "/metrics"]);
});

function linesOf(text: string): readonly string[] {
  return text.split("\n");
}
