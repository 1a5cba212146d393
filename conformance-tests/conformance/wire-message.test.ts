import assert from "node:assert/strict";
import { test } from "node:test";
import { codeText, decodeWireMessage, encodeWireMessage, textOption, uintOption, type WireMessage } from "./wire-message.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("RFC 7252 figure 16: a GET of temperature, written and read", () => {
  const message: WireMessage = {
    type: 0,
    code: 1,
    messageId: 0x7d34,
    token: new Uint8Array(),
    options: [textOption(11, "temperature")],
    payload: new Uint8Array(),
  };
  assert.equal(hex(encodeWireMessage(message)), "40017d34bb74656d7065726174757265");
  assert.deepEqual(decodeWireMessage(encodeWireMessage(message)), message);
});

test("RFC 7252 §3.1: deltas and lengths of 13 and more are extended", () => {
  const message: WireMessage = {
    type: 1,
    code: 0x45,
    messageId: 1,
    token: Uint8Array.of(7),
    options: [textOption(8, "a".repeat(13)), uintOption(60, 100_000), textOption(2_049, "b".repeat(300))],
    payload: Uint8Array.of(1, 2),
  };
  assert.deepEqual(decodeWireMessage(encodeWireMessage(message)), message);
  assert.equal(hex(encodeWireMessage(message)).slice(0, 14), "51450001078d00");
});

test("RFC 7252 §3: what is no message throws a RangeError", () => {
  for (const bytes of ["", "40", "80010001", "4001000191", "40010001f1ff"]) {
    assert.throws(() => decodeWireMessage(Buffer.from(bytes, "hex")), RangeError, bytes);
  }
});

test("RFC 7252 §12.1: codes in dotted form", () => {
  assert.deepEqual([0x41, 0x80, 0x8c, 0xa0].map(codeText), ["2.01", "4.00", "4.12", "5.00"]);
});
