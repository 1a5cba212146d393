import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { findInstant } from "@lwm2m/protocol/platform/instant";
import type { Json } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { StandingDevice } from "./standing.ts";

const path = "/3303/0/5700";
const ask = `GET ${path} observe 0`;
const cancel = `GET ${path} observe 1`;
const minuteMs = 60_000;

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

async function register(endpoint: string, query: readonly string[] = ["lt=864000", "lwm2m=1.1", "b=U"]): Promise<ScriptedDevice> {
  const address = { address: `10.0.2.${devices.length + 2}`, port: 56_830 };
  const device = new ScriptedDevice(world, { endpoint, address, query });
  device.answers.set(`GET ${path}`, senmlValue(path, 20.5));
  devices.push(device);
  await device.register();
  return device;
}

async function post(body: Json): Promise<string> {
  const created = await rest("POST", "/observations", { body });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  await world.clock.advance(1_000);
  return String(at(created.body, "id"));
}

async function group(body: Json): Promise<string> {
  const created = await rest("POST", "/groups", { body });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  return String(at(created.body, "id"));
}

const deviceOf = async (id: string, endpoint: string): Promise<StandingDevice | undefined> =>
  (await world.until(world.server.standings.devices(id, { limit: 1_000 }))).find((each) => each.endpoint === endpoint);
const stateOf = async (id: string, endpoint: string) => (await deviceOf(id, endpoint))?.state;
const statesOf = async (id: string) =>
  (await world.until(world.server.standings.devices(id, { limit: 1_000 }))).map(({ endpoint, state }) => `${endpoint} ${state}`);
const countsOf = async (id: string) => at((await rest("GET", `/observations/${id}`)).body, "devices");
async function restart(): Promise<void> {
  await world.kill();
  await world.start();
  rest = restOf(world);
  await world.clock.advance(1_000);
}

