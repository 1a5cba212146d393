import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FirmwareDevice } from "../testing/firmware-device.ts";
import { ServerWorld, serverAddress } from "../testing/server-world.ts";
import { type FirmwareUpdate, finalStates } from "./update.ts";

const image = new Uint8Array(3_000).map((_, index) => index % 251);
/** Virtual milliseconds in which an update that meets one kill is over. */
const longEnoughMs = 1_200_000;

interface Kill {
  readonly nth: number;
  readonly moment: "before" | "after";
}

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
  const before = world.store.writes;
  let isDead = false;
  if (kill !== undefined) {
    // Nothing that a dead process had not handed to the network before leaves it.
    world.store.dieAtWrite(before + kill.nth, kill.moment, () => {
      isDead = true;
      world.network.filter = ({ from }) => from.port !== serverAddress.port;
    });
  }
  const started = await world.until(world.server.updates.start(order)).catch(() => undefined);
  let writes = 0;
  let update: FirmwareUpdate | undefined;
  let wasKilled = false;
  for (let passed = 0; passed < longEnoughMs && (update?.active ?? true); passed += 500) {
    await world.clock.advance(500);
    if (isDead) {
      isDead = false;
      wasKilled = true;
      await world.kill();
      await world.clock.advance(2_000);
      world.network.filter = () => true;
      await world.start();
    }
    [update] = await world.until(world.server.updates.page("dev-1", 2));
    // The order itself was never durable, and nobody was told that it is.
    if (update === undefined && started === undefined) break;
    writes = world.store.writes - before;
  }
  await world.clock.advance(120_000);
  const events = await world.eventsOf("dev-1");
  const states: readonly string[] = finalStates;
  const ends = events.filter(({ type, data }) => type === "update.changed" && states.includes(Reflect.get(Object(data), "state")));
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  return { update, executes: device.executes.length, ends: ends.length, fetched: device.image, version: device.version, writes, wasKilled };
}

const undisturbed = await run(undefined);

test("an update without a kill: succeeded, one Execute, one end", () => {
  assert.equal(undisturbed.update?.state, "succeeded");
  assert.deepEqual([undisturbed.executes, undisturbed.ends], [1, 1]);
});

/** Each write has two moments; one in this many is tried, so that every kind of write has its turn and the suite stays quick. */
const stride = 9;
const kills = Array.from({ length: undisturbed.writes }, (_, index) => index + 1)
  .flatMap((nth): Kill[] => [
    { nth, moment: "before" },
    { nth, moment: "after" },
  ])
  .filter((_, index) => index % stride === 0);

let killed = 0;
after(() => assert.ok(killed > kills.length / 2, `the server was killed ${killed} times only, of ${kills.length}`));

for (const kill of kills) {
  test(`killed ${kill.moment} write ${kill.nth} of an update: succeeded all the same, exactly one Execute and one end`, async () => {
    const { update, executes, ends, fetched, version, wasKilled } = await run(kill);
    if (wasKilled) killed += 1;
    if (update === undefined) {
      assert.deepEqual([kill, executes, ends], [{ nth: 1, moment: "before" }, 0, 0]);
      return;
    }
    assert.equal(update.state, "succeeded", `${update.state} ${update.detail}`);
    assert.deepEqual([executes, ends, version], [1, 1, "2.0"]);
    assert.deepEqual(fetched, image);
  });
}
