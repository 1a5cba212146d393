import assert from "node:assert/strict";
import { test } from "node:test";
import { wakeUpFleet } from "./sleepy-fleet.ts";
import { wakeUpTrace } from "./wake-up-trace.ts";

function counted<T>(all: readonly T[], nameOf: (one: T) => string): { readonly [name: string]: number } {
  const counts: { [name: string]: number } = {};
  for (const one of all) counts[nameOf(one)] = (counts[nameOf(one)] ?? 0) + 1;
  return counts;
}

test("the trace of the wake-up bench is the same each time", () => {
  const trace = wakeUpTrace();
  const operations = trace.flatMap(({ queue }) => queue);
  assert.deepEqual([trace.length, operations.length], [1_000, 6_504]);
  assert.deepEqual(
    counted(operations, ({ kind }) => kind),
    { write: 2224, read: 3766, discover: 120, execute: 197, observe: 197 },
  );
  assert.deepEqual(
    counted(trace, ({ lwm2mVersion, refusesComposite }) => `${lwm2mVersion}${refusesComposite ? " refusing" : ""}`),
    { "1.1": 600, "1.0": 138, "1.2": 219, "1.2 refusing": 10, "1.1 refusing": 28, "1.0 refusing": 5 },
  );
});

test("half the exchanges or fewer, and every operation ends as it does alone", async () => {
  const trace = wakeUpTrace().slice(0, 30);
  const planned = await wakeUpFleet(trace, 16);
  const apart = await wakeUpFleet(trace, 1);
  assert.deepEqual([planned.succeeded, apart.succeeded], [planned.operations, apart.operations]);
  assert.equal(apart.exchanges, apart.operations);
  assert.ok(planned.exchanges * 2 <= apart.exchanges, `${planned.exchanges} of ${apart.exchanges}`);
  assert.ok(planned.bytes < apart.bytes);
});
