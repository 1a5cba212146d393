import assert from "node:assert/strict";
import { test } from "node:test";
import { senmlValue } from "../testing/scripted-device.ts";
import { minuteMs, path, standingFleet } from "./standing-fixture.ts";

const { fleet, register, post, deviceOf, stateOf, restart } = standingFleet();

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
