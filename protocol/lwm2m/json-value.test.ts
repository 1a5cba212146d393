import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJsonValue, type JsonScalar, toJsonValue } from "./json-value.ts";
import type { ResourceType, ResourceValue } from "./value.ts";

const bothWays: readonly (readonly [ResourceValue, JsonScalar])[] = [
  [{ type: "string", value: "é\n" }, "é\n"],
  [{ type: "corelnk", value: "</3>" }, "</3>"],
  [{ type: "boolean", value: false }, false],
  [{ type: "integer", value: -5n }, -5],
  [{ type: "integer", value: 2n ** 53n - 1n }, 9_007_199_254_740_991],
  [{ type: "integer", value: 2n ** 53n }, "9007199254740992"],
  [{ type: "integer", value: -(2n ** 63n) }, "-9223372036854775808"],
  [{ type: "unsigned", value: 2n ** 64n - 1n }, "18446744073709551615"],
  [{ type: "float", value: 22.5 }, 22.5],
  [{ type: "time", value: 1_367_491_215n }, "2013-05-02T10:40:15Z"],
  [{ type: "time", value: -1n }, "1969-12-31T23:59:59Z"],
  [{ type: "time", value: 2n ** 63n - 1n }, "9223372036854775807"],
  [{ type: "opaque", value: Uint8Array.of(0xfb, 0xff) }, "+/8="],
  [{ type: "opaque", value: Uint8Array.of() }, ""],
  [{ type: "objlnk", value: { objectId: 65_535, instanceId: 0 } }, "65535:0"],
];

test("REST values: every type both ways, nothing lost at 64 bits", () => {
  for (const [value, json] of bothWays) {
    assert.deepEqual(toJsonValue(value), json);
    assert.deepEqual(fromJsonValue(value.type, json), { ok: true, value });
    assert.doesNotThrow(() => JSON.stringify(toJsonValue(value)));
  }
});

test("REST values: integers also as text, times also as seconds, opaque in both alphabets", () => {
  assert.deepEqual(fromJsonValue("integer", "42"), { ok: true, value: { type: "integer", value: 42n } });
  assert.deepEqual(fromJsonValue("time", 1_367_491_215), { ok: true, value: { type: "time", value: 1_367_491_215n } });
  assert.deepEqual(fromJsonValue("time", "2013-05-02T12:40:15.250+02:00"), { ok: true, value: { type: "time", value: 1_367_491_215n } });
  assert.deepEqual(fromJsonValue("opaque", "-_8"), { ok: true, value: { type: "opaque", value: Uint8Array.of(0xfb, 0xff) } });
});

test("REST values: a float that JSON cannot write is null", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    assert.equal(toJsonValue({ type: "float", value }), null);
});

const refused: readonly (readonly [ResourceType, unknown])[] = [
  ["string", 1],
  ["string", null],
  ["boolean", "true"],
  ["boolean", 1],
  ["integer", 1.5],
  ["integer", "1.5"],
  ["integer", "0x10"],
  ["integer", ""],
  ["integer", 2 ** 53],
  ["integer", "9223372036854775808"],
  ["unsigned", -1],
  ["unsigned", "18446744073709551616"],
  ["float", "1.5"],
  ["float", Number.NaN],
  ["float", Number.POSITIVE_INFINITY],
  ["time", "yesterday"],
  ["time", "2013-02-30T00:00:00Z"],
  ["time", 0.5],
  ["opaque", "*"],
  ["opaque", [1, 2]],
  ["objlnk", "3"],
  ["objlnk", "65536:0"],
  ["objlnk", { objectId: 3 }],
  ["corelnk", undefined],
];

test("REST values: what is no value of the type is refused with what was expected and got", () => {
  for (const [type, json] of refused) {
    const reading = fromJsonValue(type, json);
    assert.equal(reading.ok, false, `${type} ${JSON.stringify(json)}`);
    if (!reading.ok) assert.ok(reading.expected.length > 0 && reading.got.length > 0);
  }
  assert.deepEqual(fromJsonValue("integer", "abc"), {
    ok: false,
    expected: "an integer from -9223372036854775808 to 9223372036854775807",
    got: '"abc"',
  });
  const rounded = fromJsonValue("unsigned", 18446744073709552000);
  assert.ok(!rounded.ok && rounded.expected.endsWith("to 18446744073709551615, beyond 2^53 as text"), JSON.stringify(rounded));
  const long = fromJsonValue("boolean", "x".repeat(1000));
  assert.ok(!long.ok && long.got.length < 100);
});
