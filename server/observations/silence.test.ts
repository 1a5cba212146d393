import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { linkProfiles } from "@lwm2m/protocol/coap/link-profiles";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import type { Json } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { longestSilenceMs } from "./silence.ts";
import { SilenceWatch } from "./silence-watch.ts";

const path = "/3303/0/5700";
const ask = `GET ${path} observe 0`;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** EXCHANGE_LIFETIME (RFC 7252 §4.8.2). */
const exchangeMs = 247_000;

describe("how long a relation may stay silent", () => {
  const always = { queueMode: false, lifetimeSeconds: 300 };
  const cases: readonly (readonly [string, Parameters<typeof longestSilenceMs>[0], Parameters<typeof longestSilenceMs>[1], number])[] = [
    ["RFC 7641 §4.5: without a pmax a day", null, always, dayMs],
    ["LwM2M Core 1.1 §5.1.2: twice its pmax, as one notification may be lost", { pmax: 60 }, always, 120_000],
    ["LwM2M Core 1.1 §5.1.2: pmax 0 is none", { pmax: 0 }, always, dayMs],
    ["LwM2M Core 1.1 §5.1.2: a pmax below pmin is ignored", { pmin: 90, pmax: 60 }, always, dayMs],
    ["RFC 7641 §4.5: a day, though pmax is longer", { pmax: 172_800 }, always, dayMs],
    [
      "LwM2M Core 1.1 §6.5: who sleeps says it when it wakes, within its lifetime",
      { pmax: 60 },
      { queueMode: true, lifetimeSeconds: 3_600 },
      3_600_000,
    ],
    ["LwM2M Core 1.1 §6.5: a lifetime of two days", null, { queueMode: true, lifetimeSeconds: 172_800 }, 2 * dayMs],
    ["object 1, resource 1: lifetime 0 is none", null, { queueMode: true, lifetimeSeconds: 0 }, dayMs],
  ];
  for (const [title, attributes, registration, expectedMs] of cases) {
    test(title, () => assert.equal(longestSilenceMs(attributes, registration, linkProfiles.default), expectedMs + exchangeMs));
  }
});

describe("the watch", () => {
  test("one timer for all, one entry for each; what is heard, forgotten or watched anew is not told", async () => {
    const clock = new VirtualClock();
    const told: string[] = [];
    const watch = new SilenceWatch(clock, (id, heardAt) => told.push(`${id} ${(clock.now() - heardAt) / 1_000}`));
    for (let number = 0; number < 1_000; number += 1) watch.watch(`${number}`, dayMs + number);
    watch.watch("short", 600_000);
    assert.deepEqual([watch.size, clock.pendingTimers()], [1_001, 1]);
    await clock.advance(300_000);
    watch.noteHeard("short");
    for (let number = 1; number < 1_000; number += 1) watch.forget(`${number}`);
    watch.watch("0", 3_600_000);
    await clock.advance(599_000);
    assert.deepEqual([told, watch.size], [[], 2]);
    await clock.advance(61_000);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? "", /^short 6[0-5]\d$/);
    await clock.advance(dayMs);
    assert.equal(told.length, 2, "each is told of once");
    assert.match(told[1] ?? "", /^0 36[0-5]\d$/);
    assert.deepEqual([watch.size, clock.pendingTimers()], [0, 0]);
    watch.watch("left", 1_000);
    watch.close();
    assert.equal(clock.pendingTimers(), 0);
  });
});

