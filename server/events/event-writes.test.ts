import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import type { Collection, CollectionDefinition } from "../storage/collection.ts";
import { type EmbeddedStore, openEmbeddedStore } from "../storage/embedded-store.ts";
import type { Store } from "../storage/store.ts";
import type { EventDraft, EventFeed, LoggedEvent } from "./event.ts";
import { eventsDefinition, openEventLog } from "./event-log.ts";
import type { EventWrites } from "./event-writes.ts";
import { outboxIndex } from "./outbox.ts";
import { type DocumentWithOutbox, type OutboxRelay, openOutboxRelay } from "./outbox-relay.ts";

interface Counter extends DocumentWithOutbox {
  readonly rev: number;
}

const countersDefinition: CollectionDefinition = { name: "counters", indexes: [outboxIndex] };

let directory: string;
let store: EmbeddedStore;
let counters: Collection<Counter>;
let log: EventFeed;
let relay: OutboxRelay;
let writes: EventWrites<Counter>;
let heard: string[];

const draft = (key: string): EventDraft => ({ key, type: "device.updated", subject: "dev", timeMs: 1, data: { key } });
const keysOf = (events: readonly LoggedEvent[]): string[] => events.map(({ sourceKey }) => sourceKey);
const logged = async (): Promise<string[]> => keysOf(await log.read({ after: "", limit: 1_000 }));
const counted = (id: string, rev: number, ...keys: string[]) => ({
  filter: { _id: id, rev },
  update: { $inc: { rev: 1 } },
  events: keys.map(draft),
});

async function open(seen: Store): Promise<void> {
  const clock = new VirtualClock();
  counters = seen.collection<Counter>(countersDefinition);
  log = await openEventLog({ store: seen, clock });
  relay = await openOutboxRelay({ log, clock, collections: [seen.collection<DocumentWithOutbox>(countersDefinition)] });
  writes = relay.writes(counters);
  heard = [];
  log.subscribe((events) => void heard.push(...keysOf(events)));
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "event-writes-"));
  store = await openEmbeddedStore({ directory, collections: [eventsDefinition, countersDefinition], strictFilters: true });
});

afterEach(async () => {
  await relay.close();
  await store.close();
  await rm(directory, { recursive: true });
});

const engines: readonly (readonly [string, () => Store])[] = [
  ["committed together", () => store],
  [
    "through the outbox",
    () => {
      const { commitsTogether: _, ...plain } = store;
      return plain;
    },
  ],
];

for (const [way, seen] of engines) {
  describe(`documents and their events, ${way}`, () => {
    beforeEach(() => open(seen()));

    test("an event is in the log once its write has applied, and listeners hear of it", async () => {
      assert.deepEqual(await writes.insertOne({ _id: "a", rev: 1 }, [draft("made")]), { ok: true });
      await writes.updateOne(counted("a", 1, "second", "third"));
      assert.equal((await writes.findOneAndUpdate(counted("a", 2, "fourth")))?.rev, 3);
      await relay.settled();
      assert.deepEqual(await logged(), ["made", "second", "third", "fourth"]);
      assert.deepEqual(heard, await logged());
      assert.deepEqual(await counters.findOne({ _id: "a" }), { _id: "a", rev: 3, outbox: [], hasOutbox: false });
      assert.equal(log.lastId(), (await log.read({ after: "", limit: 10 })).at(-1)?._id);
    });

    test("a write that does not apply tells nothing", async () => {
      await writes.insertOne({ _id: "a", rev: 1 }, []);
      assert.equal((await writes.insertOne({ _id: "a", rev: 1 }, [draft("again")])).ok, false);
      assert.equal((await writes.updateOne(counted("a", 7, "late"))).matched, 0);
      assert.equal(await writes.findOneAndUpdate(counted("a", 7, "later")), undefined);
      await relay.settled();
      assert.deepEqual(await logged(), []);
      assert.deepEqual(heard, []);
    });

    test("an upsert makes a document whose outbox is like any other's", async () => {
      const update = { filter: { _id: "new" }, update: { $set: { rev: 1 } }, events: [draft("made")] };
      assert.equal((await writes.updateOne(update, { upsert: true })).upserted, true);
      await relay.settled();
      assert.deepEqual(await counters.findOne({ _id: "new" }), { _id: "new", rev: 1, outbox: [], hasOutbox: false });
      assert.deepEqual(await logged(), ["made"]);
    });

    test("of several at once those that apply are counted and told of", async () => {
      for (const _id of ["a", "b", "c"]) await writes.insertOne({ _id, rev: 1 }, []);
      assert.equal(await writes.updateEach([counted("a", 1, "a"), counted("b", 2, "b"), counted("c", 1, "c")]), 2);
      await relay.settled();
      assert.deepEqual((await logged()).toSorted(), ["a", "c"]);
      assert.deepEqual(heard.toSorted(), ["a", "c"]);
    });

    test("writes of all kinds at once: listeners hear in the order of the log", async () => {
      for (let n = 0; n < 20; n += 1) await writes.insertOne({ _id: `c${n}`, rev: 1 }, []);
      const under = Array.from({ length: 20 }, (_, n): readonly Promise<unknown>[] => [
        writes.updateOne(counted(`c${n}`, 1, `u${n}`)),
        log.append([draft(`l${n}`)]),
        writes.findOneAndUpdate(counted(`c${n}`, n % 2 === 0 ? 2 : 9, `f${n}`)),
        writes.insertOne({ _id: `d${n}`, rev: 1 }, [draft(`i${n}`)]),
      ]);
      await Promise.all(under.flat());
      await relay.settled();
      assert.equal((await logged()).length, 70);
      assert.deepEqual(heard, await logged());
    });
  });
}

test("committed together: what an earlier version left in an outbox is relayed at the start", async () => {
  const document: Counter = { _id: "old", rev: 3, outbox: [draft("left")], hasOutbox: true };
  await store.collection<Counter>(countersDefinition).insertOne(document);
  await open(store);
  assert.deepEqual(await logged(), ["left"]);
  assert.deepEqual(await counters.findOne({ _id: "old" }), { _id: "old", rev: 3, outbox: [], hasOutbox: false });
});

test("committed together: a store that fails tells nobody, and who waits behind hears all the same", async () => {
  await open(store);
  await writes.insertOne({ _id: "a", rev: 1 }, []);
  const refused = writes.updateOne({
    filter: { _id: "a" },
    update: { $set: { hasOutbox: { not: "a scalar" } } },
    events: [draft("refused")],
  });
  const applied = writes.updateOne(counted("a", 1, "applied"));
  await assert.rejects(refused);
  assert.equal((await applied).matched, 1);
  assert.deepEqual(heard, ["applied"]);
  assert.deepEqual(await logged(), ["applied"]);
});
