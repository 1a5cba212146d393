import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { bodyOf, problemOf } from "../http/door-fixture.ts";
import { anEventDoor, asStream, following, MemoryLog, readEvents, upTo } from "./feed-fixture.ts";

test("a reader so slow that retention overtakes it is told what it lost, and goes on behind that", async () => {
  const log = new MemoryLog();
  log.add();
  const { take } = following(log);
  assert.deepEqual(await take(1), [1]);
  for (let i = 0; i < 3_000; i += 1) log.add();
  assert.deepEqual((await take(500)).at(-1), 501);
  log.delete(1_800);
  const rest = await take(1 + 3_001 - 1_800);
  assert.deepEqual([rest.slice(0, 3), rest.at(-1), rest.length], [[-501, -1_801, 1_801], 3_001, 2 + 3_001 - 1_800]);
});

test("a page that was read before retention deleted it loses nothing", async () => {
  const log = new MemoryLog();
  for (let i = 0; i < 600; i += 1) log.add();
  const { take } = following(log, { after: "0000000000000002" });
  assert.deepEqual(await take(500), upTo(502).slice(2));
  log.delete(500);
  assert.deepEqual(await take(98), upTo(600).slice(502));
});

test("on a log that other processes write to, their events come in between, and without any of one's own within the pause", async () => {
  const log = new MemoryLog();
  log.isShared = true;
  const { take, clock } = following(log);
  log.add();
  assert.deepEqual(await take(1), [1]);
  const ofOthers = () => {
    const listeners = [...log.listeners];
    log.listeners.clear();
    log.add();
    for (const listener of listeners) log.listeners.add(listener);
  };
  ofOthers();
  log.add();
  assert.deepEqual(await take(2), [2, 3]);
  ofOthers();
  const waiting = take(1);
  for (let i = 0; i < 5; i += 1) await nextTurn();
  await clock.advance(15_000);
  assert.deepEqual(await waiting, [4]);
});

test("410 for an id whose events are no longer kept, list and stream; the oldest that is kept, and everything, are there", async (t) => {
  const { log, ask } = await anEventDoor(t);
  for (let i = 0; i < 10; i += 1) log.add();
  log.delete(6);
  for (const headers of [{}, asStream]) {
    for (const after of ["0", "1", "5", "0000000000000005"]) {
      const { detail } = await problemOf(await ask(`/events?after=${after}`, { headers }), 410, "gone");
      assert.match(detail, /and 0000000000000007 are no longer kept/);
    }
    const { detail } = await problemOf(await ask("/events?after=11", { headers }), 410, "gone");
    assert.match(detail, /ahead of this feed, whose last event is 0000000000000010/);
  }
  await problemOf(await ask("/events", { headers: { ...asStream, "last-event-id": "5" } }), 410, "gone");
  for (const after of ["", "6"]) {
    const { items } = await bodyOf(await ask(`/events?after=${after}`));
    assert.deepEqual(
      items.map(({ id }: { id: string }) => Number(id)),
      [7, 8, 9, 10],
    );
    const stream = await ask(`/events?after=${after}`, { headers: asStream });
    assert.deepEqual(
      (await readEvents(stream, 4)).map(({ id }) => Number(id)),
      [7, 8, 9, 10],
    );
  }
});

test("a stream that retention overtakes says feed.lost, with an id to go on from", async (t) => {
  const { log, ask } = await anEventDoor(t);
  for (let i = 0; i < 3; i += 1) log.add();
  // Deleted while the first page is on its way.
  log.duringRead = () => {
    log.duringRead = () => {};
    log.delete(2);
    for (let i = 0; i < 1_500; i += 1) log.add();
    log.delete(1_400);
  };
  const events = await readEvents(await ask("/events?after=1", { headers: asStream }), 1 + 101);
  assert.deepEqual(events[0], {
    id: "0000000000001402",
    event: "feed.lost",
    data: { after: "0000000000000001", before: "0000000000001403" },
  });
  assert.deepEqual(Number(events.at(-1)?.id), 1_503);
});
