import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentFormat } from "../coap/content-formats.ts";
import { chooseFormat } from "./format-choice.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { formatPath, type Lwm2mPath, parsePath } from "./path.ts";
import { decodePayload, encodePayload, supportedFormats } from "./payload.ts";
import { type DecodeContext, type PayloadTolerance, unassignedInstanceId } from "./payload-contract.ts";
import {
  float,
  integer,
  link,
  node,
  opaque,
  type PayloadVector,
  payloadVectors,
  receivedAtMs,
  text,
  time,
  typeOf,
} from "./payload-vectors.ts";
import type { PathValue } from "./value.ts";

function contextOf(path?: string): DecodeContext {
  return { typeOf, nowMs: receivedAtMs, ...(path === undefined ? {} : { path: parsePath(path) }) };
}

function bytesOf(vector: Pick<PayloadVector, "hex" | "text">): Uint8Array {
  return new Uint8Array(vector.text === undefined ? Buffer.from((vector.hex ?? "").replaceAll(" ", ""), "hex") : Buffer.from(vector.text));
}

function decodeTextual(
  format: number,
  path: string | undefined,
  payload: string,
  extra: Partial<DecodeContext> = {},
): readonly PathValue[] {
  return decodePayload(format, new Uint8Array(Buffer.from(payload)), { ...contextOf(path), ...extra });
}

function decodeHex(format: number, path: string | undefined, hex: string, extra: Partial<DecodeContext> = {}): readonly PathValue[] {
  return decodePayload(format, bytesOf({ hex }), { ...contextOf(path), ...extra });
}

function sorted(values: readonly PathValue[]): readonly PathValue[] {
  return values.toSorted((a, b) => formatPath(a.path).localeCompare(formatPath(b.path)));
}

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

