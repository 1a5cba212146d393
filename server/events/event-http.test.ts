import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { aDoor, bodyOf, problemOf } from "../http/door-fixture.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { eventRoutes } from "./event-http.ts";
import { eventsDefinition, openEventLog } from "./event-log.ts";
import { anEventDoor, asStream, following, MemoryLog, readEvents, upTo } from "./feed-fixture.ts";

test("WHATWG HTML §9.2: events that come during the replay are neither lost nor sent twice", async () => {
  const log = new MemoryLog();
  for (let i = 0; i < 1_200; i += 1) log.add();
  // Three pages, and in the middle of every read another event.
  log.duringRead = () => {
    if (log.events.length < 1_210) log.add();
  };
  const { take } = following(log);
  assert.deepEqual(await take(1_203), upTo(1_203));
  log.add();
  log.add();
  assert.deepEqual(await take(2), [1_204, 1_205]);
});

test("a reader that falls behind costs bounded memory and misses nothing", async () => {
  const log = new MemoryLog();
  log.add();
  const { take } = following(log);
  assert.deepEqual(await take(1), [1]);
  for (let i = 0; i < 5_000; i += 1) log.add();
  assert.deepEqual(await take(5_000), upTo(5_001).slice(1));
  assert.ok(log.reads > 10, "the overflow was read from the log again, page by page");
});

test("a live event reaches a waiting reader without another read of the log", async () => {
  const log = new MemoryLog();
  const { take } = following(log);
  const waiting = take(1);
  await nextTurn();
  await nextTurn();
  const { reads } = log;
  log.add();
  assert.deepEqual([await waiting, log.reads], [[1], reads]);
});

test("a silent feed sends something every 15 s, even when only events for others happen", async () => {
  const log = new MemoryLog();
  const { batches, clock, leaving } = following(log, { filter: { subject: "dev1" } });
  const first = batches.next();
  await nextTurn();
  await nextTurn();
  await clock.advance(10_000);
  log.add("device.updated", "dev2");
  await clock.advance(5_000);
  assert.deepEqual(await first, { value: [], done: false });
  const second = batches.next();
  leaving.abort();
  assert.equal((await second).done, true);
  assert.deepEqual([log.listeners.size, clock.pendingTimers()], [0, 0]);
});

test("types and subject choose what is replayed and what is live", async () => {
  const log = new MemoryLog();
  const add = () => {
    log.add("device.registered", "dev1");
    log.add("device.registered", "dev2");
    log.add("resource.changed", "dev1");
  };
  add();
  const { take } = following(log, { filter: { types: ["device.registered"], subject: "dev1" } });
  assert.deepEqual(await take(1), [1]);
  add();
  assert.deepEqual(await take(1), [4]);
});

test("the stored log streamed while it is written to: every event once and in order", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "event-http-"));
  const store = await openEmbeddedStore({ directory, collections: [eventsDefinition], strictFilters: true });
  const clock = new VirtualClock();
  const log = await openEventLog({ store, clock });
  const total = 3_000;
  const write = async (from: number, to: number): Promise<void> => {
    const drafts = Array.from({ length: to - from }, (_, i) => ({
      key: `k${from + i}`,
      type: "device.updated" as const,
      subject: "dev1",
      timeMs: clock.now(),
      data: { number: from + i },
    }));
    // Several appends in the air at once.
    await Promise.all([0, 1, 2].map((part) => log.append(drafts.filter((_, i) => i % 3 === part))));
  };
  await write(0, 900);
  const { ask, door } = await aDoor(t, eventRoutes({ log, clock, maxStreams: 10 }));
  const streams = await Promise.all([0, 1, 2].map(() => ask("/events?after=", { headers: asStream })));
  const reading = Promise.all(streams.map((stream) => readEvents(stream, total)));
  for (let from = 900; from < total; from += 300) await write(from, from + 300);
  for (const events of await reading)
    assert.deepEqual(
      events.map(({ id }) => Number(id)),
      upTo(total),
    );
  await door.close(0);
  await store.close();
  await rm(directory, { recursive: true });
});

test("WHATWG HTML §9.2: a stream starts now, resumes behind Last-Event-ID, and each event is a CloudEvent", async (t) => {
  const { log, ask } = await anEventDoor(t);
  log.add();
  const live = await ask("/events", { headers: asStream });
  assert.equal(live.headers.get("content-type"), "text/event-stream; charset=utf-8");
  log.add("device.registered", "urn:dev:1");
  const [event] = await readEvents(live, 1);
  assert.deepEqual(event, {
    id: "0000000000000002",
    event: "device.registered",
    data: {
      specversion: "1.0",
      id: "0000000000000002",
      source: "urn:lwm2m:server",
      type: "device.registered",
      subject: "urn:dev:1",
      time: "2023-11-14T22:13:20.002Z",
      datacontenttype: "application/json",
      data: { number: 2 },
    },
  });
  for (let i = 0; i < 3; i += 1) log.add();
  const resumed = await ask("/events", { headers: { ...asStream, "last-event-id": "0000000000000002" } });
  assert.deepEqual(
    (await readEvents(resumed, 3)).map(({ id }) => Number(id)),
    [3, 4, 5],
  );
  const fromStart = await ask("/events?after=&types=device.registered", { headers: asStream });
  assert.deepEqual(
    (await readEvents(fromStart, 1)).map(({ id }) => Number(id)),
    [2],
  );
});

test("a closed door ends its streams cleanly; nothing stays subscribed", async (t) => {
  const { log, ask, door } = await anEventDoor(t);
  const stream = await ask("/events", { headers: asStream });
  const rest = stream.text();
  await door.close(5_000);
  assert.equal(await rest, "retry: 3000\n\n");
  assert.equal(log.listeners.size, 0);
});

test("streams are bounded: one too many is 503 with Retry-After, and a place is free again after one left", async (t) => {
  const { log, ask } = await anEventDoor(t, 1);
  const first = await ask("/events", { headers: asStream });
  const refused = await ask("/events", { headers: asStream });
  assert.equal(refused.headers.get("retry-after"), "30");
  await problemOf(refused, 503, "unavailable");
  await ask("/events", { method: "HEAD", headers: asStream });
  await first.body?.cancel();
  while (log.listeners.size > 0) await ask("/events");
  assert.equal((await ask("/events", { headers: asStream })).status, 200);
});

test("without the stream type the feed is a list in pages", async (t) => {
  const { log, ask } = await anEventDoor(t);
  for (let i = 0; i < 5; i += 1) log.add();
  const first = await bodyOf(await ask("/events?limit=3"));
  assert.deepEqual([first.items.map(({ id }: { id: string }) => Number(id)), first.next], [[1, 2, 3], "0000000000000003"]);
  const second = await bodyOf(await ask(`/events?limit=3&after=${first.next}`));
  assert.deepEqual([second.items.map(({ id }: { id: string }) => Number(id)), second.next], [[4, 5], null]);
});

for (const [address, headers] of [
  ["/events?types=device.flown", {}],
  ["/events?after=abc", {}],
  ["/events?subject=", {}],
  ["/events", { ...asStream, "last-event-id": "not-a-number" }],
] as const) {
  test(`a feed asked for wrongly is 400: ${address} ${JSON.stringify(headers)}`, async (t) => {
    const { ask } = await anEventDoor(t);
    await problemOf(await ask(address, { headers }), 400, "bad-request");
  });
}
