import assert from "node:assert/strict";
import { test } from "node:test";
import coapPacket from "coap-packet";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { CoapFormatError } from "./format-error.ts";
import { MessageView } from "./message-view.ts";
import { MessageWriter } from "./message-writer.ts";

interface Message {
  readonly type: number;
  readonly code: number;
  readonly messageId: number;
  readonly token: string;
  readonly options: readonly (readonly [number, string])[];
  readonly payload: string;
}

const text = (value: string): string => Buffer.from(value).toString("hex");

const vectors: readonly { readonly source: string; readonly hex: string; readonly message: Message }[] = [
  {
    source: "RFC 7252 appendix A, figure 16: GET /temperature",
    hex: "40017d34bb74656d7065726174757265",
    message: { type: 0, code: 0x01, messageId: 0x7d34, token: "", options: [[11, text("temperature")]], payload: "" },
  },
  {
    source: "RFC 7252 appendix A, figure 16: piggybacked 2.05",
    hex: "60457d34ff32322e332043",
    message: { type: 2, code: 0x45, messageId: 0x7d34, token: "", options: [], payload: text("22.3 C") },
  },
  {
    source: "RFC 7252 appendix A, figure 17: GET with token 0x20",
    hex: "41017d3520bb74656d7065726174757265",
    message: { type: 0, code: 0x01, messageId: 0x7d35, token: "20", options: [[11, text("temperature")]], payload: "" },
  },
  {
    source: "RFC 7252 appendix A, figure 20: separate 2.05, confirmable",
    hex: "4145ad7b53ff32322e332043",
    message: { type: 0, code: 0x45, messageId: 0xad7b, token: "53", options: [], payload: text("22.3 C") },
  },
  {
    source: "RFC 7252 appendix A, figure 20: empty acknowledgement",
    hex: "60007d38",
    message: { type: 2, code: 0, messageId: 0x7d38, token: "", options: [], payload: "" },
  },
  {
    source: "RFC 7252 appendix A, figure 22: NON GET",
    hex: "51017d4075bb74656d7065726174757265",
    message: { type: 1, code: 0x01, messageId: 0x7d40, token: "75", options: [[11, text("temperature")]], payload: "" },
  },
  {
    source: "RFC 7252 §4.3: RST",
    hex: "70001234",
    message: { type: 3, code: 0, messageId: 0x1234, token: "", options: [], payload: "" },
  },
  {
    source: "RFC 7252 §3.1: one-byte extension of a delta",
    hex: "4402000101020304b272644965703d6e6f64652d31d2204142ff00",
    message: {
      type: 0,
      code: 0x02,
      messageId: 1,
      token: "01020304",
      options: [
        [11, text("rd")],
        [15, text("ep=node-1")],
        [60, "4142"],
      ],
      payload: "00",
    },
  },
  {
    source: "RFC 7252 §3.1: one-byte extension of a length, empty and repeated options",
    hex: `40030002b0000d03${text("0123456789abcdef")}`,
    message: {
      type: 0,
      code: 0x03,
      messageId: 2,
      token: "",
      options: [
        [11, ""],
        [11, ""],
        [11, text("0123456789abcdef")],
      ],
      payload: "",
    },
  },
  {
    source: "RFC 7252 §3.1: two-byte extensions of delta and length",
    hex: `48450003a1a2a3a4a5a6a7a8e30017010203ee059f0001${"61".repeat(270)}ffff`,
    message: {
      type: 0,
      code: 0x45,
      messageId: 3,
      token: "a1a2a3a4a5a6a7a8",
      options: [
        [292, "010203"],
        [2_000, "61".repeat(270)],
      ],
      payload: "ff",
    },
  },
  {
    source: "RFC 7959 §3.1: notification with Observe, ETag, Content-Format and Block2",
    hex: "54451e84deadbeef41aa2103622d16b10eff61",
    message: {
      type: 1,
      code: 0x45,
      messageId: 0x1e84,
      token: "deadbeef",
      options: [
        [4, "aa"],
        [6, "03"],
        [12, "2d16"],
        [23, "0e"],
      ],
      payload: "61",
    },
  },
];

