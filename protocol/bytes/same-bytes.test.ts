import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteRangeError, ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { sameBytes } from "./same-bytes.ts";

test("byte strings are the same when every byte and the length are", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  assert.equal(sameBytes(bytes, Buffer.from([1, 2, 3])), true);
  assert.equal(sameBytes(new Uint8Array(0), new Uint8Array(0)), true);
  assert.equal(sameBytes(bytes, bytes.subarray(0, 2)), false);
  assert.equal(sameBytes(bytes.subarray(0, 2), bytes), false);
  for (let at = 0; at < 3; at++) assert.equal(sameBytes(bytes, bytes.with(at, 9)), false);
});

test("a copy that was read has its own memory, short or long, and ends where the bytes do", () => {
  for (const length of [0, 1, 64, 65, 300]) {
    const source = Buffer.from(Uint8Array.from({ length: length + 2 }, (_, i) => i));
    const reader = new ByteReader(source.subarray(1));
    const copy = reader.copy(length);
    assert.deepEqual(copy, new Uint8Array(source.subarray(1, 1 + length)));
    source.fill(0xff);
    assert.ok(copy.every((byte, i) => byte === ((i + 1) & 0xff)));
    assert.equal(reader.remaining, 1);
    assert.throws(() => reader.copy(2), ByteRangeError);
  }
});

test("a length that is known later is written over two bytes that are there, never beyond them", () => {
  const writer = new ByteWriter();
  writer.u16(0);
  writer.u8(7);
  writer.u16At(0, 0x1234);
  assert.deepEqual(writer.toBytes(), Uint8Array.of(0x12, 0x34, 7));
  assert.throws(() => writer.u16At(2, 1), RangeError);
  assert.throws(() => writer.u16At(0, 0x10000), RangeError);
});
