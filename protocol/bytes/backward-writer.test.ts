import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../testing/seeded-random.ts";
import { BackwardWriter } from "./backward-writer.ts";
import { ByteWriter } from "./byte-writer.ts";

test("BackwardWriter: fields written from the last to the first are what ByteWriter writes from the first to the last", () => {
  const seed = 20_261_121;
  const random = seededRandom(seed);
  for (let round = 0; round < 300; round++) {
    const fields = Array.from({ length: random.integer(40) }, () => {
      const word = new DataView(random.bytes(8).buffer);
      const text = random.pick([
        "",
        "a",
        "sensor-1",
        "é",
        "short é text",
        "x".repeat(24),
        "x".repeat(25),
        "\ud800",
        "\u{1f600}".repeat(30),
      ]);
      const bytes = random.bytes(random.pick([0, 1, 100, 1_000]));
      return random.pick<[(writer: ByteWriter) => void, (writer: BackwardWriter) => void]>([
        [(writer) => writer.u8(word.getUint8(0)), (writer) => writer.u8(word.getUint8(0))],
        [(writer) => writer.u16(word.getUint16(0)), (writer) => writer.u16(word.getUint16(0))],
        [(writer) => writer.u24(word.getUint32(0) >>> 8), (writer) => writer.u24(word.getUint32(0) >>> 8)],
        [(writer) => writer.u32(word.getUint32(0)), (writer) => writer.u32(word.getUint32(0))],
        [(writer) => writer.i32(word.getInt32(0)), (writer) => writer.u32(word.getInt32(0))],
        [(writer) => writer.u64(word.getBigUint64(0)), (writer) => writer.u64(word.getBigUint64(0))],
        [(writer) => writer.i64(word.getBigInt64(0)), (writer) => writer.u64(word.getBigInt64(0))],
        [(writer) => writer.f32(word.getUint16(0) / 8), (writer) => writer.f32(word.getUint16(0) / 8)],
        [(writer) => writer.f64(word.getInt32(0) / 7), (writer) => writer.f64(word.getInt32(0) / 7)],
        [(writer) => writer.bytes(bytes), (writer) => writer.bytes(bytes)],
        [(writer) => writer.bytes(new TextEncoder().encode(text)), (writer) => writer.text(text)],
      ]);
    });
    const forward = new ByteWriter();
    for (const [write] of fields) write(forward);
    const backward = new BackwardWriter();
    for (const [, write] of fields.toReversed()) write(backward);
    assert.equal(backward.length, forward.position);
    assert.deepEqual(backward.toBytes(), forward.toBytes(), `seed ${seed}, round ${round}`);
  }
});
