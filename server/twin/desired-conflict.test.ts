import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Json } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { bytes, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

const path = "/3/0/15";
const desired = "/devices/dev-1/twin/desired";

let world: ServerWorld;
let device: ScriptedDevice;
let rest: Rest;

async function report(value: string, timeMs?: number): Promise<void> {
  const record = { n: path, vs: value, ...(timeMs === undefined ? {} : { t: timeMs / 1_000 }) };
  const payload = bytes(JSON.stringify([record]));
  assert.equal(
    (await device.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload })).code,
    ResponseCode.changed,
  );
  await world.clock.advance(1_000);
}

async function wish(value: string, more: { readonly [field: string]: Json } = {}): Promise<void> {
  assert.equal((await rest("PUT", desired, { body: { values: { [path]: value }, ...more } })).status, 200);
  await world.clock.advance(1_000);
}

const puts = (): number => device.asked.filter((line) => line === `PUT ${path}`).length;
const reported = async (): Promise<unknown> => at((await rest("GET", `/devices/dev-1/resources${path}`)).body, "value");
const reasons = async (): Promise<Json | undefined> => {
  const items = at((await rest("GET", "/devices/dev-1/twin/diff")).body, "items");
  assert.ok(Array.isArray(items));
  return items.map((item) => at(item, "why", "code") ?? null);
};

async function news(): Promise<readonly unknown[]> {
  const events = await world.eventsOf("dev-1");
  return events
    .filter(({ type }) => type.startsWith("twin."))
    .map(({ type, data }) =>
      [type.slice(5), at(data, "reason") ?? at(data, "by"), at(data, "resolution")].filter((part) => part !== undefined).join(" "),
    );
}

const firstRound = ["diverged desired", "converged acknowledged"];

describe("a device that had the wished value reports another", () => {
  beforeEach(async () => {
    world = await ServerWorld.open();
    device = new ScriptedDevice(world);
    rest = restOf(world);
    device.answers.set(`PUT ${path}`, { code: ResponseCode.changed });
    device.answers.set(`GET ${path}`, senmlValue(path, "CET"));
    await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
  });

  afterEach(async () => {
    assert.deepEqual(world.server.failures, []);
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  test("server: written again, told as diverged and converged", async () => {
    await wish("CET");
    await report("UTC");
    assert.deepEqual([puts(), await reported(), await reasons()], [2, "CET", []]);
    assert.deepEqual(await news(), [...firstRound, "diverged reported server", "converged acknowledged"]);
  });

  test("server: a device that restarts with other values and reports them has ours again", async () => {
    await wish("CET");
    await device.restart();
    await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
    await report("factory");
    assert.deepEqual([puts(), await reported()], [2, "CET"]);
  });

  test("server: asleep when its report was handled, it gets ours at the next wake-up", async () => {
    await device.register({ query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
    await wish("CET");
    await report("UTC");
    device.answers.delete(`PUT ${path}`);
    assert.equal(puts(), 2);
    await world.clock.advance(94_000);
    device.answers.set(`PUT ${path}`, { code: ResponseCode.changed });
    await rest("PATCH", desired, { body: { values: { [path]: "EET" } } });
    assert.deepEqual(await reasons(), ["waiting-for-wake-up"]);
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual([puts(), await reasons()], [3, []]);
  });

  test("server: after five rewrites within the hour it is left as a conflict, until the value is desired anew or the device reports it", async () => {
    await wish("CET");
    for (let round = 0; round < 10; round += 1) await report(`own ${round}`);
    assert.deepEqual([puts(), await reasons()], [6, ["conflict"]]);
    assert.equal((await news()).at(-1), "diverged reported none");
    await world.clock.advance(7_200_000);
    await report("own again");
    assert.deepEqual([puts(), await reasons()], [6, ["conflict"]], "an hour later too");
    await report("CET");
    assert.deepEqual([puts(), await reasons(), (await news()).at(-1)], [6, [], "converged reported"]);
    await report("own once more");
    assert.deepEqual([puts(), await reasons()], [7, []], "the hour is over");
    for (let round = 0; round < 10; round += 1) await report(`own ${round}`);
    assert.deepEqual([puts(), await reasons()], [11, ["conflict"]]);
    await rest("PATCH", desired, { body: { values: { [path]: "CET" } } });
    await world.clock.advance(1_000);
    assert.deepEqual([puts(), await reasons()], [12, []]);
  });

  test("server: five rewrites an hour for ever, of a device that changes it slowly", async () => {
    await wish("CET");
    for (let hour = 0; hour < 8; hour += 1) {
      await world.clock.advance(900_000);
      await report(`own ${hour}`);
    }
    assert.deepEqual([puts(), await reasons()], [9, []]);
  });

  test("device: the wish follows the report, in a new version, and nothing is written", async () => {
    await wish("CET", { policy: "device" });
    const before = await rest("GET", desired);
    await report("UTC");
    const { body, headers } = await rest("GET", desired);
    assert.deepEqual([at(body, "values", 0, "value"), at(body, "values", 0, "source"), at(body, "version")], ["UTC", "device", 2]);
    assert.notEqual(headers["ETag"], before.headers["ETag"]);
    assert.deepEqual([puts(), await reasons(), at(body, "policyFrom")], [1, [], "device"]);
    assert.deepEqual(await news(), [...firstRound, "diverged reported device", "converged followed"]);
    for (let round = 0; round < 10; round += 1) await report(`own ${round}`);
    assert.deepEqual([puts(), await reasons()], [1, []]);
  });

  test("newest: a report with a later source time than the wish wins, one from before it does not", async () => {
    await report("UTC", world.clock.now() - 60_000);
    await wish("UTC", { policy: "newest" });
    assert.equal(puts(), 0, "the device had it");
    await report("WET", world.clock.now() - 30_000);
    assert.deepEqual([puts(), await reported(), await reasons()], [1, "UTC", []], "taken before the wish: written again");
    await report("EET", world.clock.now());
    assert.deepEqual([puts(), await reasons()], [1, []]);
    assert.equal(at((await rest("GET", desired)).body, "values", 0, "value"), "EET");
  });

  test("a conflict that was left is judged anew under another policy", async () => {
    await wish("CET");
    for (let round = 0; round < 7; round += 1) await report(`own ${round}`);
    assert.deepEqual(await reasons(), ["conflict"]);
    await rest("PATCH", desired, { body: { policy: "device" } });
    await world.clock.advance(1_000);
    assert.deepEqual([await reasons(), at((await rest("GET", desired)).body, "values", 0, "value")], [[], "own 6"]);
  });

  test("a write of somebody else is another value too; a late report changes nothing", async () => {
    await wish("CET");
    await world.carryOut("dev-1", { kind: "write", path, value: "by hand" });
    await world.clock.advance(1_000);
    assert.deepEqual([puts(), await reported()], [3, "CET"]);
    await report("UTC", world.clock.now() - 3_600_000);
    assert.deepEqual([puts(), await reported()], [3, "CET"]);
  });
});
