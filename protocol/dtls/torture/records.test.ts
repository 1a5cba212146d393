import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { AlertDescription, AlertLevel, ContentType } from "../constants.ts";
import { SessionMemory } from "../credentials/session-memory.ts";
import { pskServer } from "../testing/dtls-world.ts";
import { largestSequence } from "../wire/record-header.ts";
import type { TortureClient } from "./torture-client.ts";
import { TortureWorld } from "./torture-world.ts";

const anId = Uint8Array.of(1, 2, 3);
const noId = new Uint8Array(0);
const noIds = { settings: { connectionIdBytes: undefined } } as const;
const elsewhere = { address: "198.51.100.7", port: 666 };

/** Everything a client ever sends in a connection with two words, datagram by datagram. */
function wholeLife(client: TortureClient): Uint8Array[] {
  const said: Uint8Array[] = [];
  const say = (bytes: Uint8Array): void => {
    said.push(bytes);
    client.send(bytes);
  };
  say(client.handshake(client.hello()));
  say(client.handshake(client.hello()));
  say(client.handshake(client.keyExchange()));
  say(client.changeCipherSpec());
  say(client.sealed(ContentType.handshake, client.finished()));
  say(client.data("one"));
  say(client.data("two"));
  return said;
}

test("RFC 6347 §4.1.2.6: every record of every flight again, at once and at the end, from here and from elsewhere: nothing is heard twice", async () => {
  for (const parts of [{}, noIds]) {
    for (let repeated = 0; repeated < 7; repeated++) {
      const world = await TortureWorld.open(parts);
      const client = world.client(parts === noIds ? {} : { connectionId: anId });
      const said = wholeLife(client);
      for (const bytes of [said[repeated] ?? new Uint8Array(0), ...said, ...said.toReversed()]) {
        client.send(bytes);
        client.send(bytes, elsewhere);
      }
      assert.deepEqual(world.texts, ["one", "two"]);
      assert.deepEqual(
        world.kinds.filter((kind) => kind !== "handshake-failed"),
        ["connected"],
        `record ${repeated}`,
      );
      client.send(client.data("three"));
      assert.deepEqual(world.texts, ["one", "two", "three"]);
      assert.equal(world.count("addressChanges"), 0);
      await world.end();
    }
  }
});

test("RFC 6347 §4.1: records of every other epoch, under the right keys, are nobody's", async () => {
  const world = await TortureWorld.open();
  const client = world.client({ connectionId: anId });
  client.connect();
  for (const epoch of [0, 2, 3, 255, 256, 65_535]) {
    client.send(client.sealed(ContentType.applicationData, Buffer.from(`epoch ${epoch}`), { epoch, sequence: 50 }));
    client.send(client.sealed(ContentType.applicationData, Buffer.from(`epoch ${epoch}`), { epoch, sequence: 51 }, noId));
  }
  client.send(client.data("epoch 1"));
  assert.deepEqual(world.texts, ["epoch 1"]);
  assert.deepEqual(world.kinds, ["connected"]);
  await world.end();
});

test("RFC 6347 §4.1.2.6: a jump to the last sequence number: what is far behind is old, no number is taken twice, nothing wraps", async () => {
  for (const top of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, largestSequence - 1, largestSequence]) {
    const world = await TortureWorld.open();
    const client = world.client({ connectionId: anId });
    client.connect();
    client.send(client.data("low", { sequence: 5 }));
    client.send(client.data("top", { sequence: top }));
    client.send(client.data("behind", { sequence: top - 63 }));
    for (const sequence of [top, top - 63, top - 64, top - 65, 5, 6, 0]) client.send(client.data("old", { sequence }));
    client.send(client.data("between", { sequence: top - 32 }));
    assert.deepEqual(world.texts, ["low", "top", "behind", "between"], `${top}`);
    world.answer("answer");
    assert.deepEqual(client.heard().at(-1)?.content, Uint8Array.from(Buffer.from("answer")));
    await world.end();
  }
});