interface Fault {
  readonly source: string;
  readonly hex: string;
  readonly code: string;
  readonly answer: "silence" | "reset";
}

const faults: readonly Fault[] = [
  { source: "RFC 7252 §3: nothing", hex: "", code: "too-short", answer: "silence" },
  { source: "RFC 7252 §3: three bytes", hex: "400112", code: "too-short", answer: "silence" },
  { source: "RFC 7252 §3: version 0", hex: "00010001", code: "version", answer: "silence" },
  { source: "RFC 7252 §3: version 2", hex: "80010001", code: "version", answer: "silence" },
  { source: "RFC 7252 §3: token length 9, CON", hex: "49010001010203040506070809", code: "token-length", answer: "reset" },
  { source: "RFC 7252 §3: token length 15, NON", hex: "5f010001", code: "token-length", answer: "silence" },
  { source: "RFC 7252 §3: token cut short", hex: "4401000101", code: "truncated-token", answer: "reset" },
  { source: "RFC 7252 §3: marker without payload, CON", hex: "40010001ff", code: "empty-payload", answer: "reset" },
  { source: "RFC 7252 §3: marker without payload, ACK", hex: "60450001ff", code: "empty-payload", answer: "silence" },
  { source: "RFC 7252 §3.1: option longer than the message", hex: "40010001b57264", code: "truncated-option", answer: "reset" },
  { source: "RFC 7252 §3.1: delta nibble 15", hex: "40010001f100", code: "option-header", answer: "reset" },
  { source: "RFC 7252 §3.1: length nibble 15", hex: "400100011f00", code: "option-header", answer: "reset" },
  { source: "RFC 7252 §3.1: delta extension missing", hex: "40010001d0", code: "truncated-option", answer: "reset" },
  { source: "RFC 7252 §3.1: two-byte length extension cut short", hex: "400100010e00", code: "truncated-option", answer: "reset" },
  { source: "RFC 7252 §3.1: option number above 65535", hex: "40010001e0ffffe0ffff", code: "option-number", answer: "reset" },
  { source: "RFC 7252 §4.1: empty message with a token", hex: "4100000101", code: "empty-with-content", answer: "reset" },
  { source: "RFC 7252 §4.1: empty message with bytes behind it", hex: "6000000100", code: "empty-with-content", answer: "silence" },
  { source: "RFC 7252 §4.3: empty NON", hex: "50000001", code: "type", answer: "silence" },
  { source: "RFC 7252 §4.2: ACK with a request", hex: "60010001", code: "type", answer: "silence" },
  { source: "RFC 7252 §4.2: RST with a response", hex: "70450001", code: "type", answer: "silence" },
  { source: "RFC 7252 §3: code class 1 is reserved", hex: "40210001", code: "code", answer: "reset" },
  { source: "RFC 7252 §3: code class 3 is reserved", hex: "40610001", code: "code", answer: "reset" },
  { source: "RFC 7252 §3: code class 6 is reserved", hex: "50c00001", code: "code", answer: "silence" },
  { source: "RFC 7252 §3: code class 7 is for TCP", hex: "40e10001", code: "code", answer: "reset" },
  { source: "bound: 129 options", hex: `40010001${"00".repeat(129)}`, code: "too-many-options", answer: "reset" },
];

const bytesOf = (hex: string): Uint8Array => Buffer.from(hex, "hex");

function decode(bytes: Uint8Array): Message {
  const view = new MessageView();
  view.decode(bytes);
  const options = Array.from({ length: view.optionCount }, (_, i): readonly [number, string] => [
    view.optionNumbers[i] ?? -1,
    Buffer.from(view.optionValue(i)).toString("hex"),
  ]);
  return {
    type: view.type,
    code: view.code,
    messageId: view.messageId,
    token: Buffer.from(view.token()).toString("hex"),
    options,
    payload: Buffer.from(view.payload()).toString("hex"),
  };
}

