import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import type { Store } from "../storage/store.ts";
import type { EventDraft, LoggedEvent } from "./event.ts";
import { eventsDefinition, openEventLog } from "./event-log.ts";

let directory: string;
let store: Store;
const clock = new VirtualClock();

const openStore = () => openEmbeddedStore({ directory, collections: [eventsDefinition], strictFilters: true });
const draft = (key: string, subject = "ep", timeMs = clock.now()): EventDraft => ({
  key,
  type: "device.updated",
  subject,
  timeMs,
  data: { key },
});
const keysOf = (events: readonly LoggedEvent[]): string => events.map((event) => event.sourceKey).join(" ");

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "event-log-"));
  store = await openStore();
});

afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

test("event log: numbers of 16 digits in order, read in pages, filtered by type and subject", async () => {
  const log = await openEventLog({ store, clock });
  assert.equal(log.lastId(), "");
  await log.append([draft("a"), draft("b", "other"), { ...draft("c"), type: "device.expired" }]);
  const all = await log.read({ after: "", limit: 10 });
  assert.deepEqual(
    all.map((event) => event._id),
    ["0000000000000001", "0000000000000002", "0000000000000003"],
  );
  assert.deepEqual(all[0], {
    _id: "0000000000000001",
    sourceKey: "a",
    type: "device.updated",
    subject: "ep",
    timeMs: clock.now(),
    data: { key: "a" },
  });
  assert.equal(log.lastId(), "0000000000000003");
  assert.equal(keysOf(await log.read({ after: "0000000000000001", limit: 1 })), "b");
  assert.equal(keysOf(await log.read({ after: "", limit: 10, types: ["device.expired"] })), "c");
  assert.equal(keysOf(await log.read({ after: "", limit: 10, subject: "other" })), "b");
  assert.equal(keysOf(await log.read({ after: "0000000000000003", limit: 10 })), "");
});

test("event log: numbering goes on after a restart, a key that is known adds nothing", async () => {
  await (await openEventLog({ store, clock })).append([draft("a"), draft("b")]);
  await store.close();
  store = await openStore();
  const log = await openEventLog({ store, clock });
  assert.equal(log.lastId(), "0000000000000002");
  const told: string[] = [];
  log.subscribe((events) => told.push(keysOf(events)));
  await log.append([draft("b"), draft("c"), draft("c"), draft("a")]);
  await log.append([draft("a")]);
  assert.equal(keysOf(await log.read({ after: "", limit: 10 })), "a b c");
  assert.deepEqual(told, ["c"]);
});

test("event log: 500 appends at once keep their order; subscribers hear of each after it can be read", async () => {
  const log = await openEventLog({ store, clock });
  const heard: LoggedEvent[] = [];
  const reads: Promise<boolean>[] = [];
  const stop = log.subscribe((events) => {
    heard.push(...events);
    const [first] = events;
    if (first !== undefined) reads.push(log.read({ after: "", limit: 1_000 }).then((all) => all.some((event) => event._id === first._id)));
  });
  await Promise.all(Array.from({ length: 500 }, (_, i) => log.append([draft(`k${i}`)])));
  assert.equal(keysOf(heard), Array.from({ length: 500 }, (_, i) => `k${i}`).join(" "));
  assert.ok(heard.every((event, i) => i === 0 || event._id > (heard[i - 1]?._id ?? "")));
  assert.ok((await Promise.all(reads)).every((readable) => readable));
  stop();
  await log.append([draft("unheard")]);
  assert.equal(heard.length, 500);
});

test("event log: a listener that throws is reported and stops nobody", async () => {
  const errors: unknown[] = [];
  const log = await openEventLog({ store, clock, onError: (error) => errors.push(error) });
  const heard: string[] = [];
  log.subscribe(() => {
    throw new Error("broken listener");
  });
  log.subscribe((events) => heard.push(keysOf(events)));
  await log.append([draft("a")]);
  assert.deepEqual(heard, ["a"]);
  assert.match(String(errors[0]), /broken listener/);
});

test("event log: the oldest go when there are too many, or when they are too old; the newest stays", async () => {
  const log = await openEventLog({ store, clock, retainedEvents: 20, retainedMs: 1_000, removalInterval: 10 });
  for (let i = 0; i < 50; i++) await log.append([draft(`k${i}`)]);
  assert.ok((await log.read({ after: "", limit: 100 })).length < 30);
  await clock.advance(5_000);
  await log.append(Array.from({ length: 10 }, (_, i) => draft(`late${i}`)));
  // A removal may come one append after the one that made it due.
  await log.append([draft("last")]);
  const left = await log.read({ after: "", limit: 100 });
  assert.equal(left.length, 11);
  assert.equal(left[0]?.sourceKey, "late0");
});

test("event log: an append fails when the store does, and says so", async () => {
  const log = await openEventLog({ store, clock });
  await store.close();
  await assert.rejects(log.append([draft("a")]), { name: "StorageUnavailableError" });
});
