import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionMemory } from "../credentials/session-memory.ts";
import { DtlsError } from "../endpoint-contract.ts";
import { clientAt, DtlsWorld, pskOf, pskServer, serverAt } from "../testing/dtls-world.ts";

test("RFC 6347 §4.2: a PSK handshake with cookie, data both ways, one association on each side", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  const client = await world.client();
  const to = await world.connect(client);
  client.say(to, "hello");
  client.say(to, "again");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["hello", "again"]);
  const [first, second] = server.heard;
  assert.equal(first?.from, second?.from);
  assert.deepEqual(first?.from.association?.identity, { kind: "psk", identity: new TextEncoder().encode("dev1") });
  assert.equal(first?.from.port, clientAt.port);
  server.say(server.lastFrom, "answer");
  await world.clock.advance(100);
  assert.deepEqual(client.texts, ["answer"]);
  assert.equal(client.lastFrom.association?.key, to.association?.key);
  assert.equal(client.lastFrom.port, serverAt.port);
  assert.deepEqual([server.kinds, client.kinds], [["connected"], ["connected"]]);
  assert.equal(server.endpoint.counters["helloVerifyRequests"], 1);
  await world.end();
});

test("RFC 6347 §4.2.4: through loss, duplication and reordering every handshake of 40 ends connected, and data is never heard twice", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = new DtlsWorld(seed, { loss: 0.2, duplication: 0.2, reordering: 0.3, delayMs: 50 });
    const server = await world.server({ server: { credentials: pskServer((found) => Promise.resolve(found)) } });
    const client = await world.client({ settings: seed % 2 === 0 ? {} : { connectionIdBytes: undefined } });
    const to = await world.connect(client);
    for (let i = 0; i < 50; i++) client.say(to, `${i}`);
    await world.clock.advance(10_000);
    assert.equal(new Set(server.texts).size, server.texts.length, `seed ${seed}`);
    // A client that has our Finished is done; whether the server has the client's shows when data arrives.
    assert.ok(server.texts.length > 20, `seed ${seed}: ${server.texts.length} heard`);
    await world.end();
  }
});

test("RFC 5246 §7.2.1: close_notify is answered and ends the association; what is sent to it later is dropped and counted", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  const client = await world.client();
  const to = await world.connect(client);
  client.say(to, "hello");
  await world.clock.advance(100);
  client.endpoint.disconnect(to.association?.key ?? 0);
  await world.clock.advance(100);
  assert.deepEqual(client.news.at(-1)?.kind === "closed" && client.news.at(-1), { kind: "closed", peer: to, reason: "local" });
  assert.deepEqual(server.news.at(-1), { kind: "closed", peer: server.lastFrom, reason: "close-notify" });
  server.say(server.lastFrom, "too late");
  client.say(to, "too late");
  await world.clock.advance(100);
  assert.equal(server.endpoint.counters["sendWithoutAssociation"], 1);
  assert.deepEqual([server.texts, client.texts], [["hello"], []]);
  await world.end();
});

test("a credential that was removed drops its associations and no other", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  const one = await world.client();
  const other = await world.client({}, { ...clientAt, port: 2 });
  await world.connect(one, "dev1");
  const to = await world.connect(other, "dev2");
  await world.clock.advance(100);
  const isFirst = ({ association }: { association?: { identity: unknown } }): boolean =>
    JSON.stringify(association?.identity) === JSON.stringify({ kind: "psk", identity: new TextEncoder().encode("dev1") });
  assert.equal(server.endpoint.disconnectWhere(isFirst), 1);
  await world.clock.advance(100);
  assert.deepEqual(one.kinds, ["connected", "closed"]);
  other.say(to, "still here");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["still here"]);
  assert.equal(server.endpoint.counters["credentialRemoved"], 1);
  await world.end();
});