/** Bytes that are well-formed and yet no value of their type, or no tree. */
const refusedHex = [
  ["TLV boolean 2", ContentFormat.tlv, "/3442/0/140", "c1 8c 02", "value"],
  ["TLV integer of 3 bytes", ContentFormat.tlv, "/3442/0/120", "c3 78 01 02 03", "value"],
  ["TLV integer of 0 bytes", ContentFormat.tlv, "/3442/0/120", "c0 78", "value"],
  ["TLV float of 2 bytes", ContentFormat.tlv, "/3442/0/130", "c2 82 00 00", "value"],
  ["TLV link of 3 bytes", ContentFormat.tlv, "/3442/0/170", "c3 aa 00 00 00", "value"],
  ["TLV string that is not UTF-8", ContentFormat.tlv, "/3442/0/110", "c1 6e ff", "value"],
  ["TLV of another resource", ContentFormat.tlv, "/3/0/9", "c1 0a 64", "path"],
  ["TLV of another instance", ContentFormat.tlv, "/3/0", "03 01 c1 09 64", "path"],
  ["TLV of another resource instance", ContentFormat.tlv, "/3/0/7/1", "41 00 01", "path"],
  ["TLV resource twice", ContentFormat.tlv, "/3/0", "c1 09 64 c1 09 64", "tlv"],
  ["TLV resource instance twice", ContentFormat.tlv, "/3/0/6", "86 06 41 00 01 41 00 05", "tlv"],
  ["TLV instance twice", ContentFormat.tlv, "/3", "00 00 00 00", "tlv"],
  ["TLV instance in an instance", ContentFormat.tlv, "/3/0", "02 00 00 00", "tlv"],
  ["TLV resource in a multiple resource", ContentFormat.tlv, "/3/0", "83 06 c1 00 01", "tlv"],
  ["TLV resource instance without its resource", ContentFormat.tlv, "/3/0", "41 00 01", "tlv"],
  ["TLV length beyond the payload", ContentFormat.tlv, "/3/0", "d8 09 ff ff ff 64", "tlv"],
  ["TLV inner length beyond its parent", ContentFormat.tlv, "/3/0", "83 06 44 00 01 c1 09 64", "tlv"],
  ["TLV reserved identifier", ContentFormat.tlv, "/3/0", "e1 ff ff 64", "tlv"],
  ["CBOR array as a value", ContentFormat.cbor, "/3/0/9", "81 01", "cbor"],
  ["CBOR integer beyond 64 bits", ContentFormat.cbor, "/3442/0/120", "1b 80 00 00 00 00 00 00 00", "value"],
  ["CBOR negative unsigned", ContentFormat.cbor, "/3442/0/125", "20", "value"],
  ["CBOR text for an integer", ContentFormat.cbor, "/3/0/9", "61 31", "value"],
  ["CBOR fraction for an integer", ContentFormat.cbor, "/3/0/9", "f9 3e 00", "value"],
  ["CBOR for an instance", ContentFormat.cbor, "/3/0", "01", "path"],
  ["SenML CBOR map as a pack", ContentFormat.senmlCbor, "/3/0", "a1 21 61 2f", "cbor"],
  ["SenML CBOR label twice", ContentFormat.senmlCbor, "/3/0/9", "81 a3 21 66 2f 33 2f 30 2f 39 02 01 02 02", "cbor"],
  ["SenML CBOR version of the future", ContentFormat.senmlCbor, "/3/0/9", "81 a3 20 0b 21 66 2f 33 2f 30 2f 39 02 01", "senml"],
  ["octets for an integer", ContentFormat.opaque, "/3/0/9", "01", "value"],
] as const;
const refusedText = [
  ["text integer with a letter", ContentFormat.text, "/3/0/9", "12x", "value"],
  ["text integer beyond 64 bits", ContentFormat.text, "/3442/0/120", "9223372036854775808", "value"],
  ["text boolean 2", ContentFormat.text, "/3442/0/140", "2", "value"],
  ["text infinity", ContentFormat.text, "/3442/0/130", "Infinity", "value"],
  ["text beyond a double", ContentFormat.text, "/3442/0/130", "1e400", "value"],
  ["text link without colon", ContentFormat.text, "/3442/0/170", "65", "value"],
  ["text link beyond 16 bits", ContentFormat.text, "/3442/0/170", "65536:0", "value"],
  ["text Base64 of impossible length", ContentFormat.text, "/3442/0/150", "AAAAA", "value"],
  ["SenML outside the path", ContentFormat.senmlJson, "/3/0", '[{"bn":"/4/0/","n":"0","v":1}]', "path"],
  ["SenML record without value", ContentFormat.senmlJson, "/3/0/9", '[{"bn":"/3/0/","n":"9"}]', "senml"],
  ["SenML record with two values", ContentFormat.senmlJson, "/3/0/9", '[{"n":"/3/0/9","v":1,"vs":"1"}]', "senml"],
  ["SenML value on an instance", ContentFormat.senmlJson, "/3/0", '[{"n":"/3/0","v":1}]', "path"],
  ["SenML name with five identifiers", ContentFormat.senmlJson, "/3", '[{"n":"/3/0/6/0/0","v":1}]', "path"],
  ["SenML name with a leading zero", ContentFormat.senmlJson, "/3", '[{"n":"/3/0/09","v":1}]', "path"],
  ["SenML name above 65,534", ContentFormat.senmlJson, "/3", '[{"n":"/3/0/65535","v":1}]', "path"],
  ["SenML field that must be understood", ContentFormat.senmlJson, "/3/0/9", '[{"n":"/3/0/9","v":1,"foo_":1}]', "senml"],
  ["SenML number as text", ContentFormat.senmlJson, "/3/0/9", '[{"n":"/3/0/9","v":"1"}]', "senml"],
  ["SenML time out of range", ContentFormat.senmlJson, "/3/0/9", '[{"n":"/3/0/9","v":1,"t":1e300}]', "senml"],
  ["JSON name twice", ContentFormat.senmlJson, "/3/0/9", '[{"n":"/3/0/9","n":"/3/0/9","v":1}]', "json"],
  ["JSON trailing comma", ContentFormat.senmlJson, "/3/0/9", '[{"n":"/3/0/9","v":1},]', "json"],
  ["JSON lone surrogate", ContentFormat.senmlJson, "/3/0/0", '[{"n":"/3/0/0","vs":"\\ud800"}]', "json"],
  ["JSON control character in a string", ContentFormat.senmlJson, "/3/0/0", '[{"n":"/3/0/0","vs":"\u0001"}]', "json"],
  ["JSON nested too deep", ContentFormat.senmlJson, "/3", "[".repeat(100_000), "limit"],
  ["JSON 11543 without entries", ContentFormat.lwm2mJson, "/3/0", '{"bn":"/3/0/"}', "json"],
  ["JSON 11543 as an array", ContentFormat.lwm2mJson, "/3/0", "[]", "json"],
] as const;

