import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Json } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { bytes, codeOf, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];
const written = "PUT /1/0/23";
/** Longer than the device listens. */
const sleepMs = 100_000;

let world: ServerWorld;
let rest: Rest;
let devices: ScriptedDevice[];

beforeEach(async () => {
  world = await ServerWorld.open();
  rest = restOf(world);
  devices = [];
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  for (const device of devices) await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

async function device(endpoint: string, query: readonly string[] = sleepy, links?: string): Promise<ScriptedDevice> {
  const address = { address: `10.0.3.${devices.length + 2}`, port: 56_830 };
  const made = new ScriptedDevice(world, { endpoint, address, query, ...(links === undefined ? {} : { links }) });
  made.answers.set(written, { code: ResponseCode.changed });
  made.answers.set("PUT /1/4/23", { code: ResponseCode.changed });
  devices.push(made);
  await made.register();
  return made;
}

/** As the device reads them: SenML JSON, in which its links say it is spoken to. */
const valuesWritten = (made: ScriptedDevice): readonly string[] =>
  made.requests.flatMap(({ method, path, payload }) => {
    if (method !== Method.put) return [];
    const records: unknown = JSON.parse(Buffer.from(payload).toString());
    assert.ok(Array.isArray(records));
    return [`/${path.join("/")} ${at(records, 0, "vb")}`];
  });
const stateOf = async (endpoint: string): Promise<Json | undefined> => at((await rest("GET", `/devices/${endpoint}/send`)).body, "state");

async function group(body: Json): Promise<string> {
  const created = await rest("POST", "/groups", { body });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  return String(at(created.body, "id"));
}

describe("LwM2M Core 1.1 appendix E.2, resource 23 (Mute Send)", () => {
  test("of a device that sleeps: written when it wakes, shown until then and after", async () => {
    const meter = await device("meter");
    assert.equal(await stateOf("meter"), "none");
    await world.clock.advance(sleepMs);
    const { status, body } = await rest("PUT", "/devices/meter/send", { body: { send: "on" } });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([at(body, "send"), at(body, "from"), at(body, "path"), at(body, "state")], ["on", "device", "/1/0/23", "pending"]);
    const diff = await rest("GET", "/devices/meter/twin/diff");
    assert.deepEqual(
      [at(diff.body, "items", 0, "path"), at(diff.body, "items", 0, "desired"), at(diff.body, "items", 0, "why", "code")],
      ["/1/0/23", false, "waiting-for-wake-up"],
    );
    assert.deepEqual(meter.asked, []);
    await meter.update();
    await world.clock.advance(1_000);
    assert.deepEqual(valuesWritten(meter), ["/1/0/23 false"]);
    assert.equal(await stateOf("meter"), "held");
    await rest("PUT", "/devices/meter/send", { body: { send: "off" } });
    await world.clock.advance(1_000);
    assert.deepEqual(valuesWritten(meter), ["/1/0/23 false", "/1/0/23 true"]);
    const cleared = await rest("DELETE", "/devices/meter/send");
    assert.deepEqual([at(cleared.body, "send"), at(cleared.body, "state")], [null, "none"]);
    assert.deepEqual(at((await rest("GET", "/devices/meter/twin/desired")).body, "values"), [], "what nobody wishes is not kept");
  });

  test("of a group: members now and later; a device's own setting comes first, what somebody wished in the twin stays", async () => {
    const [first, second, third] = [await device("a"), await device("b"), await device("c")];
    const id = await group({ name: "meters", members: ["a", "c"] });
    await rest("PUT", "/devices/c/twin/desired", { body: { values: { "/1/0/23": true } } });
    const set = await rest("PUT", `/groups/${id}/send`, { body: { send: "on" } });
    assert.deepEqual([set.status, at(set.body, "send")], [200, "on"]);
    await world.clock.advance(1_000);
    assert.deepEqual([valuesWritten(first), valuesWritten(second), valuesWritten(third)], [["/1/0/23 false"], [], ["/1/0/23 true"]]);
    assert.deepEqual([await stateOf("a"), await stateOf("b"), await stateOf("c")], ["held", "none", "overruled"]);
    await rest("PATCH", `/groups/${id}`, { body: { add: ["b"] } });
    await rest("PUT", "/devices/a/send", { body: { send: "off" } });
    await world.clock.advance(1_000);
    assert.deepEqual([valuesWritten(first).at(-1), valuesWritten(second)], ["/1/0/23 true", ["/1/0/23 false"]]);
    assert.equal((await rest("DELETE", `/groups/${id}`)).status, "conflict");
    await rest("PATCH", `/groups/${id}`, { body: { remove: ["b"] } });
    await world.clock.advance(1_000);
    assert.equal(await stateOf("b"), "none");
    assert.deepEqual(at((await rest("GET", "/devices/b/twin/desired")).body, "values"), []);
    await rest("DELETE", `/groups/${id}/send`);
    await world.clock.advance(1_000);
    assert.equal(at((await rest("GET", `/groups/${id}/send`)).body, "send"), null);
    assert.deepEqual([await stateOf("a"), await stateOf("c")], ["held", "none"]);
    assert.equal((await rest("DELETE", `/groups/${id}`)).status, 204);
  });

  test("a group's setting after a kill: who had not been looked at is, at the start or when it registers", async () => {
    const meter = await device("meter");
    await world.clock.advance(sleepMs);
    const id = await group({ name: "all", query: {} });
    await rest("PUT", `/groups/${id}/send`, { body: { send: "on" } });
    await world.kill();
    await world.start();
    rest = restOf(world);
    await world.clock.advance(1_000);
    await meter.restart();
    await meter.register();
    await world.clock.advance(1_000);
    assert.deepEqual(valuesWritten(meter), ["/1/0/23 false"]);
    const later = await device("later");
    await world.clock.advance(1_000);
    assert.deepEqual(valuesWritten(later), ["/1/0/23 false"]);
  });

  test("which Server object: the only one, or the one that is named; 1.0 has no Send", async () => {
    const several = await device("several", sleepy, '</>;rt="oma.lwm2m";ct=110,</1/0>,</1/4>,</3/0>');
    await device("old", ["lt=86400", "b=UQ"]);
    await device("none", sleepy, "</3/0>");
    for (const endpoint of ["several", "old", "none"]) await rest("PUT", `/devices/${endpoint}/send`, { body: { send: "on" } });
    assert.deepEqual(
      [await stateOf("several"), await stateOf("old"), await stateOf("none")],
      ["several-server-objects", "not-in-version", "no-server-object"],
    );
    await rest("PUT", "/devices/several/send", { body: { send: "on", instance: 4 } });
    await world.clock.advance(1_000);
    assert.deepEqual([valuesWritten(several), await stateOf("several")], [["/1/4/23 false"], "held"]);
    await rest("POST", "/devices", { body: { endpoint: "expected" } });
    await rest("PUT", "/devices/expected/send", { body: { send: "on" } });
    assert.equal(await stateOf("expected"), "unregistered");
    assert.equal((await rest("PUT", "/devices/nobody/send", { body: { send: "on" } })).status, "device-unknown");
    assert.equal((await rest("GET", "/groups/01M7ZR13PD6KPKGW7VYG8C0NP0/send")).status, "not-found");
  });

  test("a Send of a device that is muted is taken all the same (LwM2M Core 1.1 §6.4.6)", async () => {
    const meter = await device("meter");
    await rest("PUT", "/devices/meter/send", { body: { send: "off" } });
    await world.clock.advance(1_000);
    assert.equal(await stateOf("meter"), "held");
    const payload = bytes('[{"n":"/3303/0/5700","v":21.5}]');
    const sent = await meter.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload });
    assert.equal(codeOf(sent), "2.04");
    const known = await rest("GET", "/devices/meter/resources/3303/0/5700");
    assert.equal(at(known.body, "values", 0, "value"), 21.5);
  });
});
