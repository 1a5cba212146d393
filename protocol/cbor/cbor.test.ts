import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../testing/seeded-random.ts";
import { CborReader, maxCborDepth } from "./cbor-reader.ts";
import type { CborScalar } from "./cbor-scalar.ts";
import { CborWriter } from "./cbor-writer.ts";

class CutError extends Error {}

function reader(bytes: Uint8Array): CborReader {
  return new CborReader(bytes, (message) => new CutError(message));
}

/** RFC 8949 appendix A, the items a scalar reader takes; `written`: what we write for it where that differs, empty where we never write it. */
const scalarVectors: readonly { readonly hex: string; readonly scalar: CborScalar; readonly written?: string }[] = [
  { hex: "00", scalar: { kind: "integer", value: 0 } },
  { hex: "01", scalar: { kind: "integer", value: 1 } },
  { hex: "0a", scalar: { kind: "integer", value: 10 } },
  { hex: "17", scalar: { kind: "integer", value: 23 } },
  { hex: "1818", scalar: { kind: "integer", value: 24 } },
  { hex: "1819", scalar: { kind: "integer", value: 25 } },
  { hex: "1864", scalar: { kind: "integer", value: 100 } },
  { hex: "1903e8", scalar: { kind: "integer", value: 1000 } },
  { hex: "1a000f4240", scalar: { kind: "integer", value: 1_000_000 } },
  { hex: "1b000000e8d4a51000", scalar: { kind: "integer", value: 1_000_000_000_000 } },
  { hex: "1bffffffffffffffff", scalar: { kind: "integer", value: 18_446_744_073_709_551_615n } },
  { hex: "3bffffffffffffffff", scalar: { kind: "integer", value: -18_446_744_073_709_551_616n } },
  { hex: "20", scalar: { kind: "integer", value: -1 } },
  { hex: "29", scalar: { kind: "integer", value: -10 } },
  { hex: "3863", scalar: { kind: "integer", value: -100 } },
  { hex: "3903e7", scalar: { kind: "integer", value: -1000 } },
  { hex: "c249010000000000000000", scalar: { kind: "integer", value: 18_446_744_073_709_551_616n }, written: "" },
  { hex: "c349010000000000000000", scalar: { kind: "integer", value: -18_446_744_073_709_551_617n }, written: "" },
  { hex: "f90000", scalar: { kind: "float", value: 0 }, written: "fa00000000" },
  { hex: "f98000", scalar: { kind: "float", value: -0 }, written: "fa80000000" },
  { hex: "f93c00", scalar: { kind: "float", value: 1 }, written: "fa3f800000" },
  { hex: "fb3ff199999999999a", scalar: { kind: "float", value: 1.1 } },
  { hex: "f93e00", scalar: { kind: "float", value: 1.5 }, written: "fa3fc00000" },
  { hex: "f97bff", scalar: { kind: "float", value: 65_504 }, written: "fa477fe000" },
  { hex: "fa47c35000", scalar: { kind: "float", value: 100_000 } },
  { hex: "fa7f7fffff", scalar: { kind: "float", value: 3.4028234663852886e38 } },
  { hex: "fb7e37e43c8800759c", scalar: { kind: "float", value: 1e300 } },
  { hex: "f90001", scalar: { kind: "float", value: 2 ** -24 }, written: "fa33800000" },
  { hex: "f90400", scalar: { kind: "float", value: 0.00006103515625 }, written: "fa38800000" },
  { hex: "f9c400", scalar: { kind: "float", value: -4 }, written: "fac0800000" },
  { hex: "fbc010666666666666", scalar: { kind: "float", value: -4.1 } },
  { hex: "f97c00", scalar: { kind: "float", value: Number.POSITIVE_INFINITY }, written: "fa7f800000" },
  { hex: "f97e00", scalar: { kind: "float", value: Number.NaN }, written: "fa7fc00000" },
  { hex: "f9fc00", scalar: { kind: "float", value: Number.NEGATIVE_INFINITY }, written: "faff800000" },
  { hex: "fbfff0000000000000", scalar: { kind: "float", value: Number.NEGATIVE_INFINITY }, written: "faff800000" },
  { hex: "f4", scalar: { kind: "boolean", value: false } },
  { hex: "f5", scalar: { kind: "boolean", value: true } },
  { hex: "f6", scalar: { kind: "null" } },
  { hex: "f7", scalar: { kind: "null" }, written: "f6" },
  { hex: "c074323031332d30332d32315432303a30343a30305a", scalar: { kind: "date", value: "2013-03-21T20:04:00Z" }, written: "" },
  { hex: "c11a514b67b0", scalar: { kind: "integer", value: 1_363_896_240 }, written: "1a514b67b0" },
  { hex: "c1fb41d452d9ec200000", scalar: { kind: "float", value: 1_363_896_240.5 }, written: "fb41d452d9ec200000" },
  { hex: "d74401020304", scalar: { kind: "bytes", value: Uint8Array.of(1, 2, 3, 4) }, written: "4401020304" },
  { hex: "c48221196ab3", scalar: { kind: "decimal", exponent: -2n, mantissa: 27_315n }, written: "" },
  { hex: "40", scalar: { kind: "bytes", value: Uint8Array.of() } },
  { hex: "4401020304", scalar: { kind: "bytes", value: Uint8Array.of(1, 2, 3, 4) } },
  { hex: "60", scalar: { kind: "text", value: "" } },
  { hex: "6161", scalar: { kind: "text", value: "a" } },
  { hex: "6449455446", scalar: { kind: "text", value: "IETF" } },
  { hex: "62225c", scalar: { kind: "text", value: '"\\' } },
  { hex: "62c3bc", scalar: { kind: "text", value: "ü" } },
  { hex: "63e6b0b4", scalar: { kind: "text", value: "水" } },
  { hex: "64f0908591", scalar: { kind: "text", value: "\u{10151}" } },
  { hex: "5f42010243030405ff", scalar: { kind: "bytes", value: Uint8Array.of(1, 2, 3, 4, 5) }, written: "450102030405" },
  { hex: "7f657374726561646d696e67ff", scalar: { kind: "text", value: "streaming" }, written: "6973747265616d696e67" },
];

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function written(scalar: CborScalar): string {
  const writer = new CborWriter();
  switch (scalar.kind) {
    case "integer":
      writer.integer(scalar.value);
      break;
    case "float":
      writer.float(scalar.value);
      break;
    case "text":
      writer.text(scalar.value);
      break;
    case "bytes":
      writer.bytes(scalar.value);
      break;
    case "boolean":
      writer.boolean(scalar.value);
      break;
    case "null":
      writer.null();
      break;
    default:
      return "";
  }
  return hexOf(writer.toBytes());
}

