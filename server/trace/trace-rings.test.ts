import assert from "node:assert/strict";
import { test } from "node:test";
import { type TracedMessage, TraceRings } from "./trace-rings.ts";

const message = (at: number, size: number): TracedMessage => ({
  ...{ door: "coap", direction: "in", at, peer: { address: "10.0.0.2", port: 1 }, sizeBytes: size },
  bytes: new Uint8Array(size),
});
const timesOf = (rings: TraceRings, endpoint: string): readonly number[] => rings.of(endpoint).map(({ at }) => at);

test("each device keeps its last messages", () => {
  const rings = new TraceRings({ messagesPerDevice: 3, bytes: 100_000 });
  for (let at = 1; at <= 5; at++) rings.push("a", message(at, 10));
  rings.push("b", message(6, 10));
  assert.deepEqual([timesOf(rings, "a"), timesOf(rings, "b"), timesOf(rings, "c")], [[3, 4, 5], [6], []]);
});

test("all together keep within their bytes: who was heard from longest ago gives way; nothing is counted that is not kept", () => {
  const rings = new TraceRings({ messagesPerDevice: 100, bytes: 10_000 });
  for (let at = 1; at <= 10; at++) rings.push("quiet", message(at, 300));
  for (let at = 11; at <= 20; at++) rings.push("busy", message(at, 300));
  for (let at = 21; at <= 30; at++) rings.push("busier", message(at, 300));
  assert.ok(rings.bytes <= 10_000);
  assert.deepEqual([timesOf(rings, "quiet"), timesOf(rings, "busy").length, timesOf(rings, "busier").length], [[], 10, 10]);
  for (let at = 31; at < 1_000; at++) rings.push(`device ${at}`, message(at, 1_000));
  assert.ok(rings.bytes <= 10_000 && rings.bytes > 8_000, String(rings.bytes));
  for (let at = 31; at < 1_000; at++) rings.forget(`device ${at}`);
  assert.equal(rings.bytes, 0);
  rings.push("large", message(1, 20_000));
  assert.deepEqual([timesOf(rings, "large"), rings.bytes], [[], 0]);
});
