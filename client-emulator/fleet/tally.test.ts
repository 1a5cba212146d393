import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { Tally } from "./tally.ts";

test("tally: each exchange ends in one column; what has no end is lost", () => {
  const tally = new Tally();
  const [first, second, third, fourth] = [tally.begin(), tally.begin(), tally.begin(), tally.begin()];
  tally.begin();
  first.acknowledged(10, 1);
  second.refused(ResponseCode.serviceUnavailable, 2);
  third.lost();
  fourth.withdrawn();
  assert.equal(tally.open, 1);
  const latencyMs = { count: 1, p50: 10, p90: 10, p99: 10, max: 10 };
  assert.deepEqual(tally.report(), { sent: 4, acknowledged: 1, lost: 2, refused: { "5.03": 1 }, repeated: 1, latencyMs });
});

test("tally: what was under way when it was cleared does not count", () => {
  const tally = new Tally();
  const old = tally.begin();
  tally.clear();
  old.acknowledged(10, 1);
  old.lost();
  assert.deepEqual(tally.report(), { sent: 0, acknowledged: 0, lost: 0, refused: {}, repeated: 0, latencyMs: null });
});
