import assert from "node:assert/strict";
import { test } from "node:test";
import { medianOf, percentilesOf, slopeOf } from "./statistics.ts";

test("bench: the median is a measured value and leaves outliers alone", () => {
  assert.equal(medianOf([5, 1, 900]), 5);
  assert.equal(medianOf([7]), 7);
  assert.ok(Number.isNaN(medianOf([])));
});

test("bench: of 1,000 latencies the slowest hundredth begins at p99, the slowest thousandth at p99.9", () => {
  const latencies = Float32Array.from({ length: 1_000 }, (_, i) => 999 - i);
  assert.deepEqual(percentilesOf(latencies), { p50: 500, p99: 990, p999: 999, max: 999 });
  assert.ok(Number.isNaN(percentilesOf(new Float32Array(0)).p99));
});

test("bench: the slope of memory is its growth per sample, flat with noise on both sides, 0 for one sample", () => {
  assert.equal(slopeOf([10, 12, 14, 16]), 2);
  assert.equal(slopeOf([10, 11, 11, 10]), 0);
  assert.equal(slopeOf([10]), 0);
});
