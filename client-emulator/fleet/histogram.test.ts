import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "./histogram.ts";

test("histogram: quantiles at most two per cent above the value and never below, the greatest exactly", () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 1_000; ms++) histogram.record(ms);
  for (const share of [0.01, 0.5, 0.9, 0.99]) {
    const value = histogram.quantile(share) ?? 0;
    assert.ok(value >= share * 1_000 && value <= share * 1_020.1, `${share}: ${value}`);
  }
  assert.equal(histogram.quantile(1), 1_000);
  assert.deepEqual([histogram.report()?.count, histogram.report()?.max], [1_000, 1_000]);
});

test("histogram: nothing, one value, and what is out of range", () => {
  const histogram = new Histogram();
  assert.equal(histogram.report(), null);
  assert.equal(histogram.quantile(0.5), undefined);
  histogram.record(42.4242);
  assert.deepEqual(histogram.report(), { count: 1, p50: 42.4, p90: 42.4, p99: 42.4, max: 42.4 });
  histogram.clear();
  for (const ms of [0, 1e-9, 1e9]) histogram.record(ms);
  assert.deepEqual([histogram.quantile(0.5), histogram.report()?.max], [0.001, 1e9]);
});

test("histogram: one slow value in a hundred is the p99's neighbour, not the p99", () => {
  const histogram = new Histogram();
  for (let i = 0; i < 99; i++) histogram.record(5);
  histogram.record(900);
  const report = histogram.report();
  assert.ok(report !== null && report.p99 <= 5.1 && report.max === 900);
});
