/** For tests: a small object model and literal payloads from the specifications. */
import { ContentFormat } from "../coap/content-formats.ts";
import { parsePath } from "./path.ts";
import type { PathValue, ResourceType, ResourceTypeLookup, ResourceValue } from "./value.ts";

export interface PayloadVector {
  readonly source: string;
  readonly format: number;
  /** Absent: absolute paths only (composite). */
  readonly path?: string;
  /** Binary formats in hexadecimal with spaces, text formats as they are. */
  readonly hex?: string;
  readonly text?: string;
  readonly values: readonly PathValue[];
  /** We write the same nodes in another valid form. */
  readonly readOnly?: boolean;
}

/** Receive time of every vector. */
export const receivedAtMs = 1_700_000_000_000;

const single: readonly (readonly [string, ResourceType])[] = [
  ["2/0 2/1 2/3 3/9 3/10 5/3", "integer"],
  ["3/0 3/1 3/2 3/3 3/14 3/15 3/16", "string"],
  ["3/13", "time"],
  ["5/0", "opaque"],
  ["65/1 66/2", "objlnk"],
  ["72/2 3303/5700", "float"],
  ["3442/110", "string"],
  ["3442/120", "integer"],
  ["3442/125", "unsigned"],
  ["3442/130", "float"],
  ["3442/140", "boolean"],
  ["3442/150", "opaque"],
  ["3442/160", "time"],
  ["3442/170", "objlnk"],
  ["3442/180", "corelnk"],
];
const multiple: readonly (readonly [string, ResourceType])[] = [
  ["2/2 3/6 3/7 3/8 3/11", "integer"],
  ["65/0", "objlnk"],
  ["66/0 66/1 3442/1110", "string"],
  ["3442/1120", "integer"],
  ["3442/1125", "unsigned"],
  ["3442/1130", "float"],
  ["3442/1140", "boolean"],
  ["3442/1150", "opaque"],
  ["3442/1160", "time"],
  ["3442/1170", "objlnk"],
  ["3442/1180", "corelnk"],
];
const model = new Map<string, { readonly type: ResourceType; readonly multiple: boolean }>([
  ...single.flatMap(([keys, type]) => keys.split(" ").map((key) => [key, { type, multiple: false }] as const)),
  ...multiple.flatMap(([keys, type]) => keys.split(" ").map((key) => [key, { type, multiple: true }] as const)),
]);

export const typeOf: ResourceTypeLookup = (objectId, resourceId) => model.get(`${objectId}/${resourceId}`);

export function node(path: string, value?: ResourceValue, timeMs?: number): PathValue {
  return { path: parsePath(path), ...(value === undefined ? {} : { value }), ...(timeMs === undefined ? {} : { timeMs }) };
}

export const text = (value: string): ResourceValue => ({ type: "string", value });
export const integer = (value: bigint): ResourceValue => ({ type: "integer", value });
export const float = (value: number): ResourceValue => ({ type: "float", value });
export const time = (value: bigint): ResourceValue => ({ type: "time", value });
export const opaque = (...bytes: number[]): ResourceValue => ({ type: "opaque", value: Uint8Array.from(bytes) });
export const link = (objectId: number, instanceId: number): ResourceValue => ({ type: "objlnk", value: { objectId, instanceId } });

/** The Device object of the specifications' examples, without the resources that differ between them. */
const deviceHead = [
  node("/3/0/0", text("Open Mobile Alliance")),
  node("/3/0/1", text("Lightweight M2M Client")),
  node("/3/0/2", text("345000123")),
  node("/3/0/3", text("1.0")),
  node("/3/0/6/0", integer(1n)),
  node("/3/0/6/1", integer(5n)),
  node("/3/0/7/0", integer(3800n)),
  node("/3/0/7/1", integer(5000n)),
  node("/3/0/8/0", integer(125n)),
  node("/3/0/8/1", integer(900n)),
  node("/3/0/9", integer(100n)),
  node("/3/0/10", integer(15n)),
  node("/3/0/11/0", integer(0n)),
];
const deviceTail = [node("/3/0/14", text("+02:00")), node("/3/0/16", text("U"))];
const device = [...deviceHead, node("/3/0/13", time(1_367_491_215n)), ...deviceTail];

