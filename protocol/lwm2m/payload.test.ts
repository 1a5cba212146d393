import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentFormat } from "../coap/content-formats.ts";
import { chooseFormat } from "./format-choice.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { decodePayload, encodePayload, supportedFormats } from "./payload.ts";
import { unassignedInstanceId } from "./payload-contract.ts";
import { bytesOf, contextOf, decodeHex, decodeTextual, sorted } from "./payload-fixture.ts";
import { float, integer, node, opaque, payloadVectors, receivedAtMs } from "./payload-vectors.ts";
import type { PathValue } from "./value.ts";

for (const vector of payloadVectors) {
  test(vector.source, () => {
    const bytes = bytesOf(vector);
    const decoded = decodePayload(vector.format, bytes, contextOf(vector.path));
    assert.deepEqual(sorted(decoded), sorted(vector.values));
    const encoded = encodePayload(vector.format, decoded, contextOf(vector.path));
    if (vector.readOnly === true)
      assert.deepEqual(
        decodePayload(vector.format, encoded, contextOf(vector.path)).map(({ value }) => value),
        decoded.map(({ value }) => value),
      );
    else assert.deepEqual(Buffer.from(encoded), Buffer.from(bytes));
  });
}

test("LwM2M Core 1.1 §7.4: every vector cut at every byte is refused or means something under its path", () => {
  let refused = 0;
  for (const vector of payloadVectors) {
    const bytes = bytesOf(vector);
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodePayload(vector.format, bytes.subarray(0, length), contextOf(vector.path));
      } catch (error) {
        assert.ok(error instanceof Lwm2mFormatError, `${vector.source}, cut at ${length}: ${String(error)}`);
        refused++;
      }
    }
  }
  assert.ok(refused > 1_000, String(refused));
});

test("LwM2M Core 1.1 §7.4: self-delimiting formats refuse every cut and every byte too many", () => {
  const selfDelimiting: readonly number[] = [ContentFormat.cbor, ContentFormat.senmlCbor, ContentFormat.senmlJson, ContentFormat.lwm2mJson];
  for (const vector of payloadVectors.filter(({ format }) => selfDelimiting.includes(format))) {
    const bytes = bytesOf(vector);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodePayload(vector.format, bytes.subarray(0, length), contextOf(vector.path)), Lwm2mFormatError, vector.source);
    }
    assert.throws(() => decodePayload(vector.format, Uint8Array.of(...bytes, 0), contextOf(vector.path)), Lwm2mFormatError, vector.source);
  }
});

test("LwM2M Core 1.1 §7.4: specification vectors need no tolerance", () => {
  for (const vector of payloadVectors) decodePayload(vector.format, bytesOf(vector), { ...contextOf(vector.path), strict: true });
});

test("RFC 8428 §4.5.3, eclipse-leshan/leshan#1631: times around 2^28, tagged and dated base times", () => {
  const timeOf = (payload: string): number | undefined => decodeTextual(ContentFormat.senmlJson, "/3/0/9", payload)[0]?.timeMs;
  assert.equal(timeOf('[{"n":"/3/0/9","v":1}]'), undefined);
  assert.equal(timeOf('[{"n":"/3/0/9","v":1,"t":0}]'), receivedAtMs);
  assert.equal(timeOf('[{"n":"/3/0/9","v":1,"t":-0.5}]'), receivedAtMs - 500);
  assert.equal(timeOf('[{"n":"/3/0/9","v":1,"t":268435455}]'), receivedAtMs + 268_435_455_000);
  assert.equal(timeOf('[{"n":"/3/0/9","v":1,"t":268435456}]'), 268_435_456_000);
  assert.equal(timeOf('[{"n":"/3/0/9","v":1,"bt":1.320067464e9,"t":0.125}]'), 1_320_067_464_125);
  const head = "81 a3 21 66 2f 33 2f 30 2f 39 22";
  assert.equal(decodeHex(ContentFormat.senmlCbor, "/3/0/9", `${head} c1 1a 51 4b 67 b0 02 01`)[0]?.timeMs, 1_363_896_240_000);
  const dated = `${head} c0 74 32 30 31 33 2d 30 33 2d 32 31 54 32 30 3a 30 34 3a 30 30 5a 02 01`;
  assert.equal(decodeHex(ContentFormat.senmlCbor, "/3/0/9", dated)[0]?.timeMs, 1_363_896_240_000);
});

test("RFC 8428 §4.1: a base value is added, exactly for integers", () => {
  const [sum] = decodeTextual(ContentFormat.senmlJson, "/3442/0/120", '[{"n":"/3442/0/120","bv":9007199254740992,"v":1}]');
  assert.deepEqual(sum, node("/3442/0/120", integer(9_007_199_254_740_993n)));
});

