import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceType } from "@lwm2m/protocol/lwm2m/value";
import { findRange, formatRange, isWithin } from "./range.ts";

const cases: readonly [text: string, type: ResourceType, canonical: string | undefined][] = [
  ["0..100", "integer", "0..100"],
  [" 0 .. 100 ", "integer", "0..100"],
  ["-20..50", "integer", "-20..50"],
  ["0,3..7", "integer", "0,3..7"],
  ["0..247, 255", "integer", "0..247,255"],
  ["0; 3.8..20.5", "float", "0,3.8..20.5"],
  ["0-50", "integer", "0..50"],
  ["1...15", "integer", "1..15"],
  ["[1:4]", "integer", "1..4"],
  ["-30..-120", "integer", "-120..-30"],
  ["0: off\n\t\t1: on\n\t\t255: unknown", "unsigned", "0,1,255"],
  ["0..18446744073709551615", "unsigned", "0..18446744073709551615"],
  ["0.000001..1.0", "float", "0.000001..1"],
  ["0..255 bytes", "string", "0..255"],
  ["1..64 Bytes", "string", "1..64"],
  ["10 or 26 Bytes", "string", "10,26"],
  ["16-32-48 bytes", "opaque", "16,32,48"],
  ["0-255 bytes", "string", "0..255"],
  ["64", "string", "0..64"],
  ["6 bytes", "opaque", "0..6"],
  ["-9223372036854775808..9223372036854775807", "integer", "-9223372036854775808..9223372036854775807"],
  ["", "integer", undefined],
  [`1${" ".repeat(400_000)}x`, "string", undefined],
  ["255", "integer", undefined],
  ["2 Instances", "integer", undefined],
  ["8-Bits", "integer", undefined],
  ["16-bit", "integer", undefined],
  ["1 bytes", "integer", undefined],
  ["ON;OFF", "float", undefined],
  ["<7 to >12.5", "integer", undefined],
  ["see the specification", "string", undefined],
  ["0..65535", "boolean", undefined],
  ["0..", "integer", undefined],
  ["..9", "integer", undefined],
  ["1..2..3", "integer", undefined],
];

test("LwM2M Core 1.1 appendix D.1: every way the registry writes a range, and what is no range", () => {
  for (const [text, type, canonical] of cases) {
    const range = findRange(text, type);
    assert.equal(range === undefined ? undefined : formatRange(range), canonical, `${text} of ${type}`);
    if (canonical !== undefined)
      assert.equal(formatRange(findRange(canonical, type) ?? []), canonical, "the canonical form reads as itself");
  }
});

test("LwM2M Core 1.1 appendix D.1: bounds are inclusive and exact at 64 bits", () => {
  const range = findRange("0..9223372036854775807", "integer") ?? [];
  assert.deepEqual(
    [0n, 9_223_372_036_854_775_807n, 9_223_372_036_854_775_808n, -1n].map((value) => isWithin(range, value)),
    [true, true, false, false],
  );
  const gap = findRange("0,3.8..20.5", "float") ?? [];
  assert.deepEqual(
    [0, 1, 3.8, 20.5, 20.6, Number.NaN].map((value) => isWithin(gap, value)),
    [true, false, true, true, false, false],
  );
});