test("RFC 6347 §4.2.8: a new handshake from a known address leaves the old association alone until its Finished is proved", async () => {
  const world = new DtlsWorld();
  const settings = { connectionIdBytes: undefined };
  const server = await world.server({ settings });
  const first = await world.client({ settings });
  const to = await world.connect(first);
  first.say(to, "one");
  await world.clock.advance(100);
  const old = server.lastFrom;
  // From the same address, with a key the server does not have: half-way, then nothing.
  const refused = first.endpoint.connect(serverAt, { psk: { identity: Buffer.from("dev9"), key: Buffer.from("wrong") } });
  refused.catch(() => undefined);
  await world.clock.advance(3_000);
  first.say(to, "two");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["one", "two"]);
  assert.equal(server.lastFrom, old);
  await assert.rejects(world.clock.until(refused), DtlsError);
  const again = await world.connect(first, "dev1");
  first.say(again, "three");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["one", "two", "three"]);
  assert.notEqual(server.lastFrom.association?.key, old.association?.key);
  assert.deepEqual(server.news.at(-1), { kind: "replaced", peer: old, by: server.lastFrom });
  await world.end();
});

test("RFC 6347 §4.2.8: a device that begins anew at its address waits for nothing when its Finished overtakes the look-up of its key", async () => {
  const world = new DtlsWorld();
  const settings = { connectionIdBytes: undefined };
  const look = <T>(found: T) => new Promise<T>((resolve) => world.clock.after(20, () => resolve(found)));
  const server = await world.server({ settings, server: { credentials: pskServer(look) } });
  const client = await world.client({ settings });
  for (const words of ["one", "two", "three"]) {
    const startedAt = world.clock.now();
    const to = await world.connect(client);
    assert.ok(world.clock.now() - startedAt < 200, "nothing was repeated");
    client.say(to, words);
    await world.clock.advance(100);
  }
  assert.deepEqual(server.texts, ["one", "two", "three"]);
  assert.equal(server.endpoint.counters["replayedRecords"], 0);
  await world.end();
});

test("RFC 6347 §4.2.8: a rebooted device with the same identity elsewhere takes the place of its old association", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  await world.connect(await world.client());
  const second = await world.client({}, { address: "10.0.0.3", port: 9 });
  const to = await world.connect(second);
  second.say(to, "here");
  await world.clock.advance(100);
  assert.deepEqual(server.kinds, ["connected", "connected", "replaced"]);
  assert.deepEqual(server.texts, ["here"]);
  await world.end();
});

test("RFC 5246 §7.3: a client connects again by its session, under another association", async () => {
  const world = new DtlsWorld();
  const sessions = new SessionMemory({ most: 10, lifetimeMs: 86_400_000 }, world.clock);
  const server = await world.server({ server: { credentials: pskServer(), sessions } });
  const client = await world.client();
  const credentials = pskOf("dev1");
  const first = await world.clock.until(client.endpoint.connect(serverAt, credentials));
  client.endpoint.disconnect(first.association?.key ?? 0);
  const second = await world.clock.until(client.endpoint.connect(serverAt, credentials));
  client.say(second, "resumed");
  await world.clock.advance(100);
  assert.notEqual(first.association?.key, second.association?.key);
  assert.deepEqual(server.texts, ["resumed"]);
  assert.equal(server.endpoint.counters["resumed"], 1);
  const third = await world.clock.until(client.endpoint.connect(serverAt, pskOf("dev1")));
  assert.notEqual(third.association?.key, second.association?.key);
  assert.equal(client.endpoint.counters["resumed"], 1, "a session belongs to the credentials it was made with");
  await world.end();
});

