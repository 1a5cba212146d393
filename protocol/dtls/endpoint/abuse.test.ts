import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import type { ServerCredentials } from "../credentials-contract.ts";
import { clientAt, DtlsWorld, pskOf, pskServer, serverAt } from "../testing/dtls-world.ts";

const minuteMs = 60_000;

test("RFC 6347 §4.1.2.7: every bit of a record flipped: dropped, counted, and the association goes on", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  const client = await world.client();
  const to = await world.connect(client);
  client.say(to, "one");
  await world.clock.advance(100);
  let captured: Uint8Array = new Uint8Array(0);
  world.network.filter = ({ from, bytes }) => {
    if (from.address !== clientAt.address) return true;
    captured = bytes;
    return false;
  };
  client.say(to, "two");
  await world.clock.advance(100);
  world.network.filter = () => true;
  const forger = world.network.socket({ ...clientAt, port: 7 });
  for (let bit = 0; bit < captured.length * 8; bit++) {
    const forged = captured.slice();
    forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    forger.send(forged, serverAt);
  }
  for (let length = 0; length < captured.length; length++) forger.send(captured.subarray(0, length), serverAt);
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["one"]);
  forger.send(captured, serverAt);
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["one", "two"], "the true record counts after all of that");
  assert.deepEqual(server.kinds, ["connected"]);
  await world.end();
});

test("RFC 6347 §4.1.2.7: plain alerts, plain data and plain handshake records touch nothing that is established", async () => {
  const world = new DtlsWorld();
  const settings = { connectionIdBytes: undefined };
  const server = await world.server({ settings });
  const socket = world.network.socket(clientAt);
  const client = await world.client({ settings, socket });
  const to = await world.connect(client);
  // While the server still keeps its last flight, and after the data that ends that.
  for (const words of ["lingering", "settled"]) {
    for (const hex of [
      "15fefd000000000000000500020228",
      "15fefd000000000000000500020100",
      "14fefd0000000000000006000101",
      "17fefd0000000000000006000568656c6c6f",
      "16fefd0000000000000007000c140000000000000000000000",
      "16fefd00000000000000080019140000000d00030000000000000d0102030405060708090a0b0c0d",
    ]) {
      socket.send(Buffer.from(hex, "hex"), serverAt);
    }
    await world.clock.advance(100);
    client.say(to, words);
    await world.clock.advance(100);
  }
  assert.deepEqual(server.texts, ["lingering", "settled"]);
  assert.deepEqual(server.kinds, ["connected"]);
  assert.equal(server.endpoint.counters["plainAlertsIgnored"], 4);
  await world.end();
});

test("RFC 6347 §4.2.1: a flood of hellos from invented addresses is answered within the rate of their prefixes and leaves nothing behind", async () => {
  const world = new DtlsWorld();
  const server = await world.server({ limits: { cookiesPerPrefixPerSecond: 10 } });
  const client = await world.client();
  const hello = await firstHello(world, client);
  const random = seededRandom(1);
  const sentBefore = world.network.traffic.length;
  for (let i = 0; i < 2_000; i++) {
    const socket = world.network.socket({ address: `192.0.2.${random.integer(250)}`, port: 1_000 + i });
    socket.send(hello, serverAt);
    await socket.close();
  }
  await world.clock.advance(100);
  const answers = world.network.traffic.slice(sentBefore).filter(({ from }) => from.address === serverAt.address);
  assert.ok(answers.length <= 12, `${answers.length} answers`);
  assert.ok(answers.every(({ bytes }) => bytes.length <= hello.length));
  assert.ok((server.endpoint.counters["hellosRefusedRate"] ?? 0) >= 1_980);
  assert.equal(server.endpoint.counters["handshakesStarted"], 0);
  // Others are served meanwhile.
  const to = await world.connect(client);
  client.say(to, "hello");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["hello"]);
  await world.end();
});

test("bound: handshakes under way per address and all together, and their rate; what is refused meets silence", async () => {
  const world = new DtlsWorld();
  const never: ServerCredentials = { realmOf: () => ({ findPsk: () => new Promise(() => {}) }) };
  const limits = { handshakesPerAddress: 3, handshakes: 5 };
  const server = await world.server({ server: { credentials: never }, limits });
  const pending: Promise<unknown>[] = [];
  for (let i = 0; i < 8; i++) {
    const client = await world.client({}, { address: i < 5 ? "10.0.0.2" : `10.0.1.${i}`, port: 1_000 + i });
    pending.push(client.endpoint.connect(serverAt, pskOf(`dev${i}`)).catch((error: Error) => error.message));
  }
  await world.clock.advance(500);
  assert.equal(server.endpoint.counters["handshakesStarted"], 5);
  assert.equal(server.endpoint.counters["handshakesRefusedBusy"], 3);
  await world.clock.advance(10 * minuteMs);
  // A peer that stops half-way, or a store that never answers, costs a bounded row for a bounded time.
  await world.clock.until(Promise.all(pending));
  await world.clock.advance(10 * minuteMs);
  assert.equal(server.news.filter(({ kind }) => kind === "handshake-failed").length, server.endpoint.counters["handshakesStarted"]);
  await world.end();
});

