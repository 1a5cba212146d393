import assert from "node:assert/strict";
import { test } from "node:test";
import { ArrivalTimes } from "./arrival-times.ts";

const nowMs = 1_700_000_000_000;

test("what arrives from one device within one millisecond has times a microsecond apart; others do not notice", () => {
  const arrivals = new ArrivalTimes();
  assert.deepEqual(
    ["a", "a", "b", "a"].map((endpoint) => arrivals.next(endpoint, nowMs)),
    [nowMs, nowMs + 0.001, nowMs, nowMs + 0.002],
  );
  assert.equal(arrivals.next("a", nowMs + 1), nowMs + 1);
  const many = Array.from({ length: 900 }, () => arrivals.next("a", nowMs + 2));
  assert.equal(new Set(many).size, 900);
  assert.ok(many.every((time) => Math.floor(time) === nowMs + 2));
});

test("a clock that was set back gives times of its own; names are remembered over the turn of the maps", () => {
  const arrivals = new ArrivalTimes();
  arrivals.next("a", nowMs);
  assert.equal(arrivals.next("a", nowMs - 5_000), nowMs - 5_000);
  assert.equal(arrivals.next("a", nowMs - 5_000), nowMs - 4_999.999);
  assert.equal(arrivals.next("a", nowMs), nowMs);
  arrivals.next("b", nowMs + 1_000);
  arrivals.next("a", nowMs + 1_000);
  arrivals.next("b", nowMs + 1_001);
  assert.equal(arrivals.next("a", nowMs + 1_000), nowMs + 1_000.001);
});