test("RFC 6347 §4.1.2.6: a forged record with a high number leaves the window where it is", async () => {
  const world = await TortureWorld.open();
  const client = world.client({ connectionId: anId });
  client.connect();
  const forged = client.data("forged", { sequence: largestSequence });
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  client.send(forged);
  client.send(client.data("true"));
  assert.deepEqual(world.texts, ["true"]);
  assert.equal(world.count("forgedRecords"), 1);
  await world.end();
});

test("RFC 9146 §4: a record with the id of another connection opens neither", async () => {
  const world = await TortureWorld.open();
  const one = world.client({ connectionId: anId, name: "dev1" });
  const two = world.client({ connectionId: anId, name: "dev2" });
  one.connect();
  two.connect();
  assert.ok(one.serverId && two.serverId);
  one.send(one.sealed(ContentType.applicationData, Buffer.from("as two"), {}, two.serverId));
  const swapped = one.data("one with the id of two");
  swapped.set(two.serverId, 11);
  one.send(swapped);
  one.send(one.data("one"));
  two.send(two.data("two"));
  assert.deepEqual(world.texts, ["one", "two"]);
  assert.equal(world.count("forgedRecords"), 2);
  await world.end();
});

test("RFC 9146 §3: ids where none were agreed, none where they were, and agreed ids of zero length", async () => {
  const world = await TortureWorld.open();
  const withIds = world.client({ connectionId: anId });
  const without = world.client();
  const empty = world.client({ connectionId: new Uint8Array(0), name: "dev3" });
  for (const client of [withIds, without, empty]) client.connect();
  assert.equal(world.count("replaced"), 1, "one identity, one association: the first gave way");
  withIds.send(withIds.sealed(ContentType.applicationData, Buffer.from("gone"), {}));
  without.send(without.sealed(ContentType.applicationData, Buffer.from("with an id"), {}, withIds.serverId));
  empty.send(empty.sealed(ContentType.applicationData, Buffer.from("without"), {}, noId));
  assert.deepEqual(world.texts, []);
  without.send(without.data("without"));
  empty.send(empty.data("with"));
  assert.deepEqual(world.texts, ["without", "with"]);
  world.answer("to the empty id");
  assert.equal(empty.heard().at(-1)?.type, ContentType.applicationData);
  await world.end();
});

test("RFC 9146 §6: an older or replayed record from elsewhere never moves the peer, a newer one only once an answer went there", async () => {
  const world = await TortureWorld.open();
  const client = world.client({ connectionId: anId });
  client.connect();
  const [older, captured, newer, newest] = ["older", "captured", "newer", "newest"].map((text) => client.data(text));
  assert.ok(older && captured && newer && newest);
  client.send(captured);
  client.send(captured, elsewhere);
  client.send(older, elsewhere);
  world.answer("to the settled address");
  assert.deepEqual(world.sent.at(-1)?.to.address, client.at.address);
  client.send(newer, elsewhere);
  assert.equal(world.count("addressChanges"), 0);
  world.answer("to where it was heard from last");
  assert.deepEqual(world.sent.at(-1)?.to, elsewhere);
  client.send(newer, elsewhere);
  assert.equal(world.count("addressChanges"), 0, "a replay proves nothing");
  client.send(newest, elsewhere);
  assert.equal(world.count("addressChanges"), 1);
  await world.end();
});

test("RFC 9146 §6: three bytes for one to an address that is not proved, however often it changes and whatever is asked of it", async () => {
  const world = await TortureWorld.open();
  const client = world.client({ connectionId: anId });
  client.connect();
  const received = new Map<number, number>();
  for (let round = 0; round < 200; round++) {
    const port = 1_000 + (round % 7);
    const bytes = round % 5 === 0 ? client.sealed(ContentType.handshake, client.hello()) : client.data("x".repeat(round));
    received.set(port, (received.get(port) ?? 0) + bytes.length);
    client.send(bytes, { address: elsewhere.address, port });
    for (let i = 0; i < 20; i++) if (world.heard.length > 0) world.answer("y".repeat(50));
  }
  for (const [port, bytes] of received) {
    const spent = world.sent
      .filter(({ to }) => to.address === elsewhere.address && to.port === port)
      .reduce((sum, { bytes: sent }) => sum + sent.length, 0);
    assert.ok(spent <= 3 * bytes, `port ${port}: ${spent} bytes for ${bytes}`);
  }
  assert.equal(world.count("addressChanges"), 0);
  assert.ok(world.count("sendOverBudget") > 100);
  await world.end();
});

