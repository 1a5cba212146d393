import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { type Collection, type CollectionDefinition, StorageUnavailableError } from "../storage/collection.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import type { Store } from "../storage/store.ts";
import type { EventLog } from "./event.ts";
import { eventsDefinition, openEventLog } from "./event-log.ts";
import { draftEvents, outboxIndex, outboxOf, withEvents } from "./outbox.ts";
import { type DocumentWithOutbox, openOutboxRelay } from "./outbox-relay.ts";

interface Counter extends DocumentWithOutbox {
  readonly rev: number;
}

const countersDefinition: CollectionDefinition = { name: "counters", indexes: [outboxIndex] };

let directory: string;
let store: Store;
let log: EventLog;
let counters: Collection<Counter>;
const clock = new VirtualClock();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "outbox-"));
  store = await openEmbeddedStore({ directory, collections: [eventsDefinition, countersDefinition], strictFilters: true });
  counters = store.collection(countersDefinition);
  log = await openEventLog({ store, clock });
});

afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

const draftsOf = (id: string, rev: number) =>
  draftEvents(`counters/${id}`, rev, [{ type: "device.updated", subject: id, timeMs: clock.now(), data: { rev } }]);
const create = (id: string) => counters.insertOne({ _id: id, rev: 1, ...outboxOf(draftsOf(id, 1)) });
const step = (id: string, rev: number) => counters.updateOne({ _id: id, rev }, withEvents({ $inc: { rev: 1 } }, draftsOf(id, rev + 1)));
const keys = async (): Promise<string[]> => (await log.read({ after: "", limit: 1_000 })).map((event) => event.sourceKey);
const openRelay = (overrides: Partial<Parameters<typeof openOutboxRelay>[0]> = {}) =>
  openOutboxRelay({ log, collections: [counters], clock, ...overrides });

test("outbox: a nudge moves the events to the log in order and empties the outbox", async () => {
  const relay = await openRelay();
  await create("a");
  await step("a", 1);
  relay.nudge("counters", "a");
  await relay.settled();
  assert.deepEqual(await keys(), ["counters/a/1/0", "counters/a/2/0"]);
  assert.deepEqual(await counters.findOne({ _id: "a" }), { _id: "a", rev: 2, outbox: [], hasOutbox: false });
  relay.nudge("counters", "a");
  relay.nudge("counters", "nobody");
  await relay.close();
  assert.equal((await keys()).length, 2);
});

test("outbox: what a crash left before the log was written is swept up at start", async () => {
  for (let i = 0; i < 1_200; i++) await create(`c${i}`);
  const relay = await openRelay();
  assert.equal(await counters.count({ hasOutbox: true }), 0);
  assert.equal((await keys()).length, 1_000);
  assert.equal(log.lastId(), "0000000000001200");
  await relay.close();
});

test("outbox: after a crash between the log and the clearing, the event is there once", async () => {
  await create("a");
  const interrupted = {
    name: counters.name,
    find: counters.find.bind(counters),
    bulkWrite: () => Promise.reject(new StorageUnavailableError("gone")),
  };
  await assert.rejects(openRelay({ collections: [interrupted] }), { name: "StorageUnavailableError" });
  assert.deepEqual(await keys(), ["counters/a/1/0"]);
  assert.equal(await counters.count({ hasOutbox: true }), 1);
  const relay = await openRelay();
  assert.deepEqual(await keys(), ["counters/a/1/0"]);
  assert.equal(await counters.count({ hasOutbox: true }), 0);
  await relay.close();
});

test("outbox: events added while the relay writes are not lost with the clearing", async () => {
  let before: (() => Promise<unknown>) | undefined;
  const raced = {
    name: counters.name,
    find: counters.find.bind(counters),
    bulkWrite: async (...writes: Parameters<typeof counters.bulkWrite>) => {
      const racing = before;
      before = undefined;
      await racing?.();
      return counters.bulkWrite(...writes);
    },
  };
  const relay = await openRelay({ collections: [raced] });
  await create("a");
  await create("b");
  before = async () => {
    await step("a", 1);
    relay.nudge("counters", "a");
  };
  relay.nudge("counters", "a");
  relay.nudge("counters", "b");
  await relay.close();
  assert.deepEqual(await keys(), ["counters/a/1/0", "counters/b/1/0", "counters/a/2/0"]);
  assert.equal(await counters.count({ hasOutbox: true }), 0);
});

test("outbox: a document made anew after the relay read it keeps its own events", async () => {
  let before: (() => Promise<unknown>) | undefined = async () => {
    await counters.deleteOne({ _id: "a" });
    await counters.insertOne({ _id: "a", rev: 1, ...outboxOf(draftEvents("counters/a#2", 1, [draftsOf("a", 1)[0] ?? assert.fail()])) });
  };
  await create("a");
  const raced = {
    name: counters.name,
    find: counters.find.bind(counters),
    bulkWrite: async (...writes: Parameters<typeof counters.bulkWrite>) => {
      const racing = before;
      before = undefined;
      await racing?.();
      return counters.bulkWrite(...writes);
    },
  };
  const relay = await openRelay({ collections: [raced] });
  await relay.close();
  assert.deepEqual((await log.read({ after: "", limit: 10 })).length, 2);
  assert.equal(await counters.count({ hasOutbox: true }), 0);
});

