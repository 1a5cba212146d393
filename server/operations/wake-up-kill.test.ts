/** Exchanges that carry several operations, and the server dead before or after each write of the wake-up. `KILLS=all` tries each one. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { type Kill, KillTally, killsOf, Mortal } from "../testing/kills.ts";
import { content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { Operation, OperationRequest } from "./operation.ts";

const changed = { code: ResponseCode.changed };
const battery = "/3/0/9";
const temperature = "/3303/0/5700";
const reboot = "POST /3/0/4";
const requests: readonly OperationRequest[] = [
  { kind: "read", path: battery },
  { kind: "write", path: "/3/0/14", value: "+02:00" },
  { kind: "read", path: temperature },
  { kind: "write", path: "/3/0/15", value: "UTC" },
  { kind: "execute", path: "/3/0/4" },
];

interface Course {
  readonly operations: readonly Operation[];
  readonly asked: readonly string[];
  /** Of each operation its events, in the order of the operations. */
  readonly events: readonly (readonly string[])[];
  readonly known: readonly unknown[];
  /** Of the wake-up. */
  readonly writes: number;
  readonly wasKilled: boolean;
}

/** One wake-up with everything in the queue; the server dies in it and comes back two seconds later. The device wakes twice a minute. */
async function run(kill?: Kill): Promise<Course> {
  const world = await ServerWorld.open();
  const device = new ScriptedDevice(world, { query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
  device.answers.set("FETCH /", content(`[{"n":"${battery}","v":87},{"n":"${temperature}","v":21.5}]`));
  device.answers.set(`GET ${battery}`, senmlValue(battery, 87));
  device.answers.set(`GET ${temperature}`, senmlValue(temperature, 21.5));
  for (const line of ["POST /3/0", "PUT /3/0/14", "PUT /3/0/15", reboot]) device.answers.set(line, changed);
  await device.register();
  await world.clock.advance(94_000);
  const ids: string[] = [];
  for (const request of requests) {
    const outcome = await world.create("dev-1", request);
    assert.ok(outcome.ok);
    ids.push(outcome.operation._id);
  }
  await world.clock.advance(1_000);
  const mortal = new Mortal(world, kill);
  let writes = 0;
  for (let contact = 0; contact < 14; contact += 1) {
    void device.request({ method: 2, path: device.location });
    await world.clock.advance(15_000);
    if (contact === 0) writes = mortal.writes;
    await mortal.revive();
    await world.clock.advance(15_000);
  }
  const operations = await Promise.all(ids.map(async (id) => (await world.until(world.server.operations.find(id))) ?? assert.fail(id)));
  const logged = await world.eventsOf("dev-1");
  assert.equal(new Set(logged.map(({ sourceKey }) => sourceKey)).size, logged.length, "an event is there twice");
  const events = ids.map((id) => logged.filter(({ data }) => Reflect.get(Object(data), "operationId") === id).map(({ type }) => type));
  const twin = await world.until(world.server.twins.find("dev-1"));
  const known = [battery, temperature, "/3/0/14", "/3/0/15"].map((path) => twin?.values[path]?.value);
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  return { operations, asked: [...device.asked], events, known, writes, wasKilled: mortal.wasKilled };
}

const undisturbed = await run();

test("without a kill: three exchanges, everything succeeds", () => {
  assert.deepEqual(undisturbed.asked, ["FETCH /", "POST /3/0", reboot]);
  assert.deepEqual(
    undisturbed.operations.map(({ status }) => status),
    Array(5).fill("succeeded"),
  );
});

const tally = new KillTally();
after(() => tally.assertMost());

for (const kill of killsOf(undisturbed.writes, 3)) {
  test(`killed ${kill.moment} write ${kill.nth} of a wake-up: each operation ends once and is told once, the Execute leaves once at most`, async () => {
    const course = await run(kill);
    const { operations, asked, events, known } = course;
    tally.note(course);
    for (const [index, { kind, status, reason, open }] of operations.entries()) {
      const isUnknown = kind === "execute" && status === "failed" && reason === "outcome-unknown";
      assert.ok(!open && (status === "succeeded" || isUnknown), `${kind} ${status} ${reason}`);
      const ends = (events[index] ?? []).filter((type) => /^operation\.(succeeded|failed|expired|cancelled)$/.test(type));
      assert.equal(ends.length, 1, `${kind}: ${events[index]?.join()}`);
      assert.equal((events[index] ?? []).filter((type) => type === "operation.sent").length, 1, `${kind}: ${events[index]?.join()}`);
    }
    assert.ok(asked.filter((line) => line === reboot).length <= 1, asked.join());
    assert.deepEqual(known, [87, 21.5, "+02:00", "UTC"]);
  });
}
