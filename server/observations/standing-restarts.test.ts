import assert from "node:assert/strict";
import { test } from "node:test";
import { at } from "../testing/rest.ts";
import { senmlValue } from "../testing/scripted-device.ts";
import { minuteMs, path, standingFleet } from "./standing-fixture.ts";

const { fleet, rest, register, post, group, deviceOf, stateOf, restart } = standingFleet();

test("a device that restarts at every Observe: asked three times, then less and less; kept over our restart, forgiven when it is mended", async () => {
  const device = await register("a");
  let broken = true;
  const asked: number[] = [];
  const begunAt = fleet.world.clock.now();
  const pending: Promise<unknown>[] = [];
  device.answers.set(`GET ${path}`, () => {
    asked.push(Math.round((fleet.world.clock.now() - begunAt) / minuteMs));
    if (broken) {
      // It grants, and is gone a moment later.
      const reboot = (): void => void pending.push(device.restart().then(() => device.beginRegister()));
      fleet.world.clock.after(2_000, reboot);
    }
    return senmlValue(path, 1);
  });
  const id = await post({ endpoint: "a", path });
  await fleet.world.clock.advance(20 * minuteMs);
  assert.deepEqual(asked, [0, 0, 0, 1, 6], "two restarts are chance; a minute, five minutes, half an hour");
  const waiting = await deviceOf(id, "a");
  assert.deepEqual([waiting?.state, waiting?.reason], ["pending", "restart-loop"]);
  await restart();
  await fleet.world.clock.advance(10 * minuteMs);
  assert.equal(asked.length, 5);
  await fleet.world.clock.advance(24 * 60 * minuteMs);
  assert.ok(asked.length <= 10, `asked ${asked.length} times in a day`);
  assert.ok((await fleet.world.eventTypes("a")).includes("observation.paused"));
  broken = false;
  await fleet.world.clock.advance(48 * 60 * minuteMs);
  assert.equal(await stateOf(id, "a"), "active");
  await Promise.all(pending);
});

test("a device that registers anew every two minutes by itself is observed most of the time", async () => {
  const device = await register("a");
  const id = await post({ endpoint: "a", path });
  let active = 0;
  for (let round = 0; round < 30; round += 1) {
    await fleet.world.clock.advance(2 * minuteMs);
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
      await fleet.world.clock.advance(11 * minuteMs);
      assert.equal(await stateOf(id, endpoint), "active", "warmed up");
      let died = false;
      fleet.world.store.dieAtWrite(fleet.world.store.writes + nth, moment, () => {
        died = true;
      });
      const created = await rest("POST", "/observations", { body: { group: members, path } }).catch(() => undefined);
      await fleet.world.clock.advance(1_000);
      await restart();
      await fleet.world.clock.advance(12 * minuteMs);
      if (created?.status === 201) {
        const made = String(at(created.body, "id"));
        const held = await fleet.world.until(fleet.world.server.observations.find(endpoint, path));
        ends.push(`${await stateOf(made, endpoint)} ${held?.state}`);
        assert.deepEqual(await fleet.world.until(device.notify(path, senmlValue(path, nth))), { ok: true });
      }
      await device.deregister();
      await fleet.world.clock.advance(100);
      if (!died) break;
      assert.ok(nth < 40, "there is an end to the writes");
    }
    assert.ok(ends.length > 5, `${ends.length} rounds`);
    assert.deepEqual([...new Set(ends)], ["active active"]);
  });
}