const deviceTlv =
  "c8 00 14 4f 70 65 6e 20 4d 6f 62 69 6c 65 20 41 6c 6c 69 61 6e 63 65 " +
  "c8 01 16 4c 69 67 68 74 77 65 69 67 68 74 20 4d 32 4d 20 43 6c 69 65 6e 74 " +
  "c8 02 09 33 34 35 30 30 30 31 32 33 c3 03 31 2e 30 86 06 41 00 01 41 01 05 " +
  "88 07 08 42 00 0e d8 42 01 13 88 87 08 41 00 7d 42 01 03 84 c1 09 64 c1 0a 0f 83 0b 41 00 00 " +
  "c4 0d 51 82 42 8f c6 0e 2b 30 32 3a 30 30 c1 10 55";

const deviceSenmlCbor =
  "90 a3 21 65 2f 33 2f 30 2f 00 61 30 03 74 4f 70 65 6e 20 4d 6f 62 69 6c 65 20 41 6c 6c 69 61 6e 63 65 a2 00 " +
  "61 31 03 76 4c 69 67 68 74 77 65 69 67 68 74 20 4d 32 4d 20 43 6c 69 65 6e 74 a2 00 61 32 03 69 33 34 35 30 " +
  "30 30 31 32 33 a2 00 61 33 03 63 31 2e 30 a2 00 63 36 2f 30 02 01 a2 00 63 36 2f 31 02 05 a2 00 63 37 2f 30 " +
  "02 19 0e d8 a2 00 63 37 2f 31 02 19 13 88 a2 00 63 38 2f 30 02 18 7d a2 00 63 38 2f 31 02 19 03 84 a2 00 61 " +
  "39 02 18 64 a2 00 62 31 30 02 0f a2 00 64 31 31 2f 30 02 00 a2 00 62 31 33 02 1a 51 82 42 8f a2 00 62 31 34 " +
  "03 66 2b 30 32 3a 30 30 a2 00 62 31 36 03 61 55";

const deviceLwm2mCbor =
  "a1 03 a1 00 ad 00 74 4f 70 65 6e 20 4d 6f 62 69 6c 65 20 41 6c 6c 69 61 6e 63 65 01 76 4c 69 67 68 74 77 65 " +
  "69 67 68 74 20 4d 32 4d 20 43 6c 69 65 6e 74 02 69 33 34 35 30 30 30 31 32 33 03 63 31 2e 30 06 a2 00 01 01 " +
  "05 07 a2 00 19 0e d8 01 19 13 88 08 a2 00 18 7d 01 19 03 84 09 18 64 0a 0f 0b a1 00 00 0d 1a 51 82 42 8f 0e " +
  "66 2b 30 32 3a 30 30 10 61 55";

const historical = (base: number): readonly PathValue[] => [
  node("/72/1/2", float(22.4), receivedAtMs + (base - 5) * 1000),
  node("/72/1/2", float(22.9), receivedAtMs + (base - 30) * 1000),
  node("/72/1/2", float(24.1), receivedAtMs + (base - 50) * 1000),
];

const deviceEntries = (textField: string): string =>
  [
    `"n":"0","${textField}":"Open Mobile Alliance"},{"n":"1","${textField}":"Lightweight M2M Client"},{"n":"2","${textField}":"345000123"`,
    `},{"n":"3","${textField}":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"7/0","v":3800},{"n":"7/1","v":5000},{"n":"8/0","v":125`,
    `},{"n":"8/1","v":900},{"n":"9","v":100},{"n":"10","v":15},{"n":"11/0","v":0},{"n":"13","v":1367491215`,
    `},{"n":"14","${textField}":"+02:00"},{"n":"16","${textField}":"U"}]`,
  ].join("");

