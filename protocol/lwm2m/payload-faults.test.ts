/** Payloads that are refused, and deviations of real devices that are let pass. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentFormat } from "../coap/content-formats.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { formatPath, type Lwm2mPath } from "./path.ts";
import { decodePayload } from "./payload.ts";
import type { PayloadTolerance } from "./payload-contract.ts";
import { bytesOf, contextOf, decodeHex, decodeTextual } from "./payload-fixture.ts";
import { integer, link, node, opaque, text, time } from "./payload-vectors.ts";
import type { PathValue } from "./value.ts";

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
