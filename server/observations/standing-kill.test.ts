/** kill -9 between the request for a standing observation and its grant. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { at } from "../testing/rest.ts";
import { senmlValue } from "../testing/scripted-device.ts";
import { minuteMs, path, standingFleet } from "./standing-fixture.ts";

const { fleet, rest, register, post, group, stateOf, restart } = standingFleet();

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
