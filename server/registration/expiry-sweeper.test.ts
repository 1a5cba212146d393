import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { codeOf, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { alarmOf } from "./registration-machine.ts";
import { type RegistrationDocument, registrationCollection } from "./registration-store.ts";

let world: ServerWorld;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world, { query: ["lt=1000", "lwm2m=1.1"] });
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
});

const stored = async (): Promise<RegistrationDocument> => {
  const found = await world.until(world.store.collection<RegistrationDocument>(registrationCollection).findOne({ _id: "dev-1" }));
  assert.ok(found);
  return found;
};
const live = async () => (await world.until(world.server.registrations.find("dev-1"))) !== undefined;

describe("LwM2M Core 1.1 §6.2.2: the lifetime starts again with each Update, to the millisecond", () => {
  test("an Update in the first half of the lifetime leaves the index alone; expiry is on time all the same", async () => {
    await device.register();
    const first = await stored();
    await world.clock.advance(400_000);
    await device.update();
    const second = await stored();
    assert.equal(second.expiresAt, first.expiresAt, "the indexed field moved");
    assert.equal((await world.until(world.server.registrations.find("dev-1")))?.expiresAt, second.updatedAt + 1_000_000);
    await world.clock.advance(999_000);
    assert.equal(await live(), true, "the early look ended it");
    assert.equal((await stored()).expiresAt, second.updatedAt + 1_000_000, "the look did not move on");
    await world.clock.advance(1_100);
    assert.equal(await live(), false);
    assert.equal((await world.eventTypes("dev-1")).filter((type) => type === "device.expired").length, 1);
  });

  test("one in the second half moves it, so that no look is needed in between", async () => {
    await device.register();
    await world.clock.advance(600_000);
    await device.update();
    const { expiresAt, updatedAt } = await stored();
    assert.equal(expiresAt, updatedAt + 1_000_000);
  });

  test("a shorter lifetime, and one that never ends, move it at once", async () => {
    await device.register();
    await device.update(["lt=60"]);
    await world.clock.advance(30_000);
    assert.equal(codeOf(await device.update(["lt=0"])), "2.04");
    assert.equal((await stored()).expiresAt, null);
    await world.clock.advance(86_400_000);
    assert.equal(await live(), true);
    await device.update(["lt=60"]);
    await world.clock.advance(60_100);
    assert.equal(await live(), false);
  });

  test("what an earlier version stored has only the indexed time, and ends by it", async () => {
    await device.register();
    await world.until(
      world.store.collection(registrationCollection).updateOne({ _id: "dev-1" }, { $unset: { endsAt: true }, $inc: { rev: 1 } }),
    );
    const { expiresAt } = await stored();
    assert.equal((await world.until(world.server.registrations.find("dev-1")))?.expiresAt, expiresAt);
    await world.clock.advance(1_000_100);
    assert.equal(await live(), false);
  });
});

const alarms: readonly { what: string; alarmAt: number | null; expiresAt: number | null; expected: number | null }[] = [
  { what: "none before", alarmAt: null, expiresAt: 2_000, expected: 2_000 },
  { what: "far away", alarmAt: 1_900, expiresAt: 2_000, expected: 1_900 },
  { what: "half of what is left", alarmAt: 1_500, expiresAt: 2_000, expected: 1_500 },
  { what: "nearer than half", alarmAt: 1_499, expiresAt: 2_000, expected: 2_000 },
  { what: "after the end", alarmAt: 2_001, expiresAt: 2_000, expected: 2_000 },
  { what: "never ends", alarmAt: 1_500, expiresAt: null, expected: null },
];
for (const { what, alarmAt, expiresAt, expected } of alarms) {
  test(`the alarm of a registration, ${what}: never after its end`, () => assert.equal(alarmOf(alarmAt, expiresAt, 1_000), expected));
}