test("LwM2M Core 1.2 §7.4.4: a null value at a time is a node without a value, both ways", () => {
  const nodes = [node("/3303/0/5700", float(1.5), 1_276_020_076_000), node("/3303/0/5700", undefined, 1_276_020_077_000)];
  for (const format of [ContentFormat.senmlJson, ContentFormat.senmlCbor, ContentFormat.lwm2mJson]) {
    assert.deepEqual(decodePayload(format, encodePayload(format, nodes, contextOf("/3303/0/5700")), contextOf("/3303/0/5700")), nodes);
  }
});

test("as Eclipse Leshan tests it: unknown resources have the natural type of their format", () => {
  const record =
    '[{"bn":"/9999/0/","n":"1","v":18446744073709551615},{"n":"2","v":-1},{"n":"3","v":1.5},{"n":"4","vs":"a"},{"n":"5","vb":true}]';
  assert.deepEqual(
    decodeTextual(ContentFormat.senmlJson, "/9999", record).map(({ value }) => value?.type),
    ["unsigned", "integer", "float", "string", "boolean"],
  );
  assert.deepEqual(decodeHex(ContentFormat.tlv, "/9999/0/1", "c1 01 64"), [node("/9999/0/1", opaque(0x64))]);
});

test("LwM2M Core 1.1 §6.3.5: Create without an instance identifier is bare resources in TLV", () => {
  const values: readonly PathValue[] = [
    { path: { objectId: 3303, instanceId: unassignedInstanceId, resourceId: 5700 }, value: float(1.5) },
  ];
  const bytes = encodePayload(ContentFormat.tlv, values, contextOf("/3303"));
  assert.equal(Buffer.from(bytes).toString("hex"), "e416443fc00000");
  assert.deepEqual(
    decodePayload(ContentFormat.tlv, bytes, { ...contextOf("/3303"), bareInstanceId: unassignedInstanceId, strict: true }),
    values,
  );
  assert.throws(() => encodePayload(ContentFormat.senmlCbor, values, contextOf("/3303")), { code: "value" });
  assert.equal(chooseFormat({ lwm2mVersion: "1.1", clientFormats: [112], values }), ContentFormat.tlv);
});

test("LwM2M Core 1.2.1 §7.4.4: names carry the alternate root path of the client", () => {
  const context = { ...contextOf("/3/0"), rootPath: "/lwm2m" };
  const bytes = encodePayload(ContentFormat.senmlJson, [node("/3/0/9", integer(1n))], context);
  assert.equal(Buffer.from(bytes).toString(), '[{"bn":"/lwm2m/3/0/9","v":1}]');
  assert.deepEqual(decodePayload(ContentFormat.senmlJson, bytes, context), [node("/3/0/9", integer(1n))]);
});

test("payload: more records than allowed are refused before they are kept", () => {
  const limits = { maxRecords: 2 };
  const three = [node("/3/0/6/0", integer(1n)), node("/3/0/6/1", integer(2n)), node("/3/0/6/2", integer(3n))];
  for (const format of [ContentFormat.tlv, ContentFormat.senmlJson, ContentFormat.senmlCbor, ContentFormat.lwm2mJson]) {
    const bytes = encodePayload(format, three, contextOf("/3/0/6"));
    assert.throws(() => decodePayload(format, bytes, { ...contextOf("/3/0/6"), limits }), { code: "limit" }, String(format));
  }
});

test("payload: what a format cannot carry is refused on the way out", () => {
  const two = [node("/3/0/9", integer(1n)), node("/3/0/10", integer(2n))];
  for (const format of [ContentFormat.text, ContentFormat.cbor, ContentFormat.opaque]) {
    assert.throws(() => encodePayload(format, two, contextOf("/3/0")), { code: "value" });
  }
  const notFinite = [node("/3303/0/5700", float(Number.NaN))];
  for (const format of [ContentFormat.text, ContentFormat.senmlJson, ContentFormat.lwm2mJson]) {
    assert.throws(() => encodePayload(format, notFinite, contextOf("/3303/0/5700")), { code: "value" });
  }
  const sameTwice = [node("/3/0/9", integer(1n), 1_276_020_076_000), node("/3/0/9", integer(2n), 1_276_020_077_000)];
  assert.throws(() => encodePayload(ContentFormat.tlv, sameTwice, contextOf("/3/0")), { code: "value" });
  assert.throws(() => encodePayload(ContentFormat.tlv, two, contextOf("/4/0")), { code: "path" });
  assert.throws(() => encodePayload(ContentFormat.cbor, [node("/3/0/9", integer(2n ** 63n))], contextOf("/3/0/9")), { code: "value" });
  assert.throws(() => encodePayload(ContentFormat.senmlJson, [node("/3/0/9", integer(1n), 1_000)], contextOf("/3/0/9")), { code: "value" });
});

test("LwM2M Core 1.1 §7.4: every format of values has a codec", () => {
  assert.deepEqual(
    supportedFormats.toSorted((a, b) => a - b),
    [0, 42, 60, 110, 112, 11_542, 11_543, 11_544],
  );
});
