import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import type { Collection, CollectionDefinition, StoredDocument } from "./collection.ts";
import type { Store, TelemetryPoint } from "./store.ts";
import { watchPressure } from "./store-pressure.ts";

const things: CollectionDefinition = { name: "things", indexes: [] };
const aPoint: TelemetryPoint = { endpoint: "e", path: "/3303/0/5700", timeMs: 0, receivedMs: 0, value: 1 };

/** A store whose writes end when they are told to, or after `delayMs`. */
function slowStore(clock: VirtualClock) {
  const waiting: (() => void)[] = [];
  let delayMs: number | undefined;
  let failure: Error | undefined;
  const write = <T>(outcome: T): Promise<T> =>
    new Promise((resolve, reject) => {
      const end = () => (failure === undefined ? resolve(outcome) : reject(failure));
      if (delayMs === undefined) waiting.push(end);
      else clock.after(delayMs, end);
    });
  const collection = {
    name: "things",
    findOne: async () => undefined,
    insertOne: () => write({ ok: true }),
    bulkWrite: () => write({ failed: [], matched: 0 }),
  } as unknown as Collection<StoredDocument>;
  const telemetry = { append: () => write(undefined) };
  const store = { collection: () => collection, telemetry, probe: async () => {} } as unknown as Store;
  return {
    ...watchPressure(store, clock),
    take(everyMs: number | undefined, error?: Error) {
      delayMs = everyMs;
      failure = error;
    },
    endAll() {
      for (const end of waiting.splice(0)) end();
    },
  };
}

test("pressure: 20,000 waiting documents and points are slow, 100,000 refuse, and less is normal again", async () => {
  const clock = new VirtualClock(0);
  const pressed = slowStore(clock);
  const level = async () => {
    await clock.advance(200);
    return pressed.pressure().level;
  };
  const writes: Promise<unknown>[] = [];
  const collection = pressed.store.collection(things);
  writes.push(collection.bulkWrite(Array.from({ length: 19_000 }, (_, i) => ({ insertOne: { document: { _id: `${i}` } } }))));
  writes.push(pressed.store.telemetry.append(Array.from({ length: 999 }, () => aPoint)));
  assert.equal(await level(), "normal");
  writes.push(collection.insertOne({ _id: "one more" }));
  assert.equal(await level(), "slow");
  writes.push(pressed.store.telemetry.append(Array.from({ length: 80_000 }, () => aPoint)));
  assert.equal(await level(), "refusing");
  assert.equal(pressed.pressure().waiting, 100_000);
  pressed.endAll();
  await Promise.all(writes);
  assert.equal(await level(), "normal");
  assert.deepEqual(pressed.pressure().reached, { slow: 1, refusing: 1 });
});

test("pressure: commits that take two seconds are slow, from the twentieth on and for ten seconds", async () => {
  const clock = new VirtualClock(0);
  const pressed = slowStore(clock);
  const collection = pressed.store.collection(things);
  pressed.take(2_000);
  const write = async (count: number): Promise<void> => {
    const written = Promise.all(Array.from({ length: count }, () => collection.insertOne({ _id: "a" })));
    await clock.advance(2_000);
    await written;
  };
  await write(19);
  assert.equal(pressed.pressure().level, "normal", "too few to tell");
  await write(1);
  assert.deepEqual([pressed.pressure().level, pressed.pressure().commitP95Ms], ["slow", 2_000]);
  await clock.advance(10_000);
  assert.equal(pressed.pressure().level, "normal");
});

test("pressure: one write that is not answered is slow after 5 s and refuses after 10 s; what fails does not count as a commit", async () => {
  const clock = new VirtualClock(0);
  const pressed = slowStore(clock);
  const hanging = pressed.store.collection(things).insertOne({ _id: "a" });
  await clock.advance(4_900);
  assert.equal(pressed.pressure().level, "normal");
  await clock.advance(100);
  assert.equal(pressed.pressure().level, "slow");
  await clock.advance(5_000);
  assert.equal(pressed.pressure().level, "refusing");
  pressed.endAll();
  await hanging;
  pressed.take(4_000, new Error("gone"));
  const failing = Promise.allSettled(Array.from({ length: 50 }, () => pressed.store.collection(things).insertOne({ _id: "b" })));
  await clock.advance(4_000);
  assert.equal((await failing).filter(({ status }) => status === "rejected").length, 50);
  await clock.advance(100);
  assert.deepEqual([pressed.pressure().level, pressed.pressure().waiting], ["normal", 0]);
});
