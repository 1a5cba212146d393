import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteRangeError, ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";

class LayerError extends Error {}

function everyField(): Uint8Array {
  const writer = new ByteWriter(1);
  writer.u8(0xfe);
  writer.u16(0xfedc);
  writer.u24(0xfedcba);
  writer.u32(0xfedcba98);
  writer.u64(0xfedcba9876543210n);
  writer.i8(-128);
  writer.i16(-2);
  writer.i32(-2_147_483_648);
  writer.i64(-2n);
  writer.f32(1.5);
  writer.f64(-0.1);
  writer.bytes(Uint8Array.of(1, 2, 3));
  return writer.toBytes();
}

function readEveryField(reader: ByteReader): unknown[] {
  return [
    reader.u8(),
    reader.u16(),
    reader.u24(),
    reader.u32(),
    reader.u64(),
    reader.i8(),
    reader.i16(),
    reader.i32(),
    reader.i64(),
    reader.f32(),
    reader.f64(),
    [...reader.bytes(3)],
  ];
}

test("bytes: every field is big-endian and reads back as written", () => {
  const bytes = everyField();
  assert.equal(
    Buffer.from(bytes).toString("hex"),
    "fefedcfedcbafedcba98fedcba987654321080fffe80000000fffffffffffffffe3fc00000bfb999999999999a010203",
  );
  const reader = new ByteReader(bytes);
  assert.deepEqual(readEveryField(reader), [
    0xfe,
    0xfedc,
    0xfedcba,
    0xfedcba98,
    0xfedcba9876543210n,
    -128,
    -2,
    -2_147_483_648,
    -2n,
    1.5,
    -0.1,
    [1, 2, 3],
  ]);
  assert.equal(reader.remaining, 0);
  assert.equal(reader.position, bytes.length);
});

test("bytes: cut at every byte, the read fails with the error of the layer and nothing else", () => {
  const bytes = everyField();
  for (let length = 0; length < bytes.length; length++) {
    const cut = bytes.subarray(0, length);
    assert.throws(() => readEveryField(new ByteReader(cut)), ByteRangeError);
    assert.throws(() => readEveryField(new ByteReader(cut, (message) => new LayerError(message))), LayerError);
  }
});

test("bytes: a view at an offset reads its own bytes only", () => {
  const reader = new ByteReader(Uint8Array.of(9, 1, 2, 9).subarray(1, 3));
  assert.equal(reader.peek(), 1);
  assert.equal(reader.u16(), 0x0102);
  assert.throws(() => reader.u8(), ByteRangeError);
  assert.throws(() => reader.peek(), ByteRangeError);
});

test("bytes: a negative or broken length is refused", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2));
  for (const length of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => reader.bytes(length), ByteRangeError);
  assert.equal(reader.position, 0);
});

test("bytes: a value that does not fit its field is refused", () => {
  const writer = new ByteWriter();
  assert.throws(() => writer.u8(256), RangeError);
  assert.throws(() => writer.u16(-1), RangeError);
  assert.throws(() => writer.u24(0x1000000), RangeError);
  assert.throws(() => writer.u32(1.5), RangeError);
  assert.throws(() => writer.u64(-1n), RangeError);
  assert.throws(() => writer.i8(128), RangeError);
  assert.throws(() => writer.i64(1n << 63n), RangeError);
  assert.equal(writer.position, 0);
});