test("RFC 8949 §3.1: integers are exact on both sides of what a double can hold", () => {
  for (const [hex, value] of [
    ["1b001fffffffffffff", Number.MAX_SAFE_INTEGER],
    ["1b0020000000000000", 2n ** 53n],
    ["1b0020000000000001", 2n ** 53n + 1n],
    ["3b001ffffffffffffe", Number.MIN_SAFE_INTEGER],
    ["3b001fffffffffffff", -(2n ** 53n)],
    ["3b0020000000000000", -(2n ** 53n) - 1n],
    ["c2471fffffffffffff", Number.MAX_SAFE_INTEGER],
    ["c2480020000000000001", 2n ** 53n + 1n],
  ] as const) {
    assert.deepEqual(reader(bytesOf(hex)).readScalar(), { kind: "integer", value }, hex);
    if (!hex.startsWith("c2")) assert.equal(reader(bytesOf(hex)).readInteger(), BigInt(value), hex);
  }
});

test("RFC 8949 appendix A: every scalar is read, and written in preferred form", () => {
  for (const { hex, scalar, written: expected } of scalarVectors) {
    const source = reader(bytesOf(hex));
    assert.deepEqual(source.readScalar(), scalar, hex);
    source.finish();
    if (expected !== "") assert.equal(written(scalar), expected ?? hex);
  }
});

