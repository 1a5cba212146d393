import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf } from "./bootstrap-steps.ts";

const good: Readonly<Record<string, string>> = {
  "/0/1/0": "coap://192.0.2.1:5683",
  "/0/1/1": "0",
  "/0/1/2": "3",
  "/0/1/10": "101",
  "/1/0/0": "101",
  "/1/0/1": "300",
  "/1/0/7": "U",
};

test("LwM2M Core 1.1 §6.1.4: accounts that lead to a server, and what each missing part is called", () => {
  assert.equal(problemOf(new Map(Object.entries(good))), undefined);
  const wrong: readonly (readonly [path: string, value: string | undefined, problem: RegExp])[] = [
    ["/0/1/0", undefined, /\/0\/1\/0 is missing/],
    ["/0/1/0", "http://192.0.2.1", /no CoAP URI/],
    ["/0/1/1", "1", /no \/0 instance of an LwM2M server/],
    ["/0/1/2", undefined, /\/0\/1\/2 is missing/],
    ["/0/1/10", undefined, /\/0\/1\/10 is missing/],
    ["/1/0/0", "102", /no \/1 instance with Short Server ID 101/],
    ["/1/0/1", undefined, /\/1\/0\/1 is missing/],
    ["/1/0/7", undefined, /\/1\/0\/7 is missing/],
  ];
  for (const [path, value, problem] of wrong) {
    const written = new Map(Object.entries(good));
    if (value === undefined) written.delete(path);
    else written.set(path, value);
    assert.match(problemOf(written) ?? "", problem, `${path} ${value}`);
  }
  assert.match(problemOf(new Map()) ?? "", /no \/0 instance/);
});
