/** What a process finds of a journal after more than a kill: cut, damaged, under another key, of another version, under keys that changed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../bytes/byte-writer.ts";
import { chunksOf } from "../../platform/dtls-journal-file.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { clientAt, DtlsWorld, type Party, serverAt } from "../testing/dtls-world.ts";
import { JournalDisk, MemoryJournal } from "../testing/memory-journal.ts";
import { RecordView } from "../wire/record-header.ts";
import { ChunkSeal } from "./chunk-seal.ts";
import { layoutVersion, writeEntry } from "./journal-entries.ts";

const key = new Uint8Array(32).fill(7);
const otherKey = new Uint8Array(32).fill(8);

/** A server that said 700 records to a device, which took three leases, and was killed. */
async function aKilledServer(): Promise<{ world: DtlsWorld; disk: JournalDisk; device: Party; used: number }> {
  const world = new DtlsWorld();
  const disk = new JournalDisk();
  const socket = world.network.socket(serverAt);
  const server = await world.server({ socket, journal: { store: new MemoryJournal(disk, world.clock), key } });
  const device = await world.client();
  const to = await world.connect(device);
  device.say(to, "hello");
  await world.clock.advance(300);
  for (let round = 0; round < 7; round++) {
    for (let i = 0; i < 100; i++) server.say(server.lastFrom, "x");
    await world.clock.advance(300);
  }
  assert.equal(device.heard.length, 700);
  await socket.close();
  return { world, disk: disk.copy(), device, used: highestSequence(world) };
}

function highestSequence(world: DtlsWorld): number {
  const view = new RecordView();
  const sent = world.network.traffic.filter(({ to }) => to.port === clientAt.port);
  return Math.max(...sent.map(({ bytes }) => (view.read(bytes, 0, 8) > 0 && view.epoch === 1 ? view.sequence : 0)));
}

/** The files the parts would be, as `platform/dtls-journal-file.ts` writes them. */
function fileOf({ parts }: JournalDisk): { readonly part: number; readonly bytes: Buffer } {
  const [only, ...more] = parts;
  assert.ok(only && more.length === 0);
  const framed = only.chunks.flatMap((chunk) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(chunk.length);
    return [length, chunk];
  });
  return { part: only.part, bytes: Buffer.concat(framed) };
}

function diskOf(part: number, bytes: Buffer): JournalDisk {
  const disk = new JournalDisk();
  const { chunks, hasRest } = chunksOf(bytes);
  disk.parts = [{ part, chunks: [...chunks], hasRest }];
  return disk;
}

/** Opens a server over the disk and has it say something to what it restored: the sequence number used, undefined when nothing was. */
async function firstNumberOf(world: DtlsWorld, disk: JournalDisk, keys = { key, formerKeys: [] as readonly Uint8Array[] }) {
  const sent: Uint8Array[] = [];
  const socket = { local: serverAt, send: (bytes: Uint8Array) => sent.push(bytes.slice()), onDatagram: () => {}, close: async () => {} };
  const store = new MemoryJournal(disk, world.clock);
  const { endpoint } = await world.server({ socket, random: seededRandom(99), journal: { store, ...keys } });
  const { restored, journalDiscarded, bugs } = endpoint.counters;
  assert.equal(bugs, 0);
  endpoint.disconnectWhere(() => true);
  await endpoint.close();
  const view = new RecordView();
  const [alert] = sent;
  if (alert !== undefined) assert.ok(view.read(alert, 0, 8) > 0);
  return { restored, journalDiscarded, sequence: alert === undefined ? undefined : view.sequence };
}

test("persistence: after a kill the numbers go on behind all that were used, under the same key or a former one, and not under another", async () => {
  const { world, disk, used } = await aKilledServer();
  const same = await firstNumberOf(world, disk.copy());
  assert.ok(used >= 700 && (same.sequence ?? 0) > used && (same.sequence ?? 0) < used + 2_000, `${used} ${same.sequence}`);
  assert.deepEqual(await firstNumberOf(world, disk.copy(), { key: otherKey, formerKeys: [key] }), same);
  const other = await firstNumberOf(world, disk.copy(), { key: otherKey, formerKeys: [] });
  assert.deepEqual(other, { restored: 0, journalDiscarded: 1, sequence: undefined });
  await world.end();
});

test("persistence: one byte of the journal changed, any of them: nothing is restored, or its numbers are behind all that were used", async () => {
  const { world, disk, used } = await aKilledServer();
  const { part, bytes } = fileOf(disk);
  let restoredSome = 0;
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    const { restored, sequence } = await firstNumberOf(world, diskOf(part, damaged));
    assert.equal(sequence !== undefined, restored === 1);
    if (sequence === undefined) continue;
    restoredSome += 1;
    assert.ok(sequence > used, `byte ${at}: ${sequence} after ${used}`);
  }
  assert.ok(restoredSome > 0 && restoredSome < bytes.length);
  await world.end();
});

test("persistence: the journal cut at any byte opens, and inside a chunk, where a write may have granted something, leaves numbers out", async () => {
  const { world, disk, used } = await aKilledServer();
  const { part, bytes } = fileOf(disk);
  const borders = new Set<number>();
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) borders.add(at);
  for (let size = 0; size < bytes.length; size++) {
    const { restored, sequence } = await firstNumberOf(world, diskOf(part, Buffer.from(bytes.subarray(0, size))));
    assert.equal(sequence !== undefined, restored === 1);
    // Cut between two chunks nothing shows: that is the journal of an earlier time.
    if (sequence !== undefined && !borders.has(size)) assert.ok(sequence > used, `${size} bytes: ${sequence} after ${used}`);
  }
  await world.end();
});

test("persistence: a part of a newer version is not read, and takes the parts before it along", async () => {
  const { world, disk } = await aKilledServer();
  const salt = new Uint8Array(32);
  const part = (disk.parts.at(-1)?.part ?? 0) + 1;
  const newer = new ByteWriter();
  writeEntry(newer, { kind: "begin", version: layoutVersion + 1, nextKey: -1 });
  newer.u8(200);
  disk.parts.push({ part, chunks: [salt, new ChunkSeal(key, salt, part).seal(newer.toBytes())], hasRest: false });
  assert.deepEqual(await firstNumberOf(world, disk), { restored: 0, journalDiscarded: 1, sequence: undefined });
  await world.end();
});
