/** Seeded random packs through every format, 64-bit extremes, cbor-x as an oracle, and bytes that mean nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoder } from "cbor-x";
import { ContentFormat } from "../coap/content-formats.ts";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { parsePath } from "./path.ts";
import { decodePayload, encodePayload, supportedFormats } from "./payload.ts";
import type { DecodeContext } from "./payload-contract.ts";
import { node, payloadVectors, receivedAtMs, typeOf } from "./payload-vectors.ts";
import type { PathValue, ResourceType, ResourceValue } from "./value.ts";

const types: readonly ResourceType[] = ["string", "integer", "unsigned", "float", "boolean", "opaque", "time", "objlnk", "corelnk"];
const packFormats = [ContentFormat.tlv, ContentFormat.senmlJson, ContentFormat.senmlCbor, ContentFormat.lwm2mJson, ContentFormat.lwm2mCbor];
const singleFormats = [...packFormats, ContentFormat.text, ContentFormat.cbor];
const seed = 20_261_121;

function contextOf(path: string): DecodeContext {
  return { path: parsePath(path), typeOf, nowMs: receivedAtMs };
}

/** The resource of the test object that has this type. */
function resourceOf(type: ResourceType): number {
  const ids = { string: 110, integer: 120, unsigned: 125, float: 130, boolean: 140, opaque: 150, time: 160, objlnk: 170, corelnk: 180 };
  return ids[type];
}

function randomValue(type: ResourceType, random: SeededRandom): ResourceValue {
  const word = new DataView(random.bytes(8).buffer);
  switch (type) {
    case "string":
    case "corelnk":
      return {
        type,
        value:
          Buffer.from(random.bytes(random.integer(40)).map((byte) => byte & 0x7f)).toString() +
          random.pick(["", "é", "\u{1f600}", '"\\', "\n"]),
      };
    case "integer":
    case "time":
      return { type, value: word.getBigInt64(0) >> BigInt(random.integer(64)) };
    case "unsigned":
      return { type, value: word.getBigUint64(0) >> BigInt(random.integer(64)) };
    case "float": {
      const float = random.pick([word.getFloat64(0), word.getFloat32(0), random.integer(1000) / 8, -0]);
      return { type, value: Number.isFinite(float) ? float : 0 };
    }
    case "boolean":
      return { type, value: random.integer(2) === 1 };
    case "opaque":
      return { type, value: random.bytes(random.pick([0, 1, 7, 8, 255, 256, random.integer(70_000)])) };
    case "objlnk":
      return { type, value: { objectId: word.getUint16(0), instanceId: word.getUint16(2) } };
  }
}

function randomInstance(random: SeededRandom): readonly PathValue[] {
  const single = types.map((type) => node(`/3442/1/${resourceOf(type)}`, randomValue(type, random)));
  const multiple = types.flatMap((type) =>
    Array.from({ length: 1 + random.integer(3) }, (_, index) =>
      node(`/3442/1/${resourceOf(type) + 1000}/${index * 300}`, randomValue(type, random)),
    ),
  );
  return [...single, ...multiple];
}

test(`LwM2M Core 1.1 appendix C: random values of every type survive every format (seed ${seed})`, () => {
  const random = seededRandom(seed);
  for (let round = 0; round < 60; round++) {
    const values = randomInstance(random);
    for (const format of packFormats) {
      for (const path of ["/3442", "/3442/1"]) {
        assert.deepEqual(
          decodePayload(format, encodePayload(format, values, contextOf(path)), { ...contextOf(path), strict: true }),
          values,
        );
      }
    }
    for (const type of types) {
      const path = `/3442/1/${resourceOf(type)}`;
      const value = [node(path, randomValue(type, random))];
      for (const format of singleFormats) {
        assert.deepEqual(
          decodePayload(format, encodePayload(format, value, contextOf(path)), { ...contextOf(path), strict: true }),
          value,
          `${format} ${path}`,
        );
      }
    }
  }
});