test("outbox: told of the drafts, the relay reads no document; those it was not told of stay for their own nudge", async () => {
  let reads = 0;
  const find: typeof counters.find = (...query) => {
    reads++;
    return counters.find(...query);
  };
  const relay = await openRelay({ collections: [{ name: counters.name, find, bulkWrite: counters.bulkWrite.bind(counters) }] });
  reads = 0;
  await create("a");
  await step("a", 1);
  relay.nudge("counters", "a", draftsOf("a", 1));
  relay.nudge("counters", "a", draftsOf("a", 2));
  await relay.settled();
  assert.deepEqual([reads, await keys()], [0, ["counters/a/1/0", "counters/a/2/0"]]);
  assert.deepEqual(await counters.findOne({ _id: "a" }), { _id: "a", rev: 2, outbox: [], hasOutbox: false });
  await step("a", 2);
  await step("a", 3);
  relay.nudge("counters", "a", draftsOf("a", 3));
  await relay.settled();
  assert.deepEqual((await counters.findOne({ _id: "a" }))?.outbox, draftsOf("a", 4));
  relay.nudge("counters", "a", draftsOf("a", 4));
  // Not told: then it looks.
  relay.nudge("counters", "a");
  await relay.close();
  assert.deepEqual([reads, (await keys()).slice(2)], [1, ["counters/a/3/0", "counters/a/4/0"]]);
  assert.equal((await counters.findOne({ _id: "a" }))?.hasOutbox, false);
});

test("outbox: 50 documents changed 20 times each beside the relay: 1,000 events, each once, in order per document", async () => {
  const relay = await openRelay();
  const ids = Array.from({ length: 50 }, (_, i) => `d${i}`);
  await Promise.all(
    ids.map(async (id) => {
      await create(id);
      relay.nudge("counters", id);
      for (let rev = 1; rev < 20; rev++) {
        await step(id, rev);
        relay.nudge("counters", id);
      }
    }),
  );
  await relay.settled();
  const all = await keys();
  assert.equal(new Set(all).size, 1_000);
  assert.equal(all.length, 1_000);
  for (const id of ids) {
    const own = all.filter((key) => key.startsWith(`counters/${id}/`));
    assert.deepEqual(
      own,
      Array.from({ length: 20 }, (_, i) => `counters/${id}/${i + 1}/0`),
    );
  }
  assert.equal(await counters.count({ hasOutbox: true }), 0);
  await relay.close();
});

test("outbox: while the store does not answer the relay reports, waits, and tries again", async () => {
  let failing = true;
  const errors: unknown[] = [];
  const flaky = {
    name: counters.name,
    find: (...query: Parameters<typeof counters.find>) =>
      failing ? Promise.reject(new StorageUnavailableError("gone")) : counters.find(...query),
    bulkWrite: counters.bulkWrite.bind(counters),
  };
  failing = false;
  const relay = await openRelay({ collections: [flaky], onError: (error) => errors.push(error) });
  failing = true;
  await create("a");
  relay.nudge("counters", "a");
  await relay.settled();
  assert.equal(errors.length, 1);
  assert.deepEqual(await keys(), []);
  failing = false;
  await clock.advance(1_000);
  await relay.settled();
  assert.deepEqual(await keys(), ["counters/a/1/0"]);
  await relay.close();
  assert.equal(clock.pendingTimers(), 0);
});

test("outbox: two relays on one store, each with a log of its own: every event once", async () => {
  const relays = [await openRelay(), await openRelay({ log: await openEventLog({ store, clock }) })];
  const ids = Array.from({ length: 30 }, (_, i) => `d${i}`);
  await Promise.all(
    ids.map(async (id, place) => {
      const owner = relays[place % 2];
      await create(id);
      owner?.nudge("counters", id);
      for (let rev = 1; rev < 10; rev++) {
        await step(id, rev);
        owner?.nudge("counters", id);
        // Some are nudged in both processes: a sweep of the other one.
        if (place % 5 === 0) relays[(place + 1) % 2]?.nudge("counters", id);
      }
    }),
  );
  for (const relay of relays) await relay.settled();
  const all = await keys();
  assert.equal(all.length, 300);
  assert.equal(new Set(all).size, 300);
  assert.equal(await counters.count({ hasOutbox: true }), 0);
  for (const relay of relays) await relay.close();
});

test("outbox: what a process that is gone has left is found by another one", async () => {
  const relay = await openRelay();
  await create("a");
  await step("a", 1);
  assert.deepEqual(await keys(), []);
  await clock.advance(600_000);
  await relay.settled();
  assert.deepEqual(await keys(), ["counters/a/1/0", "counters/a/2/0"]);
  await relay.close();
  assert.equal(clock.pendingTimers(), 0);
});
