import assert from "node:assert/strict";
import { test } from "node:test";
import { linkProfiles, withValues } from "./link-profiles.ts";
import { findParameterFaults } from "./parameter-rules.ts";
import { defaultParameters, type TransmissionParameters } from "./parameters.ts";

const faultsOf = (values: Partial<TransmissionParameters>): readonly string[] =>
  findParameterFaults(withValues(defaultParameters, values)).map(({ parameter }) => parameter);

test("RFC 7252 §4.8: the built-in profiles keep the rules", () => {
  for (const [name, profile] of Object.entries(linkProfiles)) assert.deepEqual(findParameterFaults(profile), [], name);
});

test("RFC 7252 §4.8.1: an ACK_TIMEOUT under a second and a random factor under 1 are refused, with all others out of range", () => {
  assert.deepEqual(faultsOf({ ackTimeoutMs: 999, ackRandomFactor: 0.99, maxRetransmit: 1.5 }), [
    "ackTimeoutMs",
    "ackRandomFactor",
    "maxRetransmit",
  ]);
  assert.deepEqual(faultsOf({ ackTimeoutMs: Number.NaN, mtuBytes: 63, probingRateBytesPerSecond: 0 }), [
    "ackTimeoutMs",
    "probingRateBytesPerSecond",
    "mtuBytes",
  ]);
  assert.deepEqual(faultsOf({ ackRandomFactor: 1, maxRetransmit: 0, processingDelayMs: 0, piggybackMs: 0 }), []);
});

test("RFC 7252 §4.8.2: what follows from the values is bounded; §5.2.2: the empty ACK leaves before the peer sends again", () => {
  assert.deepEqual(faultsOf({ ackTimeoutMs: 600_000, maxRetransmit: 10 }), ["maxRetransmit"]);
  assert.deepEqual(faultsOf({ piggybackMs: 2_001 }), ["piggybackMs"]);
});

test("RFC 7959 §2.2: a block is a power of two and fits the datagram", () => {
  assert.deepEqual(faultsOf({ blockSizeBytes: 100 }), ["blockSizeBytes"]);
  assert.deepEqual(faultsOf({ blockSizeBytes: 512, mtuBytes: 256 }), ["blockSizeBytes"]);
  assert.equal(withValues(defaultParameters, { mtuBytes: 256 }).blockSizeBytes, 128);
  assert.equal(withValues(defaultParameters, { mtuBytes: 256, blockSizeBytes: 64 }).blockSizeBytes, 64);
});
