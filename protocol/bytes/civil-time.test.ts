import assert from "node:assert/strict";
import { test } from "node:test";
import { findInstant, formatInstant } from "../platform/instant.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { findEpochSeconds, formatEpochSeconds } from "./civil-time.ts";

const vectors: readonly (readonly [bigint, string])[] = [
  [0n, "1970-01-01T00:00:00Z"],
  [-1n, "1969-12-31T23:59:59Z"],
  [951_782_400n, "2000-02-29T00:00:00Z"],
  [1_363_896_240n, "2013-03-21T20:04:00Z"],
  [4_107_542_400n, "2100-03-01T00:00:00Z"],
  [-62_167_219_200n, "0000-01-01T00:00:00Z"],
  [253_402_300_799n, "9999-12-31T23:59:59Z"],
];

test("RFC 3339 §5.6: instants around leap days and the ends of the calendar, both ways", () => {
  for (const [seconds, text] of vectors) {
    assert.equal(formatEpochSeconds(seconds), text);
    assert.equal(findEpochSeconds(text), seconds);
  }
  assert.equal(formatEpochSeconds(253_402_300_800n), undefined);
  assert.equal(formatEpochSeconds(-62_167_219_201n), undefined);
});

test("RFC 3339 §5.8: offsets, fractions and a leap second", () => {
  assert.equal(findEpochSeconds("1985-04-12T23:20:50.52Z"), 482_196_050n);
  assert.equal(findEpochSeconds("1996-12-19T16:39:57-08:00"), 851_042_397n);
  assert.equal(findEpochSeconds("1990-12-31T23:59:60Z"), 662_688_000n);
  assert.equal(findEpochSeconds("1937-01-01T12:00:27.87+00:20"), -1_041_337_173n);
});

test("RFC 3339 §5.7: what is no instant is refused", () => {
  for (const text of [
    "",
    "2013-03-21",
    "2013-03-21T20:04:00",
    "2013-13-01T00:00:00Z",
    "2013-00-01T00:00:00Z",
    "2013-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2013-04-31T00:00:00Z",
    "2013-04-00T00:00:00Z",
    "2013-04-01T24:00:00Z",
    "2013-04-01T00:60:00Z",
    "2013-04-01T00:00:61Z",
    "2013-04-01T00:00:00+24:00",
  ]) {
    assert.equal(findEpochSeconds(text), undefined, text);
  }
});

test("civil time: agrees with the platform on random instants", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 20_000; round++) {
    const seconds = Math.floor(random.fraction() * (253_402_300_799 + 62_167_219_200) - 62_167_219_200);
    const expected = formatInstant(seconds * 1000).replace(".000Z", "Z");
    assert.equal(formatEpochSeconds(BigInt(seconds)), expected);
    assert.equal(findEpochSeconds(expected), BigInt(seconds));
    assert.equal(findInstant(expected), seconds * 1000);
  }
});
