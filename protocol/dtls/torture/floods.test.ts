import assert from "node:assert/strict";
import { test } from "node:test";
import { settledHeapBytes } from "../../platform/settled-heap.ts";
import { ContentType, HandshakeType } from "../constants.ts";
import { encodeHandshakeFragment } from "../wire/handshake-header.ts";
import { TortureWorld } from "./torture-world.ts";

const anId = Uint8Array.of(1, 2, 3);
const mebibyte = 1_048_576;

test("RFC 6347 §4.2.1: 300,000 hellos from invented addresses: memory stays as it is, nothing begins, established peers are served in between", async () => {
  const world = await TortureWorld.open();
  const client = world.client({ connectionId: anId });
  client.connect();
  const spoofer = world.client({ at: { address: "203.0.113.1", port: 1 } });
  const hello = spoofer.handshake(spoofer.hello());
  const withCookie = spoofer.handshake(spoofer.hello({ cookie: new Uint8Array(16) }));
  const flood = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      spoofer.send(i % 2 === 0 ? hello : withCookie, {
        address: `${11 + (i % 180)}.${(i >> 8) & 255}.${(i >> 16) & 255}.${i & 255}`,
        port: 1 + (i % 65_535),
      });
      if (i % 1_000 === 0) {
        client.send(client.data(`${i}`));
        assert.equal(world.texts.at(-1), `${i}`);
        world.answer("answer");
        assert.equal(world.sent.at(-1)?.to.port, client.at.port);
        await world.clock.advance(10);
      }
      world.sent.length = 0;
    }
    client.datagrams.length = 0;
  };
  await flood(50_000);
  const before = settledHeapBytes();
  await flood(250_000);
  const grown = settledHeapBytes() - before;
  assert.ok(grown < mebibyte / 2, `${grown} bytes more`);
  const { handshakes, handshakeBytes, connections } = world.endpoint.occupancy();
  assert.deepEqual([handshakes, handshakeBytes, connections], [0, 0, 1]);
  await world.end();
});

test("RFC 6347 §4.2.1: a hello that proves its address gets in although forged ones have used up the answers for its prefix", async () => {
  const world = await TortureWorld.open({ limits: { cookiesPerPrefixPerSecond: 10 } });
  const client = world.client();
  client.send(client.handshake(client.hello()));
  const second = client.handshake(client.hello());
  for (let i = 0; i < 100; i++)
    client.send(client.record(ContentType.handshake, client.hello({ cookie: new Uint8Array(0) })), { ...client.at, port: 1 + i });
  assert.ok(world.count("hellosRefusedRate") > 80);
  client.send(second);
  assert.equal(world.count("handshakesStarted"), 1);
  await world.end();
});

test("bound: addresses that begin handshakes and stop hold no place that another prefix needs", async () => {
  const limits = { handshakes: 40, handshakesPerPrefix: 20, handshakesPerAddress: 20 };
  const world = await TortureWorld.open({ limits });
  for (let i = 0; i < 60; i++) world.client({ at: { address: i < 30 ? "203.0.113.1" : "198.51.100.1", port: 1_000 + i } }).knock();
  assert.equal(world.endpoint.occupancy().handshakesUnderWay, 40);
  for (let i = 0; i < 10; i++) {
    const client = world.client({ at: { address: `192.0.2.${i}`, port: 5_000 }, name: `dev${i}` });
    client.connect();
    client.send(client.data(`${i}`));
    assert.equal(world.texts.at(-1), `${i}`);
  }
  assert.ok(world.endpoint.occupancy().handshakesUnderWay <= 40);
  // One of the crowd gains nothing by coming again: those of its own prefix are not fewer.
  const again = world.client({ at: { address: "203.0.113.1", port: 9_000 } });
  const before = world.count("handshakesStarted");
  for (let i = 0; i < 20; i++) again.knock();
  assert.ok(world.count("handshakesStarted") - before <= 20);
  await world.end();
});

test("bound: what waits for its slice is bounded for each handshake and altogether, in bytes", async () => {
  let elapsed = 0;
  let cost = 0;
  const world = await TortureWorld.open({ elapsedMs: () => (elapsed += cost), limits: { waitingWorkBytes: mebibyte } });
  const clients = Array.from({ length: 100 }, (_, i) => world.client({ name: `dev${i}` }));
  for (const client of clients) client.knock();
  // From here on the slice is always used up.
  cost = 1;
  const bytes = new Uint8Array(16_000);
  const heavy = encodeHandshakeFragment({ type: HandshakeType.certificate, length: 16_000, sequence: 5, fragmentOffset: 0, bytes });
  for (const client of clients) for (let i = 0; i < 200; i++) client.send(client.record(ContentType.handshake, heavy));
  const { waitingWork } = world.endpoint.occupancy();
  assert.ok(waitingWork > 10 && waitingWork * 16_000 <= mebibyte + 16_000, `${waitingWork} wait`);
  assert.ok(world.count("handshakeWorkDropped") > 19_000);
  cost = 0;
  await world.clock.advance(1_000);
  const [client] = clients;
  assert.ok(client);
  client.send(client.handshake(client.keyExchange()));
  client.send(client.changeCipherSpec());
  client.send(client.sealed(ContentType.handshake, client.finished()));
  assert.equal(world.count("connected"), 1);
  await world.end();
});

test("bound: one handshake cannot fill the queue of all", async () => {
  let elapsed = 0;
  let cost = 0;
  const world = await TortureWorld.open({ elapsedMs: () => (elapsed += cost) });
  const [greedy, other] = [world.client({ name: "dev1" }), world.client({ name: "dev2" })];
  greedy.knock();
  other.knock();
  cost = 1;
  for (let i = 0; i < 20_000; i++) greedy.send(greedy.changeCipherSpec());
  other.send(other.handshake(other.keyExchange()));
  other.send(other.changeCipherSpec());
  other.send(other.sealed(ContentType.handshake, other.finished()));
  assert.ok(world.endpoint.occupancy().waitingWork < 200);
  cost = 0;
  await world.clock.advance(1_000);
  assert.equal(world.count("connected"), 1);
  await world.end();
});

test("bound: records that overtook their keys are kept up to their bound, for each handshake", async () => {
  const world = await TortureWorld.open({ server: { credentials: { realmOf: () => ({ findPsk: () => new Promise(() => {}) }) } } });
  const client = world.client({ connectionId: anId });
  client.knock();
  client.send(client.handshake(client.keyExchange()));
  for (let i = 0; i < 1_000; i++) client.send(client.data("x".repeat(100)));
  assert.ok(world.count("earlyRecords") < 20);
  assert.ok(world.count("earlyRecordsDropped") > 980);
  assert.ok(world.endpoint.occupancy().handshakeBytes < 8_192);
  await world.clock.advance(600_000);
  assert.equal(world.endpoint.occupancy().handshakeBytes, 0);
  await world.end();
});