describe("of one device", () => {
  test("LwM2M Core 1.1 §6.4.1: asked once, shown and counted; over our restart its token goes on, and nothing is asked again", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path: "temperature/0/sensorValue" });
    assert.deepEqual(device.asked, [ask]);
    const shown = await rest("GET", `/observations/${id}`);
    assert.deepEqual(
      [at(shown.body, "kind"), at(shown.body, "path"), at(shown.body, "restore"), at(shown.body, "state")],
      ["standing", path, "always", "standing"],
    );
    assert.deepEqual(at(shown.body, "devices"), { pending: 0, active: 1, refused: 0, unsupported: 0, ended: 0, leaving: 0 });
    await restart();
    assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 21))), { ok: true });
    assert.deepEqual(device.asked, [ask]);
    const all = await rest("GET", "/observations?endpoint=a");
    assert.deepEqual(
      [at(all.body, "items", 0, "id"), at(all.body, "items", 0, "standing", 0), at(all.body, "items", 1, "id")],
      [`${path}@a`, id, id],
    );
    const told = (await world.eventsOf(id)).map(({ type }) => type);
    assert.deepEqual(told, ["observation.created"]);
    assert.ok((await world.eventTypes("a")).includes("observation.started"));
  });

  test("registers anew: asked anew, one relation; gone: waits for it", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path });
    const before = await world.until(world.server.observations.find("a", path));
    await device.restart();
    await device.register();
    await world.clock.advance(1_000);
    assert.deepEqual(device.asked, [ask, ask]);
    const after = await world.until(world.server.observations.find("a", path));
    assert.notEqual(after?.relation?.token, before?.relation?.token);
    await device.deregister();
    await world.clock.advance(100);
    assert.deepEqual(await deviceOf(id, "a").then((each) => [each?.state, each?.reason]), ["pending", "registration"]);
    await device.register();
    await world.clock.advance(1_000);
    assert.deepEqual([await stateOf(id, "a"), device.asked.length], ["active", 3]);
  });

  test("restore never: what was granted ends with its registration, and is shown so", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path, restore: "never" });
    await restart();
    assert.equal(await stateOf(id, "a"), "active", "our restart ends nothing");
    await device.restart();
    await device.register();
    await world.clock.advance(minuteMs);
    assert.deepEqual(await deviceOf(id, "a").then((each) => [each?.state, each?.reason]), ["ended", "registration-ended"]);
    assert.deepEqual(device.asked, [ask]);
    assert.equal((await rest("PATCH", `/observations/${id}`, { body: { restore: "always" } })).status, 200);
    await world.clock.advance(1_000);
    assert.deepEqual([await stateOf(id, "a"), device.asked.length], ["active", 2]);
  });

  test("refused: with its code and when it is tried again; tried then, and at once when the device registers anew", async () => {
    const device = await register("a");
    device.answers.set(`GET ${path}`, { code: ResponseCode.methodNotAllowed });
    const id = await post({ endpoint: "a", path });
    const refused = await rest("GET", `/observations/${id}/devices?state=refused`);
    const [from, to] = [at(refused.body, "items", 0, "since"), at(refused.body, "items", 0, "retryAt")];
    assert.deepEqual([at(refused.body, "items", 0, "coapCode"), at(refused.body, "items", 0, "reason")], ["4.05", "device-rejected"]);
    assert.equal(Math.round(((findInstant(String(to)) ?? 0) - (findInstant(String(from)) ?? 0)) / minuteMs), 10);
    await world.clock.advance(9 * minuteMs);
    assert.equal(device.asked.length, 1);
    await world.clock.advance(2 * minuteMs);
    assert.equal(device.asked.length, 2);
    await world.clock.advance(30 * minuteMs);
    assert.equal(device.asked.length, 2, "an hour, the second time");
    await restart();
    assert.equal(device.asked.length, 2, "kept over our restart");
    device.answers.set(`GET ${path}`, senmlValue(path, 1));
    await device.restart();
    await device.register();
    await world.clock.advance(1_000);
    assert.deepEqual([await stateOf(id, "a"), device.asked.length], ["active", 3]);
    assert.ok((await world.eventTypes("a")).includes("observation.refused"));
  });

  test("RFC 7641 §4.2: an error notification ends the relation; the wish stands and is tried again", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path });
    await world.until(device.notify(path, { code: ResponseCode.notFound }));
    await world.clock.advance(1_000);
    const ended = await deviceOf(id, "a");
    assert.deepEqual([ended?.state, ended?.reason, ended?.coapCode], ["refused", "device-ended", "4.04"]);
    await world.clock.advance(11 * minuteMs);
    assert.deepEqual([await stateOf(id, "a"), device.asked.length], ["active", 2]);
  });

  test("removed: cancelled at the device, then gone; asleep, the device is told at its next notification", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path });
    const removed = await rest("DELETE", `/observations/${id}`);
    assert.deepEqual([removed.status, at(removed.body, "state")], [202, "ending"]);
    await world.clock.advance(3_000);
    assert.deepEqual(device.asked, [ask, cancel]);
    await world.clock.advance(2 * minuteMs);
    assert.equal((await rest("GET", `/observations/${id}`)).status, "not-found");
    assert.equal((await rest("GET", "/observations?endpoint=a")).status, 200);
    assert.deepEqual(at((await rest("GET", "/observations?endpoint=a")).body, "items"), []);

    const sleepy = await register("b", ["lt=864000", "lwm2m=1.1", "b=U", "Q"]);
    const other = await post({ endpoint: "b", path });
    await world.clock.advance(100_000);
    await rest("DELETE", `/observations/${other}`);
    await world.clock.advance(3 * minuteMs);
    assert.equal((await rest("GET", `/observations/${other}`)).status, "not-found");
    assert.deepEqual(sleepy.asked, [ask]);
    assert.notDeepEqual(await world.until(sleepy.notify(path, senmlValue(path, 3))), { ok: true }, "RFC 7641 §3.6: refused");
  });

  test("asleep: pending until it wakes, says so, and is asked at its next sign of life", async () => {
    const device = await register("a", ["lt=864000", "lwm2m=1.1", "b=U", "Q"]);
    await world.clock.advance(100_000);
    const id = await post({ endpoint: "a", path });
    const shown = await rest("GET", `/observations/${id}/devices`);
    assert.deepEqual([at(shown.body, "items", 0, "state"), at(shown.body, "items", 0, "waitingFor", "code")], ["pending", "wake-up"]);
    await restart();
    assert.deepEqual(device.asked, []);
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual([device.asked, await stateOf(id, "a")], [[ask], "active"]);
  });

  test("LwM2M Core 1.2 §5.1.2: other attributes: cancelled and asked anew; at a 1.1 device those that are over are removed", async () => {
    const device = await register("a");
    for (const query of ["pmin=5&gt=30", "pmin=10&gt"]) device.answers.set(`PUT ${path}?${query}`, { code: ResponseCode.changed });
    const id = await post({ endpoint: "a", path, attributes: { pmin: 5, gt: 30 } });
    await rest("PATCH", `/observations/${id}`, { body: { attributes: { pmin: 10 } } });
    await world.clock.advance(1_000);
    assert.deepEqual(device.asked, [`PUT ${path}?pmin=5&gt=30`, ask, cancel, `PUT ${path}?pmin=10&gt`, ask]);
    assert.equal(await stateOf(id, "a"), "active");
    await world.clock.advance(minuteMs);
    assert.equal(device.asked.length, 5, "and then it is as wished");
  });

  test("an operation cancels it there until the device registers anew; two wishes of one target are one relation", async () => {
    const device = await register("a");
    const first = await post({ endpoint: "a", path });
    const second = await post({ endpoint: "a", path, attributes: { pmin: 3 } });
    assert.deepEqual([device.asked, await stateOf(first, "a"), await stateOf(second, "a")], [[ask], "active", "active"]);
    await rest("DELETE", `/observations/${second}`);
    await world.clock.advance(1_000);
    assert.deepEqual([device.asked, await stateOf(first, "a")], [[ask], "active"]);
    await world.carryOut("a", { kind: "cancelObserve", path });
    await world.clock.advance(minuteMs);
    assert.deepEqual(await deviceOf(first, "a").then((each) => [each?.state, each?.reason]), ["ended", "cancelled"]);
    await device.register();
    await world.clock.advance(1_000);
    assert.deepEqual([device.asked, await stateOf(first, "a")], [[ask, cancel, ask], "active"]);
  });

  test("an observe operation and a standing one: one relation, which outlives either", async () => {
    const device = await register("a");
    await world.carryOut("a", { kind: "observe", path });
    const id = await post({ endpoint: "a", path });
    assert.deepEqual([device.asked, await stateOf(id, "a")], [[ask], "active"]);
    await rest("DELETE", `/observations/${id}`);
    await world.clock.advance(3 * minuteMs);
    assert.deepEqual(device.asked, [ask]);
    assert.equal((await world.until(world.server.observations.find("a", path)))?.state, "active");
  });

  test("what the device's version or objects do not have is unsupported, and asked when they have", async () => {
    const device = await register("a", ["lt=864000", "lwm2m=1.0", "b=U"]);
    const composite = await post({ endpoint: "a", paths: [path, "/3/0/9"] });
    const edge = await post({ endpoint: "a", path: "/3342/0/5500", attributes: { edge: 1 } });
    const other = await post({ endpoint: "a", path: "/3304/0/5700" });
    assert.deepEqual(
      [await deviceOf(composite, "a"), await deviceOf(edge, "a"), await deviceOf(other, "a")].map((each) => [each?.state, each?.reason]),
      [
        ["unsupported", "not-in-device-version"],
        ["unsupported", "path-not-in-model"],
        ["unsupported", "path-not-in-model"],
      ],
    );
    assert.deepEqual(device.asked, []);
    device.answers.set("GET /3304/0/5700", senmlValue("/3304/0/5700", 55));
    await device.update([], '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>,</3304/0>');
    await world.clock.advance(1_000);
    assert.deepEqual([device.asked, await stateOf(other, "a")], [["GET /3304/0/5700 observe 0"], "active"]);
    device.answers.set("FETCH /", content(`[{"n":"/3/0/9","v":55},{"n":"${path}","v":20.5}]`));
    await device.register({ query: ["lt=864000", "lwm2m=1.1", "b=U"] });
    await world.clock.advance(1_000);
    assert.equal(await stateOf(composite, "a"), "active");
  });

  test("deleted with the device; strict bodies", async () => {
    await register("a");
    const id = await post({ endpoint: "a", path });
    assert.equal((await rest("DELETE", "/devices/a")).status, 204);
    await world.clock.advance(2 * minuteMs);
    assert.equal((await rest("GET", `/observations/${id}`)).status, "not-found");
    await register("b");
    for (const [body, problem] of [
      [{ path }, "bad-request"],
      [{ endpoint: "b", group: "x", path }, "bad-request"],
      [{ endpoint: "b", path, paths: [path] }, "bad-request"],
      [{ endpoint: "b" }, "bad-request"],
      [{ endpoint: "b", path, colour: 1 }, "bad-request"],
      [{ endpoint: "b", path, attributes: { pmin: null } }, "bad-request"],
      [{ endpoint: "nobody", path }, "device-unknown"],
      [{ group: "01H00000000000000000000000", path }, "not-found"],
      [{ endpoint: "b", path: "no/such/name" }, "path-not-in-model"],
      [{ endpoint: "b", path: "/3/0/4" }, "operation-not-allowed"],
      [{ endpoint: "b", path, attributes: { lt: 5, gt: 1 } }, "value-type-mismatch"],
      [{ endpoint: "b", path, attributes: { colour: 1 } }, "value-type-mismatch"],
    ] as const)
      assert.equal((await rest("POST", "/observations", { body: body as Json })).status, problem, JSON.stringify(body));
  });
});