test("RFC 6347 §4.2.6: records of epoch 1 that come while the key is looked up wait for it, up to their bound", async () => {
  const world = new DtlsWorld();
  let give: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    give = resolve;
  });
  const server = await world.server({ server: { credentials: pskServer((found) => gate.then(() => found)) } });
  const client = await world.client();
  const connecting = client.endpoint.connect(serverAt, pskOf("dev1"));
  await world.clock.advance(300);
  assert.equal(server.endpoint.counters["earlyRecords"], 1);
  give();
  const to = await world.clock.until(connecting, 600);
  client.say(to, "in one round");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["in one round"]);
  await world.end();
});

test("bound: a full table takes new peers only for those that were silent for long", async () => {
  const world = new DtlsWorld();
  const server = await world.server({ limits: { connections: 2, staleWithIdAfterMs: 10 * minuteMs } });
  const parties = [];
  for (let i = 0; i < 3; i++) parties.push(await world.client({}, { address: "10.0.2.1", port: 100 + i }));
  const [one, two, three] = parties;
  assert.ok(one && two && three);
  await world.connect(one, "dev1");
  await world.clock.advance(5 * minuteMs);
  const to = await world.connect(two, "dev2");
  await assert.rejects(world.connect(three, "dev3"));
  assert.ok((server.endpoint.counters["handshakesRefusedFull"] ?? 0) > 0);
  await world.clock.advance(6 * minuteMs);
  two.say(to, "awake");
  await world.clock.advance(100);
  await world.connect(three, "dev3");
  await world.clock.advance(100);
  const evicted = server.news.filter((news) => news.kind === "closed" && news.reason === "evicted");
  assert.equal(evicted.length, 1);
  two.say(to, "still here");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["awake", "still here"]);
  await world.end();
});

test("bound: an association that is too old has to be made anew", async () => {
  const world = new DtlsWorld();
  const server = await world.server({ limits: { mostAgeMs: 10 * minuteMs } });
  const client = await world.client();
  const to = await world.connect(client);
  await world.clock.advance(11 * minuteMs);
  client.say(to, "too old");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, []);
  assert.deepEqual(client.kinds, ["connected", "closed"]);
  assert.equal(server.endpoint.counters["aged"], 1);
  await world.end();
});

test("§6.2 of the plan: in a handshake storm data of established peers is handed on while handshakes wait for their slice", async () => {
  const world = new DtlsWorld();
  let elapsed = 0;
  // Every look at the clock costs half a millisecond, so a slice of 2 ms holds a few messages.
  const server = await world.server({ elapsedMs: () => (elapsed += 0.5), limits: { workSliceMs: 2 } });
  const client = await world.client();
  const to = await world.connect(client);
  await world.clock.advance(1_000);
  const storm = [];
  for (let i = 0; i < 200; i++) {
    const other = await world.client({}, { address: "10.0.3.1", port: 1_000 + i });
    storm.push(other.endpoint.connect(serverAt, pskOf(`dev1${i}`)));
  }
  await world.clock.advance(30);
  client.say(to, "in the middle");
  await world.clock.advance(10);
  assert.deepEqual(server.texts, ["in the middle"]);
  assert.ok((server.endpoint.counters["handshakeWorkDelayed"] ?? 0) > 100);
  await world.clock.until(Promise.all(storm));
  await world.clock.advance(100);
  assert.equal(server.endpoint.counters["connected"], 201);
  await world.end();
});

test("bound: a look-up that throws ends its handshake with internal_error, and nothing else", async () => {
  const world = new DtlsWorld();
  const findPsk = (): never => {
    throw new Error("the store is away");
  };
  const server = await world.server({ server: { credentials: { realmOf: () => ({ findPsk }) } } });
  const client = await world.client();
  await assert.rejects(world.connect(client));
  await world.clock.advance(minuteMs);
  assert.equal(server.endpoint.counters["failed-lookup-failed"], 1);
  await world.end();
});

async function firstHello(world: DtlsWorld, client: Awaited<ReturnType<DtlsWorld["client"]>>): Promise<Uint8Array> {
  let hello: Uint8Array = new Uint8Array(0);
  world.network.filter = ({ bytes }) => {
    hello = bytes;
    return false;
  };
  const stop = new AbortController();
  client.endpoint.connect(serverAt, pskOf("dev1"), { signal: stop.signal }).catch(() => undefined);
  stop.abort();
  world.network.filter = () => true;
  await world.clock.advance(1);
  return hello;
}