describe("RFC 7641 §4.5: a relation that stays silent", () => {
  let world: ServerWorld;
  let rest: Rest;
  let device: ScriptedDevice;

  beforeEach(async () => {
    world = await ServerWorld.open();
    rest = restOf(world);
  });

  afterEach(async () => {
    assert.deepEqual(world.server.failures, []);
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  async function observed(query: readonly string[], attributes: Json | null = { pmax: 60 }): Promise<void> {
    device = new ScriptedDevice(world, { query });
    device.answers.set(`GET ${path}`, senmlValue(path, 20.5));
    device.answers.set(`PUT ${path}?pmax=60`, { code: ResponseCode.changed });
    await device.register();
    await rest("POST", "/observations", { body: { endpoint: "dev-1", path, ...(attributes === null ? {} : { attributes }) } });
    await world.clock.advance(1_000);
    assert.equal(asked(), 1);
  }

  const asked = (): number => device.asked.filter((line) => line === ask).length;
  const here = async () => at((await rest("GET", "/observations?endpoint=dev-1")).body, "items", 0);
  const tokenOf = async () => (await world.until(world.server.observations.find("dev-1", path)))?.relation?.token;
  /** Comes by every three minutes, so that its registration stays. */
  async function updates(times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      await device.update();
      await world.clock.advance(180_000);
    }
  }

  test("of a device that is awake: told, asked for anew at once, one relation again", async () => {
    await observed(["lt=86400", "lwm2m=1.1", "b=U"]);
    const before = await tokenOf();
    for (let time = 0; time < 10; time += 1) {
      await world.clock.advance(300_000);
      assert.deepEqual(await world.until(device.notify(path, senmlValue(path, time))), { ok: true });
    }
    assert.equal(asked(), 1, "five minutes are within twice the pmax and the time of an exchange");
    await world.clock.advance(500_000);
    assert.equal(asked(), 2);
    assert.equal(at((await here()) ?? null, "state"), "active");
    assert.notEqual(await tokenOf(), before);
    const [silent] = (await world.eventsOf("dev-1")).filter(({ type }) => type === "observation.silent");
    assert.equal(at(silent?.data ?? null, "path"), path);
    const seconds = Number(at(silent?.data ?? null, "seconds"));
    assert.ok(seconds >= 367 && seconds <= 430, String(seconds));
    assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 30))), { ok: true }, "the new one is heard");
  });

  test("of a device that sleeps: shown, with what it waits for, and asked for when it wakes; over our restart too", async () => {
    await observed(["lt=300", "lwm2m=1.1", "b=U", "Q"]);
    await updates(3);
    await world.clock.advance(60_000);
    const { status, body } = await rest("GET", "/devices/dev-1");
    assert.deepEqual([status, at(body, "waitingFor", "code")], [200, "wake-up"]);
    assert.deepEqual([at((await here()) ?? null, "state"), typeof at((await here()) ?? null, "silentSince")], ["waiting", "string"]);
    const id = String(at((await rest("GET", "/observations")).body, "items", 0, "id"));
    const standing = at((await rest("GET", `/observations/${id}/devices`)).body, "items", 0) ?? null;
    assert.deepEqual([at(standing, "state"), at(standing, "waitingFor", "code")], ["pending", "wake-up"]);
    assert.match(String(at(standing, "detail")), /stay away/);
    await world.kill();
    await world.start();
    rest = restOf(world);
    await world.clock.advance(1_000);
    assert.equal(asked(), 1);
    await device.update();
    await world.clock.advance(5_000);
    assert.equal(asked(), 2);
    assert.deepEqual([at((await here()) ?? null, "state"), at((await here()) ?? null, "silentSince")], ["active", undefined]);
  });

  test("heard again before the device is asked: it goes on as it was, over our restart too", async () => {
    await observed(["lt=300", "lwm2m=1.1", "b=U", "Q"]);
    const before = await tokenOf();
    await updates(3);
    await world.clock.advance(60_000);
    assert.equal(at((await here()) ?? null, "state"), "waiting");
    await world.kill();
    await world.start();
    rest = restOf(world);
    assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 22))), { ok: true });
    await world.clock.advance(5_000);
    assert.equal(at((await here()) ?? null, "state"), "active");
    const known = await rest("GET", `/devices/dev-1/resources${path}`);
    assert.equal(at(known.body, "values", 0, "value"), 22);
    assert.deepEqual([asked(), await tokenOf()], [1, before], "nothing was asked");
    assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 23))), { ok: true });
  });

  test("over our restart it is counted from what the device said last, which is stored anyway", async () => {
    await observed(["lt=259200", "lwm2m=1.1", "b=U"], null);
    await world.clock.advance(10 * hourMs);
    assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 21))), { ok: true });
    await world.clock.advance(10 * hourMs);
    await world.kill();
    await world.start();
    rest = restOf(world);
    assert.equal(asked(), 1);
    // A day after it was granted, and the time of an exchange: it was heard since.
    await world.clock.advance(5 * hourMs);
    assert.deepEqual([asked(), at((await here()) ?? null, "state")], [1, "active"]);
    await world.clock.advance(9 * hourMs + exchangeMs - 60_000);
    assert.equal(asked(), 1);
    await world.clock.advance(180_000);
    assert.equal(asked(), 2, "a day after it was heard");
    const [silent] = (await world.eventsOf("dev-1")).filter(({ type }) => type === "observation.silent");
    const seconds = Number(at(silent?.data ?? null, "seconds"));
    assert.ok(seconds >= 86_647 && seconds <= 86_710, String(seconds));
  });

  test("nobody listened for hours: it gets the time of one pmax to be heard before it is called silent", async () => {
    await observed(["lt=86400", "lwm2m=1.1", "b=U"]);
    await world.stop();
    await world.clock.advance(3 * hourMs);
    await world.start();
    rest = restOf(world);
    await world.clock.advance(60_000);
    assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 22))), { ok: true });
    await world.clock.advance(300_000);
    assert.deepEqual([asked(), at((await here()) ?? null, "state")], [1, "active"]);
    await world.clock.advance(180_000);
    assert.equal(asked(), 2, "twice its pmax and the time of an exchange after that");
    await world.stop();
    await world.clock.advance(3 * hourMs);
    await world.start();
    rest = restOf(world);
    await world.clock.advance(240_000);
    assert.equal(asked(), 2);
    await world.clock.advance(180_000);
    assert.equal(asked(), 3, "not heard in one pmax and the time of an exchange");
  });

  test("refused when it is asked for anew: the former relation is over as well", async () => {
    await observed(["lt=86400", "lwm2m=1.1", "b=U"]);
    const former = device.observations.get(path);
    device.answers.set(`GET ${path}`, { code: ResponseCode.methodNotAllowed });
    await world.clock.advance(500_000);
    assert.equal(asked(), 2);
    assert.equal(at((await here()) ?? null, "state"), "refused");
    assert.equal((await world.until(former?.notify(senmlValue(path, 1), true) ?? Promise.resolve({ ok: true as const }))).ok, false);
  });

  test("withdrawn while it is silent: cancelled, and forgotten", async () => {
    await observed(["lt=300", "lwm2m=1.1", "b=U", "Q"]);
    await updates(3);
    await world.clock.advance(60_000);
    const id = String(at((await rest("GET", "/observations")).body, "items", 0, "id"));
    assert.equal((await rest("DELETE", `/observations/${id}`)).status, 202);
    await world.clock.advance(10_000);
    assert.equal(await here(), undefined);
    assert.equal((await world.until(device.notify(path, senmlValue(path, 1)))).ok, false);
    await device.update();
    await world.clock.advance(5_000);
    assert.equal(asked(), 1);
  });
});
