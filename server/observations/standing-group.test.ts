import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { at } from "../testing/rest.ts";
import { senmlValue } from "../testing/scripted-device.ts";
import { ask, cancel, minuteMs, path, standingFleet } from "./standing-fixture.ts";

const { fleet, rest, register, post, group, statesOf, countsOf, restart } = standingFleet();

describe("of a group", () => {
  test("every member; those who join are asked, those who leave are cancelled; it cannot be deleted meanwhile", async () => {
    const a = await register("a");
    const b = await register("b");
    const members = await group({ name: "pumps", members: ["a"] });
    const id = await post({ group: members, path });
    assert.deepEqual([a.asked, b.asked, await statesOf(id)], [[ask], [], ["a active"]]);
    await rest("PATCH", `/groups/${members}`, { body: { add: ["b"], remove: ["a"] } });
    await fleet.world.clock.advance(3_000);
    assert.deepEqual([a.asked, b.asked, await statesOf(id)], [[ask, cancel], [ask], ["b active"]]);
    assert.equal((await rest("DELETE", `/groups/${members}`)).status, "conflict");
    assert.equal((await rest("DELETE", "/devices/b")).status, 204);
    await fleet.world.clock.advance(1_000);
    assert.deepEqual(await statesOf(id), []);
    await rest("DELETE", `/observations/${id}`);
    await fleet.world.clock.advance(2 * minuteMs);
    assert.equal((await rest("DELETE", `/groups/${members}`)).status, 204);
  });

  test("by query: by tag, by version; members come and go as they change, also while the server is not there", async () => {
    const a = await register("a");
    const b = await register("b", ["lt=864000", "lwm2m=1.0", "b=U"]);
    const members = await group({ name: "old ones in the north", query: { tags: ["north"], lwm2mVersion: "1.0" } });
    const id = await post({ group: members, path });
    assert.deepEqual(await statesOf(id), []);
    for (const endpoint of ["a", "b"]) await rest("PATCH", `/devices/${endpoint}`, { body: { tags: ["north"] } });
    await fleet.world.clock.advance(3_000);
    assert.deepEqual([a.asked, b.asked, await statesOf(id)], [[], [ask], ["b active"]]);
    await b.register({ query: ["lt=864000", "lwm2m=1.1", "b=U"] });
    await a.register({ query: ["lt=864000", "lwm2m=1.0", "b=U"] });
    await fleet.world.clock.advance(3_000);
    assert.deepEqual(await statesOf(id), ["a active"]);
    await restart();
    const late = await register("c", ["lt=864000", "lwm2m=1.0", "b=U"]);
    await rest("PATCH", "/devices/c", { body: { tags: ["north"] } });
    await fleet.world.clock.advance(3_000);
    assert.deepEqual([late.asked, await statesOf(id)], [[ask], ["a active", "c active"]]);
    assert.deepEqual(await countsOf(id), { pending: 0, active: 2, refused: 0, unsupported: 0, ended: 0, leaving: 0 });
  });

  test("paced over the fleet: 60 devices are asked at 50 a second, after a change of the group and when all register anew", async () => {
    for (let i = 0; i < 60; i += 1) await register(`d-${i}`);
    const times: number[] = [];
    for (const device of fleet.devices) {
      device.answers.set(`GET ${path}`, () => {
        times.push(fleet.world.clock.now());
        return senmlValue(path, 1);
      });
    }
    const members = await group({ name: "all", query: {} });
    const id = await post({ group: members, path });
    await fleet.world.clock.advance(5_000);
    const spread = (): void => {
      assert.equal(times.length, 60);
      for (const time of times)
        assert.ok(times.filter((other) => other >= time && other < time + 1_000).length <= 56, "too many in a second");
    };
    spread();
    assert.equal(at((await countsOf(id)) ?? null, "active"), 60);
    times.length = 0;
    for (const device of fleet.devices) await device.restart();
    await fleet.world.until(Promise.all(fleet.devices.map((device) => device.beginRegister())), 60_000);
    await fleet.world.clock.advance(10_000);
    spread();
    const counters = await rest("GET", "/observation-counters");
    assert.deepEqual([at(counters.body, "asked"), at(counters.body, "granted"), at(counters.body, "waiting")], [120, 120, 0]);
  });
});
