import assert from "node:assert/strict";
import { test } from "node:test";
import { findInstant, formatInstant } from "./instant.ts";

const epochMs = 1_700_000_000_000;

test("RFC 3339 §5.6: milliseconds, microseconds where there are some, and back", () => {
  for (const [fraction, text] of [
    [0, "000"],
    [7, "007"],
    [0.25, "000250"],
    [999.999, "999999"],
  ] as const) {
    assert.equal(formatInstant(epochMs + fraction), `2023-11-14T22:13:20.${text}Z`);
    assert.equal(findInstant(`2023-11-14T22:13:20.${text}Z`), epochMs + fraction);
  }
  assert.equal(formatInstant(-0.5), "1969-12-31T23:59:59.999500Z");
  for (let microseconds = 0; microseconds < 1_000; microseconds++) {
    const instant = epochMs + microseconds / 1_000;
    assert.equal(findInstant(formatInstant(instant)), instant);
  }
});

test("RFC 3339 §5.6: offsets, short and long fractions; anything else is no instant", () => {
  assert.equal(findInstant("2023-11-14T23:13:20.5+01:00"), epochMs + 500);
  assert.equal(findInstant("2023-11-14t22:13:20z"), epochMs);
  assert.equal(findInstant("2023-11-14T22:13:20.1234567899Z"), epochMs + 123.456);
  for (const text of ["", "2023-11-14", "2023-11-14T22:13:20", "2023-13-14T22:13:20Z", "2023-11-14T22:13:20.Z", "1700000000000"]) {
    assert.equal(findInstant(text), undefined, text);
  }
});
