import assert from "node:assert/strict";
import { test } from "node:test";
import { clientAt, DtlsWorld, type Party, serverAt } from "../testing/dtls-world.ts";

const outside = { address: "198.51.100.7", port: 61_000 };

async function connected(
  parts: object = {},
): Promise<{ world: DtlsWorld; server: Party; client: Party; say: (words: string) => Promise<void> }> {
  const world = new DtlsWorld();
  const server = await world.server(parts);
  const client = await world.client(parts);
  const to = await world.connect(client);
  const say = async (words: string): Promise<void> => {
    client.say(to, words);
    await world.clock.advance(100);
  };
  await say("first");
  return { world, server, client, say };
}

test("RFC 9146 §6: behind a NAT that rebound, the association goes on; its address is changed once an answer went there and a newer record came", async () => {
  const { world, server, client, say } = await connected();
  const before = server.lastFrom;
  world.network.rebind(clientAt, outside);
  await say("from elsewhere");
  assert.deepEqual(server.lastFrom, { ...outside, association: before.association });
  await say("and once more");
  assert.deepEqual(server.kinds, ["connected"], "nothing was asked there, so nothing is proved");
  server.say(server.lastFrom, "answer");
  await world.clock.advance(100);
  assert.deepEqual(client.texts, ["answer"]);
  await say("again");
  assert.deepEqual(server.news.at(-1), { kind: "address-changed", peer: server.lastFrom, before });
  assert.equal(server.lastFrom.association?.key, before.association?.key);
  server.say(before, "sent by the old address object");
  await world.clock.advance(100);
  assert.deepEqual(client.texts, ["answer", "sent by the old address object"]);
  await world.end();
});

test("RFC 9146 §6: no more than three bytes per byte received go to an address that is not proved", async () => {
  const { world, server, say } = await connected();
  world.network.rebind(clientAt, outside);
  const sentBefore = world.network.traffic.length;
  await say("x".repeat(100));
  for (let i = 0; i < 20; i++) server.say(server.lastFrom, "y".repeat(40));
  await world.clock.advance(100);
  const traffic = world.network.traffic.slice(sentBefore);
  const bytes = (from: { address: string }) =>
    traffic.filter((each) => each.from.address === from.address).reduce((sum, each) => sum + each.bytes.length, 0);
  assert.ok(bytes(serverAt) <= 3 * bytes(outside), `${bytes(serverAt)} for ${bytes(outside)}`);
  assert.ok(bytes(serverAt) > 2 * bytes(outside));
  assert.ok((server.endpoint.counters["sendOverBudget"] ?? 0) > 10);
  await world.end();
});

test("RFC 9146 §6: a record copied to another address is a replay and moves nothing; one that overtakes the original moves nothing for good", async () => {
  const { world, server, client, say } = await connected();
  const before = server.lastFrom;
  const thief = world.network.socket(outside);
  const stolen = world.network.traffic.filter(({ from }) => from.address === clientAt.address).at(-1);
  assert.ok(stolen);
  thief.send(stolen.bytes, serverAt);
  await world.clock.advance(100);
  assert.equal(server.endpoint.counters["replayedRecords"], 1);
  // Now the copy comes first, because the original is held back for good.
  world.network.filter = ({ from, bytes }) => {
    if (from.address !== clientAt.address) return true;
    thief.send(bytes, serverAt);
    return false;
  };
  await say("overtaken");
  assert.equal(server.lastFrom.address, outside.address);
  world.network.filter = () => true;
  await say("back");
  server.say(server.lastFrom, "answer");
  await world.clock.advance(100);
  assert.deepEqual(client.texts, ["answer"]);
  assert.equal(server.lastFrom, before);
  assert.equal(server.endpoint.counters["addressChanges"], 0);
  await world.end();
});

test("RFC 9146 §6: a record that is older than others does not move the peer, but is heard", async () => {
  const { world, server, client, say } = await connected();
  const held: Uint8Array[] = [];
  world.network.filter = ({ from, bytes }) => {
    if (from.address !== clientAt.address) return true;
    held.push(bytes);
    return false;
  };
  await say("late");
  world.network.filter = () => true;
  await say("newest");
  const elsewhere = world.network.socket(outside);
  for (const bytes of held) elsewhere.send(bytes, serverAt);
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["first", "newest", "late"]);
  server.say(server.lastFrom, "answer");
  await world.clock.advance(100);
  assert.deepEqual(client.texts, ["answer"]);
  await world.end();
});

test("RFC 6347 §4.1: without a connection id another address is another peer; the device has to connect again", async () => {
  const { world, server, client, say } = await connected({ settings: { connectionIdBytes: undefined } });
  world.network.rebind(clientAt, outside);
  await say("unheard");
  assert.deepEqual(server.texts, ["first"]);
  const again = await world.connect(client);
  client.say(again, "heard");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["first", "heard"]);
  assert.deepEqual(server.kinds, ["connected", "connected", "replaced"]);
  await world.end();
});

test("RFC 9146 §3: an association with ids takes no record without, and ids of nobody are dropped", async () => {
  const { world, server } = await connected();
  const peer = world.network.socket({ ...clientAt, port: 7 });
  peer.send(Buffer.from(`17fefd00010000000000090020${"00".repeat(32)}`, "hex"), serverAt);
  peer.send(Buffer.from(`19fefd000100000000000901020304050607080020${"00".repeat(32)}`, "hex"), serverAt);
  await world.clock.advance(100);
  assert.equal(server.endpoint.counters["unknownRecords"], 1);
  assert.equal(server.endpoint.counters["unknownConnectionIds"], 1);
  await world.end();
});