describe("of a group", () => {
  test("every member; those who join are asked, those who leave are cancelled; it cannot be deleted meanwhile", async () => {
    const a = await register("a");
    const b = await register("b");
    const members = await group({ name: "pumps", members: ["a"] });
    const id = await post({ group: members, path });
    assert.deepEqual([a.asked, b.asked, await statesOf(id)], [[ask], [], ["a active"]]);
    await rest("PATCH", `/groups/${members}`, { body: { add: ["b"], remove: ["a"] } });
    await world.clock.advance(3_000);
    assert.deepEqual([a.asked, b.asked, await statesOf(id)], [[ask, cancel], [ask], ["b active"]]);
    assert.equal((await rest("DELETE", `/groups/${members}`)).status, "conflict");
    assert.equal((await rest("DELETE", "/devices/b")).status, 204);
    await world.clock.advance(1_000);
    assert.deepEqual(await statesOf(id), []);
    await rest("DELETE", `/observations/${id}`);
    await world.clock.advance(2 * minuteMs);
    assert.equal((await rest("DELETE", `/groups/${members}`)).status, 204);
  });

  test("by query: by tag, by version; members come and go as they change, also while the server is not there", async () => {
    const a = await register("a");
    const b = await register("b", ["lt=864000", "lwm2m=1.0", "b=U"]);
    const members = await group({ name: "old ones in the north", query: { tags: ["north"], lwm2mVersion: "1.0" } });
    const id = await post({ group: members, path });
    assert.deepEqual(await statesOf(id), []);
    for (const endpoint of ["a", "b"]) await rest("PATCH", `/devices/${endpoint}`, { body: { tags: ["north"] } });
    await world.clock.advance(3_000);
    assert.deepEqual([a.asked, b.asked, await statesOf(id)], [[], [ask], ["b active"]]);
    await b.register({ query: ["lt=864000", "lwm2m=1.1", "b=U"] });
    await a.register({ query: ["lt=864000", "lwm2m=1.0", "b=U"] });
    await world.clock.advance(3_000);
    assert.deepEqual(await statesOf(id), ["a active"]);
    await restart();
    const late = await register("c", ["lt=864000", "lwm2m=1.0", "b=U"]);
    await rest("PATCH", "/devices/c", { body: { tags: ["north"] } });
    await world.clock.advance(3_000);
    assert.deepEqual([late.asked, await statesOf(id)], [[ask], ["a active", "c active"]]);
    assert.deepEqual(await countsOf(id), { pending: 0, active: 2, refused: 0, unsupported: 0, ended: 0, leaving: 0 });
  });

  test("paced over the fleet: 60 devices are asked at 50 a second, after a change of the group and when all register anew", async () => {
    for (let i = 0; i < 60; i += 1) await register(`d-${i}`);
    const times: number[] = [];
    for (const device of devices) {
      device.answers.set(`GET ${path}`, () => {
        times.push(world.clock.now());
        return senmlValue(path, 1);
      });
    }
    const members = await group({ name: "all", query: {} });
    const id = await post({ group: members, path });
    await world.clock.advance(5_000);
    const spread = (): void => {
      assert.equal(times.length, 60);
      for (const time of times)
        assert.ok(times.filter((other) => other >= time && other < time + 1_000).length <= 56, "too many in a second");
    };
    spread();
    assert.equal(at((await countsOf(id)) ?? null, "active"), 60);
    times.length = 0;
    for (const device of devices) await device.restart();
    await world.until(Promise.all(devices.map((device) => device.beginRegister())), 60_000);
    await world.clock.advance(10_000);
    spread();
    const counters = await rest("GET", "/observation-counters");
    assert.deepEqual([at(counters.body, "asked"), at(counters.body, "granted"), at(counters.body, "waiting")], [120, 120, 0]);
  });
});