test("RFC 8949 §3: a scalar cut at every byte fails with the error of the layer", () => {
  for (const { hex } of scalarVectors) {
    const bytes = bytesOf(hex);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => reader(bytes.subarray(0, length)).readScalar(), CutError, `${hex} cut at ${length}`);
      assert.throws(() => reader(bytes.subarray(0, length)).skip(), CutError, `${hex} cut at ${length}`);
    }
    const longer = reader(bytesOf(`${hex}00`));
    longer.skip();
    assert.throws(() => longer.finish(), CutError);
  }
});

/** Appendix F.1 and its kin: not well-formed, not valid, or not accepted. */
const brokenVectors = [
  ["reserved additional information", "1c 1d 1e 3c 5c 7d 9e bc dd fc fd fe"],
  ["indefinite length where none may be", "1f 3f df"],
  ["a lone break", "ff"],
  ["chunk of another kind", "5f00ff 5f6100ff 7f4100ff 5f5f4100ffff 7f7f6100ffff"],
  ["a text string or chunk that is not UTF-8", "61ff 62c328 7f61c361bcff 7f61c3ff"],
  ["a length beyond the input", "5affffffff00 5bffffffffffffffff010203 7affffffff00 7b7fffffffffffffff010203"],
  ["a container beyond the input", "9affffffff00 9bffffffffffffffff00 baffffffff00 bbffffffffffffffff00 a2000000 8100ff"],
  ["an unknown simple value", "e0 f0 f818 f8ff"],
  ["an unknown tag", "d8201800 d81b00 d81c00 d818456449455446 dbffffffffffffffff00"],
  ["a bignum of more than 128 bits", `c25101${"00".repeat(16)}`],
  ["a decimal fraction of other than two integers", "c480 c48101 c483010203 c4820160 c401"],
] as const;

test("RFC 8949 appendix F: what is not well-formed or not accepted throws the error of the layer", () => {
  for (const [what, vectors] of brokenVectors) {
    for (const hex of vectors.split(" ")) {
      assert.throws(
        () => {
          const source = reader(bytesOf(hex));
          source.readScalar();
          source.finish();
        },
        CutError,
        `${what}: ${hex}`,
      );
    }
  }
});

test("RFC 8949 §3.2.2: arrays and maps of indefinite length read like definite ones", () => {
  for (const hex of ["83010203", "9f010203ff"]) {
    const source = reader(bytesOf(hex));
    const items: bigint[] = [];
    source.eachItem(() => items.push(source.readInteger()));
    source.finish();
    assert.deepEqual(items, [1n, 2n, 3n]);
  }
  for (const hex of ["a26161010202", "bf6161010202ff"]) {
    const source = reader(bytesOf(hex));
    const entries: unknown[] = [];
    source.eachEntry(() => entries.push([source.readLabel(), source.readInteger()]));
    source.finish();
    assert.deepEqual(entries, [
      ["a", 1n],
      [2, 2n],
    ]);
  }
});

test("cbor: nesting is bounded, in arrays, maps and tags, read or skipped", () => {
  for (const open of ["81", "9f", "a100", "bf00", "c1", "d9d9f7"]) {
    const hostile = bytesOf(open.repeat(20_000));
    assert.throws(() => reader(hostile).skip(), CutError, open);
  }
  const deepest = bytesOf(`${"81".repeat(maxCborDepth)}00`);
  const source = reader(deepest);
  source.skip();
  source.finish();
  assert.throws(() => reader(bytesOf(`${"81".repeat(maxCborDepth + 1)}00`)).skip(), CutError);
});

test("cbor: labels outside 32 bits do not wrap into a known one", () => {
  assert.equal(reader(bytesOf("1b0000000100000002")).readLabel(), "4294967298");
  assert.equal(reader(bytesOf("21")).readLabel(), -2);
});

test("cbor: seeded random bytes end in a value or in the error of the layer", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 20_000; round++) {
    const bytes = random.bytes(1 + random.integer(24));
    try {
      reader(bytes).skip();
      reader(bytes).readScalar();
    } catch (error) {
      assert.ok(error instanceof CutError, `${hexOf(bytes)}: ${String(error)}`);
    }
  }
});