function encode(message: Message): string {
  const writer = new MessageWriter();
  writer.begin(message.type, message.code, message.messageId, bytesOf(message.token));
  for (const [number, value] of message.options) writer.opaque(number, bytesOf(value));
  writer.payload(bytesOf(message.payload));
  return Buffer.from(writer.finish()).toString("hex");
}

for (const { source, hex, message } of vectors) {
  test(`${source}: both ways`, () => {
    assert.deepEqual(decode(bytesOf(hex)), message);
    assert.equal(encode(message), hex);
  });
}

for (const { source, hex, code, answer } of faults) {
  test(`${source}: ${code}, ${answer}`, () => {
    assert.throws(
      () => decode(bytesOf(hex)),
      (error) => error instanceof CoapFormatError && error.code === code && error.answer === answer,
    );
  });
}

function decodeOrRefuse(bytes: Uint8Array): Message | undefined {
  try {
    return decode(bytes);
  } catch (error) {
    assert.ok(error instanceof CoapFormatError, `${Buffer.from(bytes).toString("hex")}: ${String(error)}`);
    return undefined;
  }
}

test("RFC 7252 §3: every vector cut at every byte is refused as a format error or is a shorter message", () => {
  let refused = 0;
  for (const { hex } of vectors) {
    const bytes = bytesOf(hex);
    for (let length = 0; length < bytes.length; length++) {
      const message = decodeOrRefuse(bytes.subarray(0, length));
      if (message === undefined) refused++;
      else assert.equal(encode(message), hex.slice(0, 2 * length));
    }
  }
  assert.ok(refused > 400, `${refused} refused`);
});

function randomMessage(random: SeededRandom): Message {
  const options: (readonly [number, string])[] = [];
  let number = 0;
  for (let i = random.integer(8); i > 0; i--) {
    number += random.pick([0, 1, 5, 12, 13, 14, 200, 268, 269, 270, 3_000]);
    options.push([number, Buffer.from(random.bytes(random.pick([0, 1, 3, 12, 13, 14, 40, 268, 269, 270]))).toString("hex")]);
  }
  return {
    type: random.integer(2),
    code: random.pick([0x01, 0x02, 0x05, 0x45, 0x84, 0xa0]),
    messageId: random.integer(65_536),
    token: Buffer.from(random.bytes(random.integer(9))).toString("hex"),
    options,
    payload: Buffer.from(random.bytes(random.pick([0, 1, 16, 200]))).toString("hex"),
  };
}

test("codec: random messages come back as they were, and coap-packet reads and writes the same bytes", () => {
  const random = seededRandom(20);
  for (let round = 0; round < 2_000; round++) {
    const message = randomMessage(random);
    const hex = encode(message);
    assert.deepEqual(decode(bytesOf(hex)), message);
    const parsed = coapPacket.parse(Buffer.from(hex, "hex"));
    assert.deepEqual(messageOf(parsed), message);
    const generated = coapPacket.generate(packetOf(message), 65_000).toString("hex");
    assert.equal(generated, hex);
  }
});

function packetOf(message: Message): coapPacket.Packet {
  return {
    confirmable: message.type === 0,
    code: `${message.code >> 5}.${String(message.code & 31).padStart(2, "0")}`,
    messageId: message.messageId,
    token: Buffer.from(message.token, "hex"),
    options: message.options.map(([number, value]) => ({ name: number, value: Buffer.from(value, "hex") })),
    payload: Buffer.from(message.payload, "hex"),
  };
}