test("a device that restarts at every Observe: asked three times, then less and less; kept over our restart, forgiven when it is mended", async () => {
  const device = await register("a");
  let broken = true;
  const asked: number[] = [];
  const begunAt = world.clock.now();
  const pending: Promise<unknown>[] = [];
  device.answers.set(`GET ${path}`, () => {
    asked.push(Math.round((world.clock.now() - begunAt) / minuteMs));
    if (broken) {
      // It grants, and is gone a moment later.
      const reboot = (): void => void pending.push(device.restart().then(() => device.beginRegister()));
      world.clock.after(2_000, reboot);
    }
    return senmlValue(path, 1);
  });
  const id = await post({ endpoint: "a", path });
  await world.clock.advance(20 * minuteMs);
  assert.deepEqual(asked, [0, 0, 0, 1, 6], "two restarts are chance; a minute, five minutes, half an hour");
  const waiting = await deviceOf(id, "a");
  assert.deepEqual([waiting?.state, waiting?.reason], ["pending", "restart-loop"]);
  await restart();
  await world.clock.advance(10 * minuteMs);
  assert.equal(asked.length, 5);
  await world.clock.advance(24 * 60 * minuteMs);
  assert.ok(asked.length <= 10, `asked ${asked.length} times in a day`);
  assert.ok((await world.eventTypes("a")).includes("observation.paused"));
  broken = false;
  await world.clock.advance(48 * 60 * minuteMs);
  assert.equal(await stateOf(id, "a"), "active");
  await Promise.all(pending);
});