test("LwM2M Core 1.1 appendix C: the extremes of 64 bits are exact in every format", () => {
  const extremes: readonly ResourceValue[] = [
    ...[-(2n ** 63n), -(2n ** 53n) - 1n, -(2n ** 31n), -129n, -128n, 0n, 127n, 128n, 2n ** 53n + 1n, 2n ** 63n - 1n].flatMap(
      (value): ResourceValue[] => [
        { type: "integer", value },
        { type: "time", value },
      ],
    ),
    ...[0n, 255n, 256n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n].map((value): ResourceValue => ({ type: "unsigned", value })),
  ];
  for (const value of extremes) {
    const path = `/3442/1/${resourceOf(value.type)}`;
    for (const format of singleFormats) {
      const bytes = encodePayload(format, [node(path, value)], contextOf(path));
      assert.deepEqual(decodePayload(format, bytes, { ...contextOf(path), strict: true }), [node(path, value)], `${format} ${value.type}`);
    }
  }
});

test("RFC 8428 §6: cbor-x reads our packs, and we read its packs", () => {
  const oracle = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false });
  const random = seededRandom(seed + 1);
  const labels: Readonly<Record<ResourceType, number | string>> = {
    string: 3,
    corelnk: 3,
    integer: 2,
    unsigned: 2,
    float: 2,
    time: 2,
    boolean: 4,
    opaque: 8,
    objlnk: "vlo",
  };
  for (let round = 0; round < 40; round++) {
    const values = randomInstance(random);
    const records = values.map(({ path, value }, index) => {
      if (value === undefined) throw new Error("every node has a value");
      const name = [path.resourceId, path.resourceInstanceId].filter((id) => id !== undefined).join("/");
      const plain = value.type === "objlnk" ? `${value.value.objectId}:${value.value.instanceId}` : value.value;
      return new Map<unknown, unknown>([...(index === 0 ? [[-2, "/3442/1/"] as const] : []), [0, name], [labels[value.type], plain]]);
    });
    const theirs = decodePayload(ContentFormat.senmlCbor, new Uint8Array(oracle.encode(records)), contextOf("/3442/1"));
    // cbor-x writes whole floats as integers, and −0 with them.
    const unsignedZero = (nodes: readonly PathValue[]): readonly PathValue[] =>
      nodes.map((each) => (each.value?.type === "float" ? { ...each, value: { type: "float", value: each.value.value + 0 } } : each));
    assert.deepEqual(unsignedZero(theirs), unsignedZero(values));

    const ours: unknown = oracle.decode(encodePayload(ContentFormat.senmlCbor, values, contextOf("/3442/1")));
    assert.ok(Array.isArray(ours));
    for (const [index, record] of records.entries()) {
      const read: unknown = ours[index];
      assert.ok(read instanceof Map);
      for (const [label, expected] of record) assert.deepEqual(plainOf(read.get(label)), plainOf(expected), `${String(label)}`);
    }
  }
});

/** Integers come as number or bigint, bytes as Buffer. */
function plainOf(value: unknown): unknown {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  return value instanceof Uint8Array ? [...value] : value;
}

test(`LwM2M Core 1.1 §7.4: mutated vectors and random bytes decode or throw Lwm2mFormatError, nothing else (seed ${seed})`, () => {
  const random = seededRandom(seed + 2);
  let refused = 0;
  for (let round = 0; round < 30_000; round++) {
    const vector = random.pick(payloadVectors);
    const bytes = random.integer(4) === 0 ? random.bytes(random.integer(30)) : mutated(vector.hex, vector.text, random);
    const format = random.integer(3) === 0 ? random.pick(supportedFormats) : vector.format;
    try {
      decodePayload(format, bytes, { ...contextOf(vector.path ?? "/3"), strict: random.integer(2) === 0 });
    } catch (error) {
      if (!(error instanceof Lwm2mFormatError)) throw new Error(`round ${round}: ${Buffer.from(bytes).toString("hex")}`, { cause: error });
      refused++;
    }
  }
  assert.ok(refused > 10_000, String(refused));
});

function mutated(hex: string | undefined, text: string | undefined, random: SeededRandom): Uint8Array {
  const bytes = new Uint8Array(text === undefined ? Buffer.from((hex ?? "").replaceAll(" ", ""), "hex") : Buffer.from(text));
  for (let change = 0; change <= random.integer(4); change++) bytes[random.integer(bytes.length)] = random.integer(256);
  return bytes.subarray(0, bytes.length - random.pick([0, 0, random.integer(bytes.length)]));
}
