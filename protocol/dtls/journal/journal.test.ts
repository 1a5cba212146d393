import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import type { DtlsEndpointParts } from "../endpoint/site.ts";
import { clientAt, DtlsWorld, type Party, pskServer, serverAt } from "../testing/dtls-world.ts";
import { JournalDisk, MemoryJournal } from "../testing/memory-journal.ts";
import { RecordView } from "../wire/record-header.ts";
import { ChunkSeal } from "./chunk-seal.ts";
import { JournalFenced } from "./journal-contract.ts";

const key = new Uint8Array(32).fill(7);
const clientIdBytes = 8;

/** A server over a disk whose process can be killed: its socket goes, and whatever it still tries to send is lost. */
class KillableServers {
  readonly world: DtlsWorld;
  readonly #closeSockets: (() => Promise<void>)[] = [];
  #generation = 0;

  constructor(world: DtlsWorld) {
    this.world = world;
  }

  async start(disk: JournalDisk, writeMs = 0, parts: Partial<DtlsEndpointParts> = {}): Promise<Party> {
    const socket = this.world.network.socket(serverAt);
    this.#closeSockets.push(() => socket.close());
    this.#generation += 1;
    const store = new MemoryJournal(disk, this.world.clock, writeMs);
    const opening = this.world.server({ socket, random: seededRandom(this.#generation * 7_919), journal: { store, key }, ...parts });
    return writeMs > 0 ? this.world.clock.until(opening) : opening;
  }

  /** kill -9: nothing of what it does from now on leaves the process. */
  async kill(): Promise<void> {
    for (const close of this.#closeSockets) await close();
    this.#closeSockets.length = 0;
  }
}

/** Nonces of what the server sealed, by connection id of the client and sequence number; says whether one came twice. */
function watchNonces(world: DtlsWorld): { readonly repeated: string[]; readonly size: () => number } {
  const seen = new Set<string>();
  const repeated: string[] = [];
  const view = new RecordView();
  world.network.filter = ({ from, bytes }) => {
    if (from.port !== serverAt.port) return true;
    for (let at = 0; at >= 0 && at < bytes.length; ) {
      const next = view.read(bytes, at, clientIdBytes);
      const id = Buffer.from(bytes.subarray(view.connectionIdAt, view.connectionIdAt + view.connectionIdBytes)).toString("hex");
      const nonce = `${id} ${view.sequence}`;
      if (next >= 0 && view.epoch === 1) {
        if (seen.has(nonce)) repeated.push(nonce);
        seen.add(nonce);
      }
      at = next;
    }
    return true;
  };
  return { repeated, size: () => seen.size };
}

test("persistence: after a stop in good order a device goes on with its next record, window, number and freshness kept", async () => {
  const world = new DtlsWorld();
  const servers = new KillableServers(world);
  const disk = new JournalDisk();
  const before = await servers.start(disk);
  const client = await world.client();
  const to = await world.connect(client);
  client.say(to, "one");
  await world.clock.advance(1_000);
  const { association } = before.lastFrom;
  const captured = world.network.traffic.filter(({ from }) => from.port === clientAt.port).at(-1);
  await before.endpoint.close();
  const after = await servers.start(disk);
  assert.equal(after.endpoint.counters["restored"], 1);
  assert.ok(captured);
  world.network.socket({ ...clientAt, port: 1 }).send(captured.bytes, serverAt);
  await world.clock.advance(100);
  assert.equal(after.endpoint.counters["replayedRecords"], 1);
  client.say(to, "two");
  await world.clock.advance(100);
  assert.deepEqual(after.texts, ["two"]);
  assert.deepEqual(after.lastFrom.association, { ...association, fresh: true });
  after.say(after.lastFrom, "answer");
  await world.clock.advance(100);
  assert.deepEqual(client.texts, ["answer"]);
  await world.end();
});

test("persistence: kill -9 before every single write, no nonce twice, and what was durable goes on without a handshake", async () => {
  assert.ok((await killAtEvery(40, undefined)) > 30);
});

test("persistence: the same while a write fails and the journal begins a new part in the middle of traffic", async () => {
  assert.ok((await killAtEvery(40, 12)) > 25);
});

/** Kills before each write up to `most`; the write `failAt` fails. Returns how often the association survived. */
async function killAtEvery(most: number, failAt: number | undefined): Promise<number> {
  let survived = 0;
  for (let killAt = 1; killAt <= most; killAt++) {
    const world = new DtlsWorld(killAt);
    const nonces = watchNonces(world);
    const servers = new KillableServers(world);
    const disk = new JournalDisk();
    let found: JournalDisk | undefined;
    disk.beforeWrite = (write) => {
      if (write === failAt) throw new Error("no space left on the device");
      if (write !== killAt) return;
      found = disk.copy();
      servers.kill().catch((error) => assert.fail(String(error)));
    };
    const before = await servers.start(disk, 3);
    const client = await world.client();
    const connecting = client.endpoint.connect(serverAt, { psk: { identity: Buffer.from("dev1"), key: Buffer.from("key of dev1") } });
    const to = found === undefined ? await world.clock.until(connecting).catch(() => undefined) : undefined;
    connecting.catch(() => undefined);
    for (let round = 0; to !== undefined && found === undefined && round < 60; round++) {
      client.say(to, `round ${round}`);
      await world.clock.advance(25);
      const [last] = before.heard.slice(-1);
      for (let i = 0; last !== undefined && i < 20; i++) before.say(last.from, `answer ${round}.${i}`);
      await world.clock.advance(25);
    }
    disk.beforeWrite = () => {};
    await servers.kill();
    const after = await servers.start(found ?? disk.copy(), 3);
    const heardBefore = client.heard.length;
    if (to !== undefined && after.endpoint.counters["restored"] === 1) {
      survived += 1;
      client.say(to, "after");
      await world.clock.advance(100);
      assert.deepEqual(
        after.texts,
        ["after"],
        `kill ${killAt} ${JSON.stringify(Object.entries(after.endpoint.counters).filter((c) => c[1] > 0))}`,
      );
      assert.equal(after.lastFrom.association?.fresh, false);
      assert.equal(after.lastFrom.association?.key, before.heard[0]?.from.association?.key ?? after.lastFrom.association?.key);
      for (let i = 0; i < 300; i++) after.say(after.lastFrom, `more ${i}`);
      await world.clock.advance(100);
      assert.ok(client.heard.length > heardBefore, `kill ${killAt}: the device heard nothing`);
      client.say(to, "answered");
      await world.clock.advance(100);
      assert.equal(after.lastFrom.association?.fresh, true);
    }
    assert.deepEqual(nonces.repeated, [], `kill ${killAt}`);
    await world.end();
  }
  return survived;
}

test("persistence: after a kill what was heard before cannot be heard again", async () => {
  const world = new DtlsWorld();
  const servers = new KillableServers(world);
  const disk = new JournalDisk();
  await servers.start(disk);
  const client = await world.client();
  const to = await world.connect(client);
  for (let i = 0; i < 100; i++) client.say(to, `n${i}`);
  await world.clock.advance(1_000);
  const captured = world.network.traffic.filter(({ from }) => from.port === clientAt.port);
  await servers.kill();
  const after = await servers.start(disk.copy());
  const thief = world.network.socket({ ...clientAt, port: 1 });
  for (const { bytes } of captured) thief.send(bytes, serverAt);
  await world.clock.advance(1_000);
  assert.deepEqual(after.texts, []);
  client.say(to, "still here");
  await world.clock.advance(100);
  assert.deepEqual(after.texts, ["still here"]);
  await world.end();
});

test("persistence: who takes over fences the owner before, who runs out of numbers and uses none of the successor's", async () => {
  const world = new DtlsWorld();
  const nonces = watchNonces(world);
  const disk = new JournalDisk();
  const failures: unknown[] = [];
  const servers = new KillableServers(world);
  const store = new MemoryJournal(disk, world.clock);
  const before = await servers.start(disk, 0, { journal: { store, key, onFailure: (error) => failures.push(error) } });
  const client = await world.client();
  const to = await world.connect(client);
  client.say(to, "hello");
  await world.clock.advance(300);
  const elsewhere = { address: "10.0.0.9", port: serverAt.port };
  const after = await world.open(elsewhere, {
    server: { credentials: pskServer() },
    journal: { store: new MemoryJournal(disk, world.clock), key },
    random: seededRandom(99),
  });
  assert.equal(after.endpoint.counters["restored"], 1);
  for (let i = 0; i < 1_000; i++) before.say(before.lastFrom, `${i}`);
  await world.clock.advance(1_000);
  assert.ok(failures[0] instanceof JournalFenced);
  assert.ok((before.endpoint.counters["sendWithoutLease"] ?? 0) > 700);
  client.say(
    { ...elsewhere, ...(to.association === undefined ? {} : { association: to.association }) },
    "unheard: the client sends to its row",
  );
  for (let i = 0; i < 200; i++) after.endpoint.plaintext.send(new Uint8Array(8), before.lastFrom);
  await world.clock.advance(1_000);
  assert.deepEqual(nonces.repeated, []);
  assert.ok(nonces.size() > 400);
  await world.end();
});

test("persistence: a write that fails is followed by a new part that says everything, and sending goes on", async () => {
  const world = new DtlsWorld();
  const servers = new KillableServers(world);
  const disk = new JournalDisk();
  const before = await servers.start(disk);
  const client = await world.client();
  const to = await world.connect(client);
  disk.beforeWrite = () => {
    throw new Error("no space left on the device");
  };
  client.say(to, "hello");
  await world.clock.advance(300);
  for (let i = 0; i < 400; i++) before.say(before.lastFrom, `${i}`);
  await world.clock.advance(100);
  assert.ok((before.endpoint.counters["journalFailures"] ?? 0) > 0);
  assert.ok((before.endpoint.counters["sendWithoutLease"] ?? 0) > 0);
  disk.beforeWrite = () => {};
  await world.clock.advance(2_000);
  const heard = client.heard.length;
  for (let i = 0; i < 100; i++) before.say(before.lastFrom, `${i}`);
  await world.clock.advance(1_000);
  assert.equal(client.heard.length, heard + 100);
  await servers.kill();
  const after = await servers.start(disk.copy());
  client.say(to, "again");
  await world.clock.advance(100);
  assert.deepEqual(after.texts, ["again"]);
  await world.end();
});

test("persistence: damage inside the journal discards all of it, damage at its end only that", async () => {
  const world = new DtlsWorld();
  const servers = new KillableServers(world);
  const disk = new JournalDisk();
  await servers.start(disk);
  const client = await world.client();
  const to = await world.connect(client);
  for (let i = 0; i < 5; i++) {
    client.say(to, `n${i}`);
    await world.clock.advance(300);
  }
  const chunks = disk.parts.at(-1)?.chunks ?? [];
  for (const [place, damaged] of [
    [chunks.length - 1, 1],
    [2, 0],
  ] as const) {
    const copy = disk.copy();
    const target = copy.parts.at(-1)?.chunks[place]?.slice();
    assert.ok(target);
    target[0] = (target[0] ?? 0) ^ 1;
    copy.parts.at(-1)?.chunks.splice(place, 1, target);
    await servers.kill();
    const after = await servers.start(copy);
    assert.equal(after.endpoint.counters["restored"], damaged);
  }
  await world.end();
});

test("persistence: nothing of a key, an identity or an address stands readable in the journal", async () => {
  const world = new DtlsWorld();
  const disk = new JournalDisk();
  const servers = new KillableServers(world);
  await servers.start(disk);
  await world.connect(await world.client());
  await world.clock.advance(1_000);
  const written = Buffer.concat(disk.parts.flatMap(({ chunks }) => chunks));
  assert.ok(written.length > 300);
  assert.equal(written.includes("dev1"), false);
  await world.end();
});

test("chunks: each opens under its own number and part only", () => {
  const salt = new Uint8Array(32);
  const writer = new ChunkSeal(key, salt, 1);
  const chunks = ["one", "two"].map((text) => writer.seal(Buffer.from(text)));
  const [one, two] = chunks;
  assert.ok(one && two);
  const reader = new ChunkSeal(key, salt, 1);
  assert.equal(String(reader.open(one)), "one");
  assert.equal(String(reader.open(two)), "two");
  assert.equal(new ChunkSeal(key, salt, 1).open(two), undefined);
  assert.equal(new ChunkSeal(key, salt, 2).open(one), undefined);
  for (let length = 0; length < one.length; length++) assert.equal(new ChunkSeal(key, salt, 1).open(one.subarray(0, length)), undefined);
});