test("a device that registers anew every two minutes by itself is observed most of the time", async () => {
  const device = await register("a");
  const id = await post({ endpoint: "a", path });
  let active = 0;
  for (let round = 0; round < 30; round += 1) {
    await world.clock.advance(2 * minuteMs);
    if ((await stateOf(id, "a")) === "active") active += 1;
    await device.restart();
    await device.register();
  }
  assert.ok(active >= 15, `active in ${active} of 30 rounds`);
});

for (const moment of ["before", "after"] as const) {
  test(`killed ${moment} each write between the request and the grant: asked for after the restart, one relation, nothing lost`, async () => {
    const ends: string[] = [];
    for (let nth = 1; ; nth += 1) {
      const endpoint = `kill-${moment}-${nth}`;
      const device = await register(endpoint);
      const members = await group({ name: endpoint, members: [endpoint] });
      const id = await post({ group: members, path: "/3/0/9" });
      device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 50));
      await world.clock.advance(11 * minuteMs);
      assert.equal(await stateOf(id, endpoint), "active", "warmed up");
      let died = false;
      world.store.dieAtWrite(world.store.writes + nth, moment, () => {
        died = true;
      });
      const created = await rest("POST", "/observations", { body: { group: members, path } }).catch(() => undefined);
      await world.clock.advance(1_000);
      await restart();
      await world.clock.advance(12 * minuteMs);
      if (created?.status === 201) {
        const made = String(at(created.body, "id"));
        const held = await world.until(world.server.observations.find(endpoint, path));
        ends.push(`${await stateOf(made, endpoint)} ${held?.state}`);
        assert.deepEqual(await world.until(device.notify(path, senmlValue(path, nth))), { ok: true });
      }
      await device.deregister();
      await world.clock.advance(100);
      if (!died) break;
      assert.ok(nth < 40, "there is an end to the writes");
    }
    assert.ok(ends.length > 5, `${ends.length} rounds`);
    assert.deepEqual([...new Set(ends)], ["active active"]);
  });
}
