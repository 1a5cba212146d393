import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../bytes/byte-writer.ts";
import { ChunkSeal } from "../journal/chunk-seal.ts";
import { writeEntry } from "../journal/journal-entries.ts";
import { clientAt, DtlsWorld } from "../testing/dtls-world.ts";
import { JournalDisk, MemoryJournal } from "../testing/memory-journal.ts";
import { largestSequence, RecordView } from "../wire/record-header.ts";

const key = new Uint8Array(32).fill(7);

test("RFC 6347 §4.1: the last sequence number is used once and nothing wraps: what comes after it ends the connection", async () => {
  const world = new DtlsWorld();
  const disk = new JournalDisk();
  const before = await world.server({ journal: { store: new MemoryJournal(disk, world.clock), key } });
  const client = await world.client();
  const to = await world.connect(client);
  client.say(to, "hello");
  await world.clock.advance(300);
  const association = before.lastFrom.association?.key ?? 0;
  const left = disk.copy();
  await before.endpoint.close();
  appendLease(left, association, largestSequence - 9);
  const after = await world.server({ journal: { store: new MemoryJournal(left, world.clock), key } });
  assert.equal(after.endpoint.counters["restored"], 1);
  client.say(to, "again");
  await world.clock.advance(100);
  const already = world.network.traffic.length;
  for (let i = 0; i < 10; i++) after.say(after.lastFrom, `${i}`);
  await world.clock.advance(100);
  assert.equal(client.heard.length, 10);
  assert.deepEqual(
    sequencesSince(world, already),
    Array.from({ length: 10 }, (_, i) => largestSequence - 9 + i),
  );
  assert.deepEqual(after.kinds, []);
  for (let i = 0; i < 3; i++) after.say(after.lastFrom, "one too many");
  await world.clock.advance(100);
  assert.equal(client.heard.length, 10);
  assert.deepEqual(after.kinds, ["closed"]);
  const { aged, sendWithoutLease, sendWithoutAssociation } = after.endpoint.counters;
  assert.deepEqual([aged, sendWithoutLease, sendWithoutAssociation], [1, 1, 2]);
  await world.end();
});

/** As if the owner before had reserved every number below `until`. */
function appendLease(disk: JournalDisk, association: number, until: number): void {
  const { part, chunks } = disk.parts.at(-1) ?? assert.fail("an empty disk");
  const [salt, ...sealed] = chunks;
  assert.ok(salt);
  const seal = new ChunkSeal(key, salt, part);
  for (const chunk of sealed) assert.ok(seal.open(chunk));
  const writer = new ByteWriter();
  writeEntry(writer, { kind: "lease", key: association, until });
  chunks.push(seal.seal(writer.toBytes()));
}

function sequencesSince(world: DtlsWorld, from: number): number[] {
  const view = new RecordView();
  const sent = world.network.traffic.slice(from).filter(({ to }) => to.port === clientAt.port);
  return sent.map(({ bytes }) => (view.read(bytes, 0, 8) > 0 ? view.sequence : -1));
}