test("as Eclipse Leshan tests it: what is no value of its type, no tree or outside its path is refused by name", () => {
  for (const [what, format, path, hex, code] of refusedHex) {
    assert.throws(() => decodeHex(format, path, hex), { name: "Lwm2mFormatError", code }, what);
  }
  for (const [what, format, path, payload, code] of refusedText) {
    assert.throws(() => decodeTextual(format, path, payload), { name: "Lwm2mFormatError", code }, what);
  }
  assert.throws(() => decodeHex(65_000, "/3/0", "00"), { code: "unsupported-format" });
  assert.throws(() => decodeHex(ContentFormat.tlv, undefined, "c1 09 64"), { code: "path" });
});

/** Seen from devices: read, recorded, and refused in strict mode. */
const tolerated: readonly (readonly [PayloadTolerance, number, string, string | { readonly hex: string }, PathValue])[] = [
  ["legacy-content-format", 1542, "/3/0/9", { hex: "c1 09 64" }, node("/3/0/9", integer(100n))],
  ["legacy-content-format", 1543, "/3/0/9", '{"bn":"/3/0/9","e":[{"v":100}]}', node("/3/0/9", integer(100n))],
  ["tlv-missing-instance", ContentFormat.tlv, "/3", { hex: "c1 09 64" }, node("/3/0/9", integer(100n))],
  ["tlv-bare-resource-instance", ContentFormat.tlv, "/3/0/6", { hex: "41 01 05" }, node("/3/0/6/1", integer(5n))],
  [
    "tlv-boolean-length",
    ContentFormat.tlv,
    "/3442/0/140",
    { hex: "c4 8c 00 00 00 01" },
    node("/3442/0/140", { type: "boolean", value: true }),
  ],
  ["single-value-for-multiple", ContentFormat.tlv, "/3/0/6", { hex: "c1 06 05" }, node("/3/0/6/0", integer(5n))],
  ["single-value-for-multiple", ContentFormat.text, "/3/0/6", "5", node("/3/0/6/0", integer(5n))],
  ["float-for-integer", ContentFormat.text, "/3/0/13", "1.6E9", node("/3/0/13", time(1_600_000_000n))],
  ["time-with-fraction", ContentFormat.text, "/3/0/13", "1600000000.9", node("/3/0/13", time(1_600_000_000n))],
  ["time-with-fraction", ContentFormat.senmlJson, "/3/0/13", '[{"n":"/3/0/13","v":-0.5}]', node("/3/0/13", time(-1n))],
  ["time-with-fraction", ContentFormat.cbor, "/3/0/13", { hex: "c1 fb 41 d4 52 d9 ec 20 00 00" }, node("/3/0/13", time(1_363_896_240n))],
  ["float-for-integer", ContentFormat.senmlJson, "/3/0/9", '[{"n":"/3/0/9","v":1.0e2}]', node("/3/0/9", integer(100n))],
  ["float-for-integer", ContentFormat.cbor, "/3/0/9", { hex: "f9 56 40" }, node("/3/0/9", integer(100n))],
  [
    "number-for-boolean",
    ContentFormat.senmlJson,
    "/3442/0/140",
    '[{"n":"/3442/0/140","v":1}]',
    node("/3442/0/140", { type: "boolean", value: true }),
  ],
  ["boolean-word", ContentFormat.text, "/3442/0/140", "true", node("/3442/0/140", { type: "boolean", value: true })],
  ["text-whitespace", ContentFormat.text, "/3/0/9", "100\n", node("/3/0/9", integer(100n))],
  ["text-trailing-nul", ContentFormat.text, "/3/0/9", "100\0", node("/3/0/9", integer(100n))],
  ["base64-variant", ContentFormat.text, "/5/0/0", "_w", node("/5/0/0", opaque(255))],
  ["objlnk-as-string", ContentFormat.senmlJson, "/66/0/2", '[{"n":"/66/0/2","vs":"65:0"}]', node("/66/0/2", link(65, 0))],
  ["objlnk-hexadecimal", ContentFormat.text, "/66/0/2", "FFFF:FFFF", node("/66/0/2", link(65_535, 65_535))],
  [
    "senml-text-label",
    ContentFormat.senmlCbor,
    "/3/0/0",
    { hex: "81 a2 61 6e 66 2f 33 2f 30 2f 30 61 33 61 61" },
    node("/3/0/0", text("a")),
  ],
  ["senml-name-without-slash", ContentFormat.senmlJson, "/3/0/9", '[{"bn":"3/0/","n":"9","v":100}]', node("/3/0/9", integer(100n))],
  ["senml-trailing-slash", ContentFormat.senmlJson, "/3/0/9", '[{"bn":"/3/0/9/","v":100}]', node("/3/0/9", integer(100n))],
  ["json-base-name-without-slash", ContentFormat.lwm2mJson, "/3/0", '{"bn":"/3/0","e":[{"n":"9","v":100}]}', node("/3/0/9", integer(100n))],
];

