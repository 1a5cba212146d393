import assert from "node:assert/strict";
import { test } from "node:test";
import coapPacket from "coap-packet";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { faults, type Message, vectors } from "./codec-vectors.ts";
import { CoapFormatError } from "./format-error.ts";
import { MessageView } from "./message-view.ts";
import { MessageWriter } from "./message-writer.ts";

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
