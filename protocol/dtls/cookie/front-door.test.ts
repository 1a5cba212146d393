import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { ContentType, HandshakeType, ProtocolVersion } from "../constants.ts";
import type { ClientHello } from "../messages.ts";
import { decodeHelloVerifyRequest, encodeClientHello } from "../wire/handshake-codec.ts";
import { encodeHandshakeFragment, encodeHandshakeMessage, readHandshakeFragments } from "../wire/handshake-header.ts";
import { RecordView, recordHeaderBytes, writeRecordHeader } from "../wire/record-header.ts";
import { cookiePeriodMs, FrontDoor } from "./front-door.ts";

const from = { address: "192.0.2.1", port: 5_000 };
const random = seededRandom(1);
const hello: ClientHello = {
  version: ProtocolVersion.dtls12,
  random: random.bytes(32),
  sessionId: new Uint8Array(0),
  cookie: new Uint8Array(0),
  cipherSuites: [0xc0a8],
  compressionMethods: [0],
  extensions: { extendedMasterSecret: true },
};

function datagramOf(message: Uint8Array, sequence = 0, version: number = ProtocolVersion.dtls10): Uint8Array {
  const datagram = new Uint8Array(recordHeaderBytes + message.length);
  const header = { type: ContentType.handshake, epoch: 0, sequence, version };
  datagram.set(message, writeRecordHeader(datagram, 0, header, message.length));
  return datagram;
}

function helloDatagram(changes: Partial<ClientHello> = {}, messageSequence = 0, recordSequence = 0): Uint8Array {
  const body = encodeClientHello({ ...hello, ...changes });
  return datagramOf(encodeHandshakeMessage(HandshakeType.clientHello, messageSequence, body), recordSequence);
}

function cookieFor(door: FrontDoor, nowMs: number, changes: Partial<ClientHello> = {}, address = from): Uint8Array {
  const considered = door.consider(helloDatagram(changes), address, nowMs);
  assert.equal(considered.kind, "reply");
  return decodeHelloVerifyRequest(considered.datagram.subarray(recordHeaderBytes + 12)).cookie;
}

function openDoor(): FrontDoor {
  return new FrontDoor(seededRandom(7).bytes(32));
}

test("RFC 6347 §4.2.1: HelloVerifyRequest says version 1.0, repeats the record sequence number and is shorter than the hello", () => {
  const ask = helloDatagram({}, 0, 4_711);
  const considered = openDoor().consider(ask, from, 0);
  assert.equal(considered.kind, "reply");
  const view = new RecordView();
  assert.equal(view.read(considered.datagram, 0, 0), considered.datagram.length);
  assert.deepEqual([view.type, view.version, view.epoch, view.sequence], [ContentType.handshake, ProtocolVersion.dtls10, 0, 4_711]);
  const [message] = readHandshakeFragments(considered.datagram.subarray(view.fragmentAt));
  assert.deepEqual([message?.type, message?.sequence], [HandshakeType.helloVerifyRequest, 0]);
  assert.ok(considered.datagram.length < ask.length);
});

test("RFC 6347 §4.2.1: the hello with its cookie is let in, whole and copied, with the number of its record", () => {
  const door = openDoor();
  const datagram = helloDatagram({ cookie: cookieFor(door, 0) }, 1, 9);
  const considered = door.consider(datagram, from, 1_000);
  assert.equal(considered.kind, "accept");
  assert.deepEqual(considered.hello, datagram.slice(recordHeaderBytes));
  assert.equal(considered.recordSequence, 9);
  datagram.fill(0);
  assert.notEqual(considered.hello[0], 0);
});

test("RFC 6347 §4.2.1: the cookie is bound to address, version, random, session, suites and compression", () => {
  const door = openDoor();
  const cookie = cookieFor(door, 0);
  const others: readonly Partial<ClientHello>[] = [
    { random: random.bytes(32) },
    { sessionId: random.bytes(32) },
    { cipherSuites: [0xc0a8, 0xc0a4] },
    { compressionMethods: [0, 1] },
    { version: ProtocolVersion.dtls10 },
  ];
  for (const changes of others) assert.equal(door.consider(helloDatagram({ ...changes, cookie }), from, 0).kind, "reply");
  assert.equal(door.consider(helloDatagram({ cookie }), { ...from, port: 5_001 }, 0).kind, "reply");
  assert.equal(door.consider(helloDatagram({ cookie }), { ...from, address: "192.0.2.2" }, 0).kind, "reply");
  // What may change between the two is let be.
  assert.equal(door.consider(helloDatagram({ cookie, extensions: {} }), from, 0).kind, "accept");
});

test("RFC 6347 §4.2.1: a cookie is good for one period after its own, no longer, and for no other listener", () => {
  const door = openDoor();
  const cookie = cookieFor(door, cookiePeriodMs - 1);
  const kindAt = (nowMs: number) => door.consider(helloDatagram({ cookie }), from, nowMs).kind;
  assert.deepEqual([kindAt(cookiePeriodMs - 1), kindAt(2 * cookiePeriodMs - 1), kindAt(2 * cookiePeriodMs)], ["accept", "accept", "reply"]);
  assert.equal(new FrontDoor(seededRandom(8).bytes(32)).consider(helloDatagram({ cookie }), from, 0).kind, "reply");
});

test("a wrong cookie of any length is answered like none, under the number of the hello", () => {
  const door = openDoor();
  for (const length of [1, 15, 16, 17, 255]) {
    const considered = door.consider(helloDatagram({ cookie: random.bytes(length) }, 3), from, 0);
    assert.equal(considered.kind, "reply");
    assert.equal(readHandshakeFragments(considered.datagram.subarray(recordHeaderBytes))[0]?.sequence, 3);
  }
});

test("what is no whole ClientHello is dropped without a word: no alert before the cookie", () => {
  const door = openDoor();
  const body = encodeClientHello(hello);
  const whole = encodeHandshakeMessage(HandshakeType.clientHello, 0, body);
  const half = { type: HandshakeType.clientHello, length: body.length, sequence: 0, fragmentOffset: 0, bytes: body.subarray(0, 30) };
  const nothing: readonly Uint8Array[] = [
    new Uint8Array(0),
    datagramOf(encodeHandshakeFragment(half)),
    datagramOf(Buffer.concat([whole, whole])),
    datagramOf(encodeHandshakeMessage(HandshakeType.clientKeyExchange, 0, body)),
    datagramOf(encodeHandshakeMessage(HandshakeType.clientHello, 0, Buffer.concat([body, new Uint8Array(5_000)]))),
    Uint8Array.of(ContentType.alert, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40),
  ];
  for (const datagram of nothing) assert.equal(door.consider(datagram, from, 0).kind, "drop");
  const datagram = helloDatagram();
  for (let length = 0; length < datagram.length; length++) {
    assert.equal(door.consider(datagram.subarray(0, length), from, 0).kind, "drop", `cut at ${length}`);
  }
});

test("any bytes get silence or one short answer, never an error", () => {
  const door = openDoor();
  const chance = seededRandom(3);
  const good = helloDatagram({ cookie: cookieFor(door, 0) });
  for (let i = 0; i < 20_000; i++) {
    const datagram = good.slice(0, 1 + chance.integer(good.length));
    for (let flips = chance.integer(6); flips > 0; flips--) datagram[chance.integer(datagram.length)] = chance.integer(256);
    const considered = door.consider(datagram, from, 0);
    if (considered.kind === "reply") assert.ok(considered.datagram.length <= datagram.length);
  }
});
