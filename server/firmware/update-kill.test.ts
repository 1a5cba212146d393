import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FirmwareDevice } from "../testing/firmware-device.ts";
import { type Kill, KillTally, killsOf, Mortal } from "../testing/kills.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { type FirmwareUpdate, finalStates } from "./update.ts";

const image = new Uint8Array(3_000).map((_, index) => index % 251);
/** Virtual milliseconds in which an update that meets one kill is over. */
const longEnoughMs = 1_200_000;

interface Course {
  readonly update: FirmwareUpdate | undefined;
  readonly executes: number;
  readonly ends: number;
  readonly fetched: Uint8Array | undefined;
  readonly version: string;
  readonly writes: number;
  readonly wasKilled: boolean;
}

async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** One whole update; the server dies at one write after the order and comes back two seconds later. */
async function run(kill: Kill | undefined): Promise<Course> {
  const world = await ServerWorld.open();
  const device = new FirmwareDevice(world);
  await device.device.register();
  await world.clock.advance(1_000);
  const added = await world.until(world.server.packages.add({ name: "sensor", version: "2.0", createdBy: "test" }, inOne(image)));
  assert.ok(added.ok);
  const order = { endpoint: "dev-1", package: added.package, actor: "test", traceId: "0".repeat(32) };
  const mortal = new Mortal(world, kill);
  const started = await world.until(world.server.updates.start(order)).catch(() => undefined);
  let writes = 0;
  let update: FirmwareUpdate | undefined;
  for (let passed = 0; passed < longEnoughMs && (update?.active ?? true); passed += 500) {
    await world.clock.advance(500);
    await mortal.revive();
    [update] = await world.until(world.server.updates.page("dev-1", 2));
    // The order itself was never durable, and nobody was told that it is.
    if (update === undefined && started === undefined) break;
    writes = mortal.writes;
  }
  await world.clock.advance(120_000);
  const events = await world.eventsOf("dev-1");
  const states: readonly string[] = finalStates;
  const ends = events.filter(({ type, data }) => type === "update.changed" && states.includes(Reflect.get(Object(data), "state")));
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  const { executes, image: fetched, version } = device;
  return { update, executes: executes.length, ends: ends.length, fetched, version, writes, wasKilled: mortal.wasKilled };
}

const undisturbed = await run(undefined);

test("an update without a kill: succeeded, one Execute, one end", () => {
  assert.equal(undisturbed.update?.state, "succeeded");
  assert.deepEqual([undisturbed.executes, undisturbed.ends], [1, 1]);
});

const tally = new KillTally();
after(() => tally.assertMost());

// An odd stride, so that every kind of write has its turn at both of its moments.
for (const kill of killsOf(undisturbed.writes, 9)) {
  test(`killed ${kill.moment} write ${kill.nth} of an update: succeeded all the same, exactly one Execute and one end`, async () => {
    const course = await run(kill);
    const { update, executes, ends, fetched, version } = course;
    tally.note(course);
    if (update === undefined) {
      assert.deepEqual([kill, executes, ends], [{ nth: 1, moment: "before" }, 0, 0]);
      return;
    }
    assert.equal(update.state, "succeeded", `${update.state} ${update.detail}`);
    assert.deepEqual([executes, ends, version], [1, 1, "2.0"]);
    assert.deepEqual(fetched, image);
  });
}
