import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld, securedServerAddress, serverAddress } from "../testing/server-world.ts";

const path = "/3303/0/5700";
const ask = `GET ${path} observe 0`;
const leaseMs = 30_000;

test("two servers on one store: only the one that the device hangs on asks it, whoever took the wish; the other when it has moved there", async () => {
  const world = await ServerWorld.openShared(leaseMs);
  const first = await world.until(world.join({ plain: serverAddress, secured: securedServerAddress }));
  const there = { plain: { address: "10.0.0.9", port: 5683 }, secured: { address: "10.0.0.9", port: 5684 } };
  const second = await world.until(world.join(there));
  let home: SocketAddress = serverAddress;
  const address = { address: "10.0.0.2", port: 56_830 };
  const device = new ScriptedDevice(world, { address }, { socket: () => world.network.socket(address), server: () => home });
  const askedFrom: (string | undefined)[] = [];
  world.network.filter = ({ from, to }) => {
    if (to.port === address.port && from.port === 5683) askedFrom.push(from.address);
    return true;
  };
  device.answers.set(`GET ${path}`, senmlValue(path, 20.5));
  await device.register({ query: ["lt=864000", "lwm2m=1.1"] });
  const wish = { endpoint: "dev-1", group: null, path, attributes: null, restore: "always" } as const;
  const standing = await world.until(second.server.standings.create(wish, "test"));
  await world.clock.advance(35_000);
  assert.deepEqual(device.asked, [ask]);
  assert.ok(askedFrom.every((from) => from === serverAddress.address));
  const stateAt = async ({ server }: typeof first) => (await world.until(server.standings.devices(standing._id, { limit: 10 })))[0]?.state;
  assert.deepEqual([await stateAt(first), await stateAt(second)], ["active", "active"]);
  assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 21))), { ok: true });

  home = there.plain;
  await device.restart();
  await device.register({ query: ["lt=864000", "lwm2m=1.1"] });
  await world.clock.advance(65_000);
  assert.deepEqual(device.asked, [ask, ask], "once, and from its new home");
  assert.equal(askedFrom.at(-1), there.plain.address);
  assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 22))), { ok: true });

  await world.until(first.close(true));
  await world.clock.advance(2 * leaseMs);
  assert.deepEqual(device.asked, [ask, ask], "that the other stops is nothing to the device");
  await world.until(second.server.standings.remove(standing._id));
  await world.clock.advance(100_000);
  assert.equal(device.asked.at(-1), `GET ${path} observe 1`);
  assert.equal(await world.until(second.server.standings.find(standing._id)), undefined);
  for (const { server } of [first, second]) assert.deepEqual(server.failures, []);
  await world.until(second.close(true));
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

test("a link that loses, doubles and reorders, devices that restart, a server that is killed: everybody is observed in the end, once", async () => {
  const world = await ServerWorld.open();
  const devices: ScriptedDevice[] = [];
  for (let i = 0; i < 5; i += 1) {
    const device = new ScriptedDevice(world, {
      endpoint: `d-${i}`,
      address: { address: `10.0.3.${i + 1}`, port: 56_830 },
      query: ["lt=864000", "lwm2m=1.1", i % 2 === 0 ? "b=U" : "b=U&Q"].flatMap((part) => part.split("&")),
    });
    device.answers.set(`GET ${path}`, senmlValue(path, i));
    devices.push(device);
    await device.register();
  }
  const made = await world.until(world.server.groups.create({ name: "all", query: {} }));
  assert.ok(made.ok);
  world.network.conditions = { delayMs: 50, loss: 0.25, duplication: 0.2, reordering: 0.3 };
  const wish = { endpoint: null, group: made.group._id, path, attributes: null, restore: "always" } as const;
  const { _id } = await world.until(world.server.standings.create(wish, "test"), 60_000);
  for (let round = 0; round < 6; round += 1) {
    await world.clock.advance(world.random.integer(4_000));
    const device = devices[round % devices.length];
    if (round % 2 === 0) {
      await device?.restart();
      if (device !== undefined) await world.until(device.beginRegister(), 300_000).catch(() => undefined);
    } else {
      await world.kill();
      await world.start();
    }
  }
  world.network.conditions = { delayMs: 1, loss: 0, duplication: 0, reordering: 0 };
  for (const device of devices) {
    await device.restart();
    await device.register();
  }
  await world.clock.advance(3_600_000);
  const states = await world.until(world.server.standings.devices(_id, { limit: 10 }));
  assert.deepEqual(
    states.map(({ endpoint, state }) => `${endpoint} ${state}`),
    devices.map(({ endpoint }) => `${endpoint} active`),
  );
  for (const device of devices) {
    assert.equal(device.observations.size, 1);
    assert.deepEqual(await world.until(device.notify(path, senmlValue(path, 7))), { ok: true });
  }
  assert.deepEqual(world.server.failures, []);
  for (const device of devices) await device.close();
  await world.close();
});