test("RFC 6347 §4.2.1: a cookie from another address or for another hello starts nothing, its replay at home takes the place of its handshake only", async () => {
  const world = await TortureWorld.open();
  const client = world.client();
  client.knock();
  const hello = client.handshake(client.hello());
  for (let i = 0; i < 300; i++) client.send(hello, { address: `203.0.113.${i % 200}`, port: 1 + i });
  assert.equal(world.count("handshakesStarted"), 1);
  for (let i = 0; i < 200; i++) client.send(client.handshake(client.hello()));
  assert.equal(world.count("handshakesStarted"), 201);
  assert.equal(world.news.filter(({ kind }) => kind === "handshake-failed").length, 200, "one at a time");
  await world.end();
});

test("RFC 6347 §4.2.1: whatever brings no right cookie gets an answer shorter than itself, and one only", async () => {
  const world = await TortureWorld.open();
  const client = world.client();
  const hello = client.handshake(client.hello({ extensions: {} }));
  for (const bytes of [hello, Buffer.concat([hello, hello, hello]), Buffer.concat([hello, Buffer.alloc(500)])]) {
    const before = world.sent.length;
    client.send(bytes);
    const answers = world.sent.slice(before);
    assert.equal(answers.length, 1);
    assert.ok((answers[0]?.bytes.length ?? 0) < hello.length);
  }
  await world.end();
});

test("RFC 5246 §7.2.1: alerts under the keys: a warning ends nothing, nonsense ends nothing, a fatal one ends this association and no other", async () => {
  const world = await TortureWorld.open();
  const one = world.client({ connectionId: anId });
  const two = world.client({ connectionId: anId, name: "dev2" });
  one.connect();
  two.connect();
  for (const content of [[AlertLevel.warning, AlertDescription.userCanceled], [3, 0], [2], [], [2, 40, 0], [2, 40, 2, 40]]) {
    one.send(one.sealed(ContentType.alert, Uint8Array.from(content)));
  }
  one.send(one.data("one"));
  one.send(one.sealed(ContentType.alert, one.alert(AlertLevel.fatal, AlertDescription.internalError)));
  one.send(one.data("gone"));
  two.send(two.data("two"));
  assert.deepEqual(world.texts, ["one", "two"]);
  assert.equal(world.count("closedByAlert"), 1);
  await world.end();
});

test("RFC 5246 §7.2.2: after a fatal alert the sessions of that identity cannot be resumed, those of others can", async () => {
  const sessions = new SessionMemory({ most: 10, lifetimeMs: 86_400_000 }, new VirtualClock());
  const world = await TortureWorld.open({ server: { credentials: pskServer(), sessions } });
  const one = world.client();
  const two = world.client({ name: "dev2" });
  one.connect();
  two.connect();
  assert.equal(sessions.size, 2);
  one.send(one.sealed(ContentType.alert, one.alert(AlertLevel.fatal, AlertDescription.badRecordMac)));
  assert.equal(sessions.size, 1);
  two.send(two.sealed(ContentType.alert, two.alert(AlertLevel.warning, AlertDescription.closeNotify)));
  assert.equal(sessions.size, 1);
  await world.end();
});

test("RFC 6066 §4: a record with more than was agreed is dropped, and may not come again as something else", async () => {
  const world = await TortureWorld.open();
  const client = world.client({ connectionId: anId, extensions: { maxFragmentLength: 1 } });
  client.connect();
  client.send(client.data("x".repeat(513)));
  client.send(client.data("y".repeat(512)));
  assert.deepEqual(world.texts, ["y".repeat(512)]);
  assert.equal(world.count("oversizedRecords"), 1);
  await world.end();
});
