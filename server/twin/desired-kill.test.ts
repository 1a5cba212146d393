import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Operation } from "../operations/operation.ts";
import { type Kill, KillTally, killsOf, Mortal } from "../testing/kills.ts";
import { bytes, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { DesiredEdit } from "./desired-edit.ts";

interface Course {
  /** What the device has in the end. */
  readonly has: ReadonlyMap<string, unknown>;
  readonly wishes: readonly unknown[];
  readonly stillOpen: number;
  /** Most writes of one resource that were open at once. */
  readonly mostOpen: number;
  readonly writes: readonly string[];
  readonly events: readonly string[];
  readonly storeWrites: number;
  readonly wasKilled: boolean;
}

const timezone = "/3/0/15";
const offset = "/3/0/14";
const by = { actor: "test", traceId: "0".repeat(32) };
const mostTries = 5;

/**
 * A device asleep: two wishes, then another value for one and none for the other; it wakes up, gets what is wished, and later reports
 * something else, which is written over. The server dies at one write and comes back two seconds later; whoever had no answer asks again.
 */
async function run(kill: Kill | undefined): Promise<Course> {
  const world = await ServerWorld.open();
  const device = new ScriptedDevice(world, { query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
  const has = new Map<string, unknown>();
  for (const path of [timezone, offset]) {
    device.answers.set(`PUT ${path}`, ({ payload }) => {
      has.set(path, JSON.parse(new TextDecoder().decode(payload))[0].vs);
      return { code: ResponseCode.changed };
    });
  }
  await device.register();
  await world.clock.advance(94_000);
  const mortal = new Mortal(world, kill);
  let mostOpen = 0;
  const openWrites = async (): Promise<readonly Operation[]> =>
    world.until(world.server.operations.list({ endpoint: "dev-1", open: true, limit: 100 }));
  const look = async (): Promise<void> => {
    await world.clock.advance(500);
    await mortal.revive();
    const paths = (await openWrites()).map(({ path }) => path);
    mostOpen = Math.max(mostOpen, ...paths.map((path) => paths.filter((other) => other === path).length));
  };
  const insist = async (attempt: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < mostTries; tries += 1) {
      const isDone = await attempt().catch(() => false);
      await look();
      if (isDone) return;
    }
    assert.fail(`not done after ${mostTries} tries`);
  };
  const change = (edit: DesiredEdit) => insist(async () => (await world.until(world.server.desired.change("dev-1", edit, by))).ok);
  const contact = () => insist(async () => (await device.update()).code === ResponseCode.changed);

  await change({ mode: "replace", values: { [timezone]: "CET", [offset]: "+01:00" } });
  await change({ mode: "merge", values: { [timezone]: "EET", [offset]: null } });
  await contact();
  for (let passed = 0; passed < 20; passed += 1) await look();
  has.set(timezone, "own");
  await insist(async () => {
    const payload = bytes(`[{"n":"${timezone}","vs":"own"}]`);
    const sent = await device.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload });
    return sent.code === ResponseCode.changed;
  });
  for (let passed = 0; passed < 20; passed += 1) await look();
  const storeWrites = mortal.writes;
  // The first sign of life after a kill makes good what it left.
  await contact();
  for (let passed = 0; passed < 20; passed += 1) await look();
  const desired = await world.until(world.server.desired.find("dev-1"));
  const events = (await world.eventsOf("dev-1")).filter(({ type }) => type.startsWith("twin.")).map(({ type }) => type);
  const course: Course = {
    has,
    wishes: Object.entries(desired?.wishes ?? {}).map(([path, { value, state }]) => [path, value, state.kind]),
    stillOpen: (await openWrites()).length + Object.keys(desired?.writes ?? {}).length,
    mostOpen,
    writes: device.asked.filter((line) => line.startsWith("PUT")),
    events,
    storeWrites,
    wasKilled: mortal.wasKilled,
  };
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  return course;
}

/** Whatever was lost on the way: the device ends with what is wished, once and for all. */
function assertMet({ has, wishes, stillOpen, mostOpen, writes }: Course): void {
  assert.deepEqual(wishes, [[timezone, "EET", "held"]]);
  assert.equal(has.get(timezone), "EET");
  assert.deepEqual([stillOpen, mostOpen], [0, 1]);
  assert.ok(!writes.includes(`PUT ${offset}`), "a wish that was taken back while the device slept was written");
}

const undisturbed = await run(undefined);

test("wishes without a kill: two writes, each difference and its end told", () => {
  assertMet(undisturbed);
  assert.deepEqual(undisturbed.writes, [`PUT ${timezone}`, `PUT ${timezone}`]);
  assert.deepEqual(undisturbed.events, [
    ...["twin.diverged", "twin.diverged", "twin.diverged", "twin.converged"],
    ...["twin.diverged", "twin.converged"],
  ]);
});

const tally = new KillTally();
after(() => tally.assertMost());

for (const kill of killsOf(undisturbed.storeWrites, 3)) {
  test(`killed ${kill.moment} write ${kill.nth} of what is wished: the device has it all the same, by one open write at a time`, async () => {
    const course = await run(kill);
    tally.note(course);
    assertMet(course);
    assert.equal(course.events.at(-1), "twin.converged");
    // A kill between a write and the news of it has it done again: a Write may be (RFC 7252 §5.1: PUT is idempotent).
    assert.ok(course.writes.length <= undisturbed.writes.length + 1, course.writes.join(", "));
  });
}