/** Names back to numbers, as RFC 7252 §12.2 and the later registrations give them. */
const numbersOfNames = new Map<string, number>(
  Object.entries({
    "If-Match": 1,
    "Uri-Host": 3,
    ETag: 4,
    "If-None-Match": 5,
    Observe: 6,
    "Uri-Port": 7,
    "Location-Path": 8,
    OSCORE: 9,
    "Uri-Path": 11,
    "Content-Format": 12,
    "Max-Age": 14,
    "Uri-Query": 15,
    "Hop-Limit": 16,
    Accept: 17,
    "Q-Block1": 19,
    "Location-Query": 20,
    Block2: 23,
    Block1: 27,
    Size2: 28,
    "Q-Block2": 31,
    "Proxy-Uri": 35,
    "Proxy-Scheme": 39,
    Size1: 60,
    "No-Response": 258,
    "OCF-Accept-Content-Format-Version": 2_049,
    "OCF-Content-Format-Version": 2_053,
  }),
);

function messageOf(parsed: coapPacket.ParsedPacket): Message {
  const [kind = "0", detail = "0"] = parsed.code.split(".");
  const typed = parsed.reset ? 3 : parsed.ack ? 2 : parsed.confirmable ? 0 : 1;
  return {
    type: typed,
    code: Number(kind) * 32 + Number(detail),
    messageId: parsed.messageId,
    token: parsed.token.toString("hex"),
    options: parsed.options.map(({ name, value }): readonly [number, string] => [
      numbersOfNames.get(String(name)) ?? Number(name),
      Buffer.from(value).toString("hex"),
    ]),
    payload: parsed.payload.toString("hex"),
  };
}

test("codec: of 40,000 mutated datagrams none throws anything else, and what is accepted coap-packet accepts as the same message", () => {
  const random = seededRandom(77);
  const view = new MessageView();
  let accepted = 0;
  for (let round = 0; round < 40_000; round++) {
    const bytes = mutated(random);
    try {
      view.decode(bytes);
    } catch (error) {
      assert.ok(error instanceof CoapFormatError);
      continue;
    }
    accepted++;
    assert.deepEqual(decode(bytes), messageOf(coapPacket.parse(Buffer.from(bytes))));
  }
  assert.ok(accepted > 2_000 && accepted < 38_000, `${accepted} accepted`);
});

function mutated(random: SeededRandom): Uint8Array {
  const seed = random.fraction() < 0.5 ? encode(randomMessage(random)) : random.pick(vectors).hex;
  const bytes = Uint8Array.from(bytesOf(seed));
  for (let i = 1 + random.integer(3); i > 0; i--) bytes[random.integer(bytes.length)] = random.integer(256);
  return random.fraction() < 0.3 ? bytes.subarray(0, random.integer(bytes.length + 1)) : bytes;
}

test("RFC 7252 §3.1: extras given in any order are woven in by number", () => {
  const writer = new MessageWriter();
  writer.begin(0, 0x45, 7, new Uint8Array(0));
  writer.weave([
    { number: 2_000, value: Uint8Array.of(9) },
    { number: 9, value: Uint8Array.of(1) },
    { number: 11, value: Uint8Array.of(3) },
  ]);
  writer.uint(6, 5);
  writer.uint(12, 0);
  writer.payload(Uint8Array.of(1));
  const message = decode(writer.finish());
  assert.deepEqual(message.options, [
    [6, "05"],
    [9, "01"],
    [11, "03"],
    [12, ""],
    [2_000, "09"],
  ]);
});

test("RFC 7252 §3.2: an integer takes the fewest bytes", () => {
  const writer = new MessageWriter();
  for (const [value, hex] of [
    [0, ""],
    [1, "01"],
    [255, "ff"],
    [256, "0100"],
    [65_536, "010000"],
    [4_294_967_295, "ffffffff"],
  ] as const) {
    writer.begin(0, 0x45, 7, new Uint8Array(0));
    writer.uint(14, value);
    assert.deepEqual(decode(writer.finish()).options, [[14, hex]]);
  }
});

test("the writer refuses options out of order and messages beyond its buffer", () => {
  const writer = new MessageWriter(32);
  writer.begin(0, 0x45, 7, new Uint8Array(0));
  writer.uint(12, 0);
  assert.throws(() => writer.uint(6, 0), RangeError);
  assert.throws(() => writer.payload(new Uint8Array(64)), RangeError);
});