test("field deviations: deviations of real devices are read and recorded, and refused in strict mode", () => {
  for (const [tolerance, format, path, payload, expected] of tolerated) {
    const bytes = typeof payload === "string" ? bytesOf({ text: payload }) : bytesOf(payload);
    const seen = new Set<PayloadTolerance>();
    const decoded = decodePayload(format, bytes, { ...contextOf(path), onTolerance: (code) => seen.add(code) });
    assert.deepEqual(decoded, [expected], tolerance);
    assert.deepEqual([...seen], [tolerance]);
    assert.throws(() => decodePayload(format, bytes, { ...contextOf(path), strict: true }), Lwm2mFormatError, tolerance);
  }
});

test("LwM2M Core 1.1 §7.1: a value of the wrong type refuses the payload, or is left out where the caller wants to be told", () => {
  const payloads: readonly (readonly [number, Uint8Array])[] = [
    [ContentFormat.tlv, bytesOf({ hex: "c3 09 01 02 03 c2 00 61 62" })],
    [ContentFormat.senmlJson, bytesOf({ text: '[{"bn":"/3/0/","n":"9","vs":"full"},{"n":"0","vs":"ab"}]' })],
    [ContentFormat.lwm2mJson, bytesOf({ text: '{"bn":"/3/0/","e":[{"n":"9","sv":"full"},{"n":"0","sv":"ab"}]}' })],
    [ContentFormat.lwm2mCbor, bytesOf({ hex: "a1 03 a1 00 a2 09 64 66 75 6c 6c 00 62 61 62" })],
  ];
  for (const [format, payload] of payloads) {
    assert.throws(() => decodePayload(format, payload, contextOf("/3/0")), { code: "value", message: /^\/3\/0\/9: expected integer/ });
    const told: string[] = [];
    const onUnreadable = (path: Lwm2mPath, why: string): void => void told.push(`${formatPath(path)} ${why.slice(0, 16)}`);
    assert.deepEqual(decodePayload(format, payload, { ...contextOf("/3/0"), onUnreadable }), [node("/3/0/0", text("ab"))]);
    assert.deepEqual(told, ["/3/0/9 expected integer"], String(format));
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
