import assert from "node:assert/strict";
import { test } from "node:test";
import { TellingLine } from "./telling-line.ts";

test("outcomes are told in the order of joining, each once its turn has come", () => {
  const told: string[] = [];
  const line = new TellingLine<string>((outcome) => void told.push(outcome));
  const [first, second, third] = [line.join(), line.join(), line.join()];
  second("second");
  assert.deepEqual(told, []);
  first("first");
  assert.deepEqual(told, ["first", "second"]);
  const fourth = line.join();
  fourth("fourth");
  third("third");
  assert.deepEqual(told, ["first", "second", "third", "fourth"]);
});
