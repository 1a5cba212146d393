/** cbor-x as an oracle: what it writes we read, what we write it reads. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoder } from "cbor-x";
import { seededRandom } from "../testing/seeded-random.ts";
import { CborReader } from "./cbor-reader.ts";
import { CborWriter } from "./cbor-writer.ts";

function reader(bytes: Uint8Array): CborReader {
  return new CborReader(bytes, (message) => new Error(message));
}

test("cbor-x writes what we read, and reads what we write", () => {
  const oracle = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false });
  const seed = 20_261_121;
  const random = seededRandom(seed);
  for (let round = 0; round < 2_000; round++) {
    const word = new DataView(random.bytes(8).buffer).getBigUint64(0) >> BigInt(random.integer(64));
    const integer = random.pick([word, -1n - (word >> 1n)]);
    const float = new DataView(random.bytes(8).buffer).getFloat64(0);
    const text = Buffer.from(random.bytes(random.integer(40))).toString("latin1");
    const bytes = random.bytes(random.integer(300));

    const theirs = reader(
      oracle.encode(
        new Map<unknown, unknown>([
          [-2, text],
          ["vlo", bytes],
          [2, integer],
          [8, float],
        ]),
      ),
    );
    const read: unknown[] = [];
    theirs.eachEntry(() => {
      theirs.readLabel();
      const scalar = theirs.readScalar();
      if (scalar.kind === "integer") read.push(BigInt(scalar.value));
      else read.push("value" in scalar ? scalar.value : null);
    });
    const asWritten = Number.isInteger(float) ? [float, BigInt(float)] : [float];
    assert.deepEqual(read.slice(0, 3), [text, bytes, integer], `seed ${seed}`);
    assert.ok(
      asWritten.some((expected) => Object.is(expected, read[3]) || expected === read[3]),
      `seed ${seed}`,
    );

    const writer = new CborWriter();
    writer.map(4);
    for (const [label, write] of [
      [-2, () => writer.text(text)],
      [0, () => writer.bytes(bytes)],
      [2, () => writer.integer(integer)],
      [8, () => writer.float(float)],
    ] as const) {
      writer.integer(label);
      write();
    }
    const decoded: unknown = oracle.decode(writer.toBytes());
    assert.ok(decoded instanceof Map);
    assert.equal(decoded.get(-2), text);
    assert.deepEqual(new Uint8Array(decoded.get(0)), bytes);
    assert.equal(BigInt(decoded.get(2)), integer);
    assert.ok(Object.is(decoded.get(8), float), `seed ${seed}: ${float}`);
  }
});