test("contract: connect ends with its reason when the key is wrong, when nobody answers, and when it is aborted", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  const client = await world.client();
  const wrong = client.endpoint.connect(serverAt, { psk: { identity: Buffer.from("dev1"), key: Buffer.from("wrong key") } });
  await assert.rejects(world.clock.until(wrong), (error) => error instanceof DtlsError);
  const unknown = client.endpoint.connect(serverAt, pskOf("nobody"));
  await assert.rejects(world.clock.until(unknown), (error) => error instanceof DtlsError);
  const silent = client.endpoint.connect({ address: "10.9.9.9", port: 1 }, pskOf("dev1"));
  await assert.rejects(world.clock.until(silent), (error) => error instanceof DtlsError && error.failure === "timeout");
  await assert.rejects(client.endpoint.connect({ address: "localhost", port: 1 }, pskOf("dev1")), DtlsError);
  const stop = new AbortController();
  const aborted = client.endpoint.connect(serverAt, pskOf("dev1"), { signal: stop.signal });
  stop.abort();
  await assert.rejects(aborted, (error) => error instanceof DtlsError && error.failure === "cancelled");
  assert.equal(server.endpoint.counters["connected"], 0);
  await world.end();
});

test("contract: what is larger than the peer takes in one record is dropped and counted", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  const client = await world.client({ settings: { maxFragmentLength: 512 } });
  const to = await world.connect(client);
  client.endpoint.plaintext.send(new Uint8Array(512), to);
  await world.clock.advance(100);
  server.endpoint.plaintext.send(new Uint8Array(512), server.lastFrom);
  server.endpoint.plaintext.send(new Uint8Array(513), server.lastFrom);
  await world.clock.advance(100);
  assert.equal(client.heard.length, 1);
  assert.equal(server.endpoint.counters["sendTooLarge"], 1);
  await world.end();
});

test("RFC 5246 §7.2.1: closing without keeping anything says close_notify to every peer", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  const clients = [];
  for (let i = 0; i < 3; i++) {
    const client = await world.client({}, { address: "10.0.0.5", port: 10 + i });
    await world.connect(client, `dev${i}`);
    clients.push(client);
  }
  await world.clock.advance(100);
  await server.endpoint.close({ persist: false });
  await world.clock.advance(100);
  for (const client of clients) assert.deepEqual(client.kinds, ["connected", "closed"]);
  await world.end();
});

test("key log: the hook is told a line per handshake, and only when it is set", async () => {
  const world = new DtlsWorld();
  const lines: string[] = [];
  await world.server({ logKey: (line) => lines.push(line) });
  await world.connect(await world.client());
  await world.clock.advance(100);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}$/);
  await world.end();
});

test("scale-out: own connection ids begin with the owner's", async () => {
  const world = new DtlsWorld();
  await world.server({ ownerId: Uint8Array.of(0xab, 0xcd) });
  const client = await world.client();
  const to = await world.connect(client);
  client.say(to, "hello");
  const record = world.network.traffic.at(-1)?.bytes;
  assert.deepEqual(record?.subarray(11, 13), Uint8Array.of(0xab, 0xcd));
  await world.end();
});

test("RFC 5246 §7.3: data right behind the Finished of an abbreviated handshake is heard, also when the Finished has to wait for its turn", async () => {
  for (const connectionIdBytes of [8, undefined]) {
    const world = new DtlsWorld();
    let elapsed = 0;
    // Every piece of work takes longer than a slice, so that each waits for the next turn.
    const elapsedMs = () => (elapsed += 3);
    const sessions = new SessionMemory({ most: 10, lifetimeMs: 86_400_000 }, world.clock);
    const settings = { connectionIdBytes };
    const server = await world.server({ server: { credentials: pskServer(), sessions }, elapsedMs, settings });
    const client = await world.client({ settings });
    const credentials = pskOf("dev1");
    const first = await world.clock.until(client.endpoint.connect(serverAt, credentials));
    client.endpoint.disconnect(first.association?.key ?? 0);
    await world.clock.advance(100);
    client.say(await world.clock.until(client.endpoint.connect(serverAt, credentials)), "at once");
    await world.clock.advance(1_000);
    assert.deepEqual([server.endpoint.counters["resumed"], server.texts], [1, ["at once"]]);
    assert.ok((server.endpoint.counters["handshakeWorkDelayed"] ?? 0) > 0);
    await world.end();
  }
});
