import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { ulid, ulidPattern } from "./ulid.ts";

test("ULID: 26 characters, the first ten are the time", () => {
  // The specification's own example of a time part.
  const id = ulid(1_469_918_176_385, seededRandom(1));
  assert.match(id, ulidPattern);
  assert.equal(id.slice(0, 10), "01ARYZ6S41");
});

test("ULID: sorts by time and differs within one millisecond", () => {
  const random = seededRandom(2);
  const ids = [1, 2, 1_000, 1_763_000_000_000, 1_763_000_000_001].map((now) => ulid(now, random));
  assert.deepEqual([...ids].sort(), ids);
  assert.notEqual(ulid(5, random), ulid(5, random));
});
