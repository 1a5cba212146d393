import assert from "node:assert/strict";
import { test } from "node:test";
import { downsampleByPages } from "./downsample.ts";
import type { TelemetryPoint, TelemetryStore } from "./store.ts";

test("a range of several pages: no point is lost or counted twice at their seams, and no more is read than is asked for", async () => {
  const points = Array.from({ length: 25_001 }, (_, i): TelemetryPoint => {
    const timeMs = i / 4 - 1_000;
    return { endpoint: "e", path: "/1/0/1", timeMs, receivedMs: timeMs, value: i };
  });
  let pages = 0;
  const range: TelemetryStore["range"] = async ({ fromMs, toMs, limit }) => {
    pages += 1;
    return points.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs).slice(0, limit);
  };
  const query = { endpoint: "e", path: "/1/0/1", fromMs: -1_000, toMs: 10_000, stepMs: 7 };
  const steps = await downsampleByPages(range, { ...query, limit: 10_000 });
  assert.equal(pages, 3);
  assert.equal(
    steps.reduce((sum, { count }) => sum + count, 0),
    points.length,
  );
  assert.deepEqual(steps[1], { fromMs: -993, count: 28, first: 28, last: 55, numbers: { count: 28, min: 28, max: 55, sum: 1_162 } });
  assert.equal(
    steps.reduce((sum, { numbers }) => sum + (numbers?.sum ?? 0), 0),
    (25_000 * 25_001) / 2,
  );
  pages = 0;
  assert.deepEqual(await downsampleByPages(range, { ...query, limit: 2 }), steps.slice(0, 2));
  assert.equal(pages, 1);
});
