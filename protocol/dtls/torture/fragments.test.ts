/** Handshake messages in fragments: in any order, false, endless, and first hellos. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentType, HandshakeType } from "../constants.ts";
import { encodeHandshakeFragment } from "../wire/handshake-header.ts";
import { TortureWorld } from "./torture-world.ts";

const handshakeHeaderBytes = 12;

/** A message in fragments as the list says: offset, length, and whether its bytes are false. */
function fragments(message: Uint8Array, cuts: readonly (readonly [number, number, boolean?])[]): Uint8Array[] {
  const [type = 0] = message;
  const body = message.subarray(handshakeHeaderBytes);
  const sequence = ((message[4] ?? 0) << 8) | (message[5] ?? 0);
  return cuts.map(([fragmentOffset, length, isFalse = false]) => {
    const bytes = body.slice(fragmentOffset, fragmentOffset + length);
    if (isFalse) bytes.fill(0xaa);
    return encodeHandshakeFragment({ type, length: body.length, sequence, fragmentOffset, bytes });
  });
}

test("RFC 6347 §4.2.3: fragments backwards, overlapping, repeated, empty, and byte by byte: the message is the same", async () => {
  const shapes: ((bytes: number) => (readonly [number, number])[])[] = [
    (all) => [
      [all - 3, 3],
      [0, all - 3],
    ],
    (all) => [
      [0, all - 1],
      [1, all - 1],
    ],
    (all) => [
      [0, 0],
      [0, 2],
      [2, 0],
      [0, 2],
      [1, all - 1],
      [all, 0],
    ],
    (all) => Array.from({ length: all }, (_, i) => [(i * 5) % all, 1] as const).concat(Array.from({ length: all }, (_, i) => [i, 1])),
    (all) => [
      [0, all],
      [0, all],
    ],
  ];
  for (const [number, shape] of shapes.entries()) {
    const world = await TortureWorld.open();
    const client = world.client();
    client.knock();
    const message = client.keyExchange();
    for (const fragment of fragments(message, shape(message.length - handshakeHeaderBytes))) {
      client.send(client.record(ContentType.handshake, fragment));
    }
    client.send(client.changeCipherSpec());
    client.send(client.sealed(ContentType.handshake, client.finished()));
    assert.equal(world.count("connected"), 1, `shape ${number}`);
    await world.end();
  }
});

test("RFC 6347 §4.2.3: a fragment that contradicts what is there changes nothing of it", async () => {
  const world = await TortureWorld.open();
  const client = world.client();
  client.knock();
  const message = client.keyExchange();
  const all = message.length - handshakeHeaderBytes;
  for (const fragment of fragments(message, [
    [0, 4],
    [0, 4, true],
    [1, 2, true],
    [4, all - 4],
    [0, all, true],
  ])) {
    client.send(client.record(ContentType.handshake, fragment));
  }
  // Another length, another type and a later number for the same message.
  for (const [type, length] of [
    [HandshakeType.clientKeyExchange, all + 1],
    [HandshakeType.certificate, all],
  ] as const) {
    const bytes = new Uint8Array(1);
    client.send(client.record(ContentType.handshake, encodeHandshakeFragment({ type, length, sequence: 2, fragmentOffset: 0, bytes })));
  }
  client.send(client.changeCipherSpec());
  client.send(client.sealed(ContentType.handshake, client.finished()));
  assert.equal(world.count("connected"), 1);
  await world.end();
});

test("RFC 6347 §4.2.2: endless fragments that bring nothing, and messages far ahead, cost a handshake no more than its bound", async () => {
  const world = await TortureWorld.open({ limits: { handshakes: 2 } });
  const client = world.client();
  client.knock();
  const message = client.keyExchange();
  for (let i = 0; i < 20_000; i++) {
    const ahead = {
      type: HandshakeType.certificate,
      length: 16_000,
      sequence: 2 + (i % 65_000),
      fragmentOffset: i % 16_000,
      bytes: new Uint8Array(i % 3),
    };
    if (ahead.fragmentOffset + ahead.bytes.length > ahead.length) continue;
    client.send(client.record(ContentType.handshake, encodeHandshakeFragment({ ...ahead, sequence: Math.max(4, ahead.sequence) })));
  }
  client.send(client.handshake(message));
  client.send(client.changeCipherSpec());
  client.send(client.sealed(ContentType.handshake, client.finished()));
  assert.equal(world.count("connected"), 1);
  await world.end();
});

test("RFC 6347 §4.2.1: a first hello in fragments is answered by nothing: there is nobody yet to keep it for", async () => {
  const world = await TortureWorld.open();
  const client = world.client();
  const hello = client.hello();
  for (const fragment of fragments(hello, [
    [0, 20],
    [20, hello.length - handshakeHeaderBytes - 20],
  ])) {
    client.send(client.record(ContentType.handshake, fragment));
  }
  assert.deepEqual([world.sent.length, world.count("handshakesStarted")], [0, 0]);
  await world.end();
});

test("RFC 6347 §4.2.2: a hello whose message_seq leaves no room for the answer starts nothing", async () => {
  for (const first of [65_535, 65_534, 65_530]) {
    const world = await TortureWorld.open();
    const client = world.client();
    client.messageSequence = first;
    client.send(client.handshake(client.hello()));
    client.messageSequence = first;
    client.send(client.handshake(client.hello()));
    assert.equal(world.count("bugs"), 0, `message_seq ${first}`);
    assert.equal(world.count("connected"), 0);
    await world.end();
  }
});
