import assert from "node:assert/strict";
import { test } from "node:test";
import { Pacer } from "./pacer.ts";

test("pacer: what is due, and how late each is", () => {
  const pacer = new Pacer(10, 5_000);
  assert.deepEqual(pacer.due(5_000), []);
  assert.deepEqual(pacer.due(5_099), []);
  assert.deepEqual(pacer.due(5_100), [0]);
  assert.deepEqual(pacer.due(5_100), []);
  assert.deepEqual(pacer.due(5_350), [150, 50]);
});

test("pacer: the rate is kept over a long time, whatever the steps", () => {
  const pacer = new Pacer(333, 0);
  let due = 0;
  for (let now = 0; now <= 60_000; now += 7) due += pacer.due(now).length;
  assert.equal(due + pacer.skipped, Math.floor((Math.floor(60_000 / 7) * 7 * 333) / 1_000));
  assert.equal(pacer.skipped, 0);
});

test("pacer: more than a second behind is skipped and said, not sent in one burst", () => {
  const pacer = new Pacer(100, 0);
  assert.equal(pacer.due(10_000).length, 100);
  assert.equal(pacer.skipped, 900);
});

test("pacer: a rate of 0 is never due", () => {
  assert.deepEqual(new Pacer(0, 0).due(1e9), []);
});