export const payloadVectors: readonly PayloadVector[] = [
  { source: "LwM2M Core 1.1 §7.4.5: TLV of /3/0", format: ContentFormat.tlv, path: "/3/0", hex: deviceTlv, values: device },
  {
    source: "LwM2M Core 1.1 §7.4.5: TLV of /3, instance entry",
    format: ContentFormat.tlv,
    path: "/3",
    hex: `08 00 79 ${deviceTlv}`,
    values: device,
  },
  {
    source: "LwM2M Core 1.1 §7.4.5: TLV of /3/0, with its optional instance entry",
    format: ContentFormat.tlv,
    path: "/3/0",
    hex: `08 00 79 ${deviceTlv}`,
    values: device,
    readOnly: true,
  },
  {
    source: "LwM2M Core 1.1 §7.4.5: TLV of two Access Control instances, 16-bit resource instance id",
    format: ContentFormat.tlv,
    path: "/2",
    hex: "08 00 0e c1 00 01 c1 01 00 83 02 41 7f 07 c1 03 7f 08 02 12 c1 00 03 c1 01 00 87 02 41 7f 07 61 01 36 01 c1 03 7f",
    values: [
      node("/2/0/0", integer(1n)),
      node("/2/0/1", integer(0n)),
      node("/2/0/2/127", integer(7n)),
      node("/2/0/3", integer(127n)),
      node("/2/2/0", integer(3n)),
      node("/2/2/1", integer(0n)),
      node("/2/2/2/127", integer(7n)),
      node("/2/2/2/310", integer(1n)),
      node("/2/2/3", integer(127n)),
    ],
  },
  {
    source: "LwM2M Core 1.1 §7.4.5: TLV of object links",
    format: ContentFormat.tlv,
    path: "/65/0",
    hex: "88 00 0c 44 00 00 42 00 00 44 01 00 42 00 01 c4 01 ff ff ff ff",
    values: [node("/65/0/0/0", link(66, 0)), node("/65/0/0/1", link(66, 1)), node("/65/0/1", link(65_535, 65_535))],
  },
  {
    source: "LwM2M Core 1.1 §7.4.5: TLV of an empty multiple resource",
    format: ContentFormat.tlv,
    path: "/3/0/6",
    hex: "80 06",
    values: [node("/3/0/6")],
  },
  {
    source: "LwM2M Core 1.1 §7.4.5: TLV of an empty instance",
    format: ContentFormat.tlv,
    path: "/3",
    hex: "00 00",
    values: [node("/3/0")],
  },
  {
    source: "LwM2M Core 1.1 §7.4.5: TLV of one resource instance",
    format: ContentFormat.tlv,
    path: "/3/0/7/1",
    hex: "42 01 13 88",
    values: [node("/3/0/7/1", integer(5000n))],
  },
  {
    source: "LwM2M Core 1.1 §7.4.1: text of an integer",
    format: ContentFormat.text,
    path: "/3/0/9",
    text: "100",
    values: [node("/3/0/9", integer(100n))],
  },
  {
    source: "LwM2M Core 1.1 §7.4.1: text of a float",
    format: ContentFormat.text,
    path: "/3303/0/5700",
    text: "-0.0000005",
    values: [node("/3303/0/5700", float(-5e-7))],
  },
  {
    source: "LwM2M Core 1.1 §7.4.1: text of a link",
    format: ContentFormat.text,
    path: "/66/0/2",
    text: "65:1",
    values: [node("/66/0/2", link(65, 1))],
  },
  {
    source: "LwM2M Core 1.1 §7.4.1: text of opaque, RFC 4648 §10",
    format: ContentFormat.text,
    path: "/5/0/0",
    text: "Zm9vYg==",
    values: [node("/5/0/0", opaque(0x66, 0x6f, 0x6f, 0x62))],
  },
  {
    source: "LwM2M Core 1.1 §7.4.2: octets",
    format: ContentFormat.opaque,
    path: "/5/0/0",
    hex: "00 ff 10",
    values: [node("/5/0/0", opaque(0, 255, 16))],
  },
  {
    source: "LwM2M Core 1.1 §7.4.3: CBOR integer, RFC 8949 appendix A",
    format: ContentFormat.cbor,
    path: "/3/0/10",
    hex: "1a 00 0f 42 40",
    values: [node("/3/0/10", integer(1_000_000n))],
  },
  {
    source: "LwM2M Core 1.1 §7.4.3: CBOR tagged time, RFC 8949 appendix A",
    format: ContentFormat.cbor,
    path: "/3/0/13",
    hex: "c1 1a 51 4b 67 b0",
    values: [node("/3/0/13", time(1_363_896_240n))],
    readOnly: true,
  },
  {
    source: "LwM2M Core 1.1 §7.4.3: CBOR dated time, RFC 8949 appendix A",
    format: ContentFormat.cbor,
    path: "/3/0/13",
    hex: "c0 74 32 30 31 33 2d 30 33 2d 32 31 54 32 30 3a 30 34 3a 30 30 5a",
    values: [node("/3/0/13", time(1_363_896_240n))],
    readOnly: true,
  },
  {
    source: "LwM2M Core 1.1 §7.4.3: CBOR decimal fraction, RFC 8949 appendix A",
    format: ContentFormat.cbor,
    path: "/3303/0/5700",
    hex: "c4 82 21 19 6a b3",
    values: [node("/3303/0/5700", float(273.15))],
    readOnly: true,
  },
  {
    source: "LwM2M Core 1.1 §7.4.4: SenML JSON of /3/0",
    format: ContentFormat.senmlJson,
    path: "/3/0",
    text: `[{"bn":"/3/0/",${deviceEntries("vs")}`,
    values: device,
  },
  {
    source: "LwM2M Core 1.1 §7.4.4: SenML JSON, historical",
    format: ContentFormat.senmlJson,
    path: "/72",
    text: '[{"bn":"/72/","bt":25462634,"n":"1/2","v":22.4,"t":-5},{"n":"1/2","v":22.9,"t":-30},{"n":"1/2","v":24.1,"t":-50}]',
    values: historical(25_462_634),
    readOnly: true,
  },
  {
    source: "LwM2M Core 1.1 §7.4.4: SenML JSON of two linked objects",
    format: ContentFormat.senmlJson,
    text: '[{"bn":"/","n":"65/0/0/0","vlo":"66:0"},{"n":"65/0/0/1","vlo":"66:1"},{"n":"66/0/0/0","vs":"myService1"},{"n":"66/0/2","vlo":"65535:65535"}]',
    values: [
      node("/65/0/0/0", link(66, 0)),
      node("/65/0/0/1", link(66, 1)),
      node("/66/0/0/0", text("myService1")),
      node("/66/0/2", link(65_535, 65_535)),
    ],
  },
  {
    source: "RFC 8428 §5.1.3: base time, relative times and base name",
    format: ContentFormat.senmlJson,
    path: "/3303/0/5700",
    text: '[{"bn":"/3303/0/5700","bt":1276020076,"t":-5,"v":1.2},{"t":-4,"v":1.3},{"v":1.7}]',
    values: [
      node("/3303/0/5700", float(1.2), 1_276_020_071_000),
      node("/3303/0/5700", float(1.3), 1_276_020_072_000),
      node("/3303/0/5700", float(1.7), 1_276_020_076_000),
    ],
    readOnly: true,
  },
  {
    source: "LwM2M Core 1.1 §7.4.4: SenML CBOR of /3/0",
    format: ContentFormat.senmlCbor,
    path: "/3/0",
    hex: deviceSenmlCbor,
    values: device,
  },
  {
    source: "RFC 8428 §6, table 4: SenML CBOR labels",
    format: ContentFormat.senmlCbor,
    path: "/3442/0",
    // [{-2: "/3442/0/", 0: "110", 3: "a"}, {0: "140", 4: true}, {0: "150", 8: h'0102'}, {0: "170", "vlo": "3:0"}, {0: "130", 2: 1.5}, {0: "120", 2: -1}]
    hex:
      "86 a3 21 68 2f 33 34 34 32 2f 30 2f 00 63 31 31 30 03 61 61 a2 00 63 31 34 30 04 f5 a2 00 63 31 35 30 08 42 01 02 " +
      "a2 00 63 31 37 30 63 76 6c 6f 63 33 3a 30 a2 00 63 31 33 30 02 fa 3f c0 00 00 a2 00 63 31 32 30 02 20",
    values: [
      node("/3442/0/110", text("a")),
      node("/3442/0/140", { type: "boolean", value: true }),
      node("/3442/0/150", opaque(1, 2)),
      node("/3442/0/170", link(3, 0)),
      node("/3442/0/130", float(1.5)),
      node("/3442/0/120", integer(-1n)),
    ],
  },
  {
    source: "RFC 8428 §6: SenML CBOR, base time and time",
    format: ContentFormat.senmlCbor,
    path: "/3/0/9",
    // [{-2: "/3/0/9", -3: 1276020076, 2: 95}, {6: 1, 2: 96}]
    hex: "82 a3 21 66 2f 33 2f 30 2f 39 22 1a 4c 0e 85 6c 02 18 5f a2 06 01 02 18 60",
    values: [node("/3/0/9", integer(95n), 1_276_020_076_000), node("/3/0/9", integer(96n), 1_276_020_077_000)],
  },
  {
    source: "LwM2M 1.0 TS §6.4.4: JSON of /3/0",
    format: ContentFormat.lwm2mJson,
    path: "/3/0",
    text: `{"bn":"/3/0/","e":[{${deviceEntries("sv")}}`,
    values: device,
  },
  {
    source: "LwM2M 1.0 TS §6.4.4: JSON, historical",
    format: ContentFormat.lwm2mJson,
    path: "/72",
    text: '{"bn":"/72/","bt":25462634,"e":[{"n":"1/2","v":22.4,"t":-5},{"n":"1/2","v":22.9,"t":-30},{"n":"1/2","v":24.1,"t":-50}]}',
    values: historical(25_462_634),
    readOnly: true,
  },
  {
    source: "LwM2M 1.0 TS §6.4.4: JSON of one resource instance",
    format: ContentFormat.lwm2mJson,
    path: "/65/0/0/1",
    text: '{"bn":"/65/0/0/1","e":[{"ov":"66:1"}]}',
    values: [node("/65/0/0/1", link(66, 1))],
  },
  {
    source: "LwM2M Core 1.2.1 §7.4.6: LwM2M CBOR of /3/0",
    format: ContentFormat.lwm2mCbor,
    path: "/3/0",
    hex: deviceLwm2mCbor,
    values: device,
  },
  {
    source: "LwM2M Core 1.2.1 §7.4.6: LwM2M CBOR, keys one by one",
    format: ContentFormat.lwm2mCbor,
    path: "/3/0",
    // {3: {0: {0: "OMA", 6: {0: 1, 1: 5}, 9: 100}}}
    hex: "a1 03 a1 00 a3 00 63 4f 4d 41 06 a2 00 01 01 05 09 18 64",
    values: [node("/3/0/0", text("OMA")), node("/3/0/6/0", integer(1n)), node("/3/0/6/1", integer(5n)), node("/3/0/9", integer(100n))],
  },
  {
    source: "LwM2M Core 1.2.1 §7.4.6: LwM2M CBOR, keys as arrays, indefinite lengths",
    format: ContentFormat.lwm2mCbor,
    // {[3, 0]: {9: 100, [6, 1]: 5}, [65, 0, 1]: "66:1"}
    hex: "bf 9f 03 00 ff a2 09 18 64 82 06 01 05 83 18 41 00 01 64 36 36 3a 31 ff",
    values: [node("/3/0/9", integer(100n)), node("/3/0/6/1", integer(5n)), node("/65/0/1", link(66, 1))],
    readOnly: true,
  },
  {
    source: "LwM2M Core 1.2.1 §7.4.6: LwM2M CBOR of an empty instance",
    format: ContentFormat.lwm2mCbor,
    path: "/3",
    hex: "a1 03 a1 00 a0",
    values: [node("/3/0")],
  },
  {
    source: "RFC 8790 §3.2: a patch removes with null",
    format: ContentFormat.senmlEtchJson,
    text: '[{"bn":"/3/0/","n":"6/1","v":null},{"n":"14","vs":"+01:00"}]',
    values: [node("/3/0/6/1"), node("/3/0/14", text("+01:00"))],
  },
];
