import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { parsePath } from "@lwm2m/protocol/lwm2m/path";
import { deviceModel } from "../registration/device-model.ts";
import { answerSizes, type KnownValues, valueBytes } from "./answer-sizes.ts";

const objects = [
  { id: 3, version: "1.0", instances: [0] },
  { id: 3303, version: "1.0", instances: [0, 1] },
  { id: 32_000, version: "1.0", instances: [0] },
];
const model = deviceModel(openCatalogue(), { objects, lwm2mVersion: "1.1" });
const sizesOf = (known?: KnownValues) => answerSizes(known, objects, model);

test("a known value counts as what it is, an unknown one as its type suggests", () => {
  const sizes = sizesOf({ "/3/0/0": { value: "A".repeat(100) }, "/3/0/7/0": { value: 3_800 }, "/3/0/7/1": { value: 5_000 } });
  const at = (path: string): number => sizes.likely(parsePath(path));
  assert.ok(at("/3/0/0") > 100 && at("/3/0/0") < 130, `${at("/3/0/0")}`);
  assert.ok(at("/3/0/1") > at("/3/0/9"), "a string is longer than a number");
  assert.ok(at("/3/0/7") > at("/3/0/7/0"), "two instances are more than one");
  assert.ok(at("/3/0") >= at("/3/0/0") + at("/3/0/7"));
});

test("at most: every resource of the model in every registered instance; nobody knows without a model", () => {
  const sizes = sizesOf();
  const at = (path: string): number => sizes.atMost(parsePath(path)) ?? Number.NaN;
  assert.ok(at("/3/0") > 300 && at("/3/0") < 2_000, `${at("/3/0")}`);
  assert.equal(at("/3303"), at("/3303/0") + at("/3303/1"));
  assert.equal(sizes.atMost(parsePath("/32000/0")), undefined);
  assert.equal(sizes.atMost(parsePath("/3/0/9")), undefined);
  const known = sizesOf({ "/3/0/0": { value: "A".repeat(500) } });
  assert.ok((known.atMost(parsePath("/3/0")) ?? 0) > at("/3/0") + 400);
});

test("the size of a value in its REST form", () => {
  assert.deepEqual(
    [valueBytes("abc"), valueBytes(5), valueBytes(true), valueBytes({ "0": "ab", "1": 7 }), valueBytes(null)],
    [4, 6, 6, 9, 6],
  );
});
