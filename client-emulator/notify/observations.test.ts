import assert from "node:assert/strict";
import { test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { setTemperature } from "../objects/temperature-object.ts";
import { openWorld } from "../testing/world.ts";

const plain = { accept: ContentFormat.text };
const attributes = (...query: string[]) => ({ query });

const dayMs = 86_400_000;

test("LightweightM2M-1.0-int-301: a change notifies, within pmin and pmax", async () => {
  const world = openWorld();
  const client = await world.open();
  assert.equal(await world.server.ask(Method.put, "/3303/0/5700", attributes("pmin=5", "pmax=15")), "2.04");
  const { values } = await world.server.observe("/3303/0/5700", plain);
  await world.clock.advance(2_000);
  setTemperature(client.tree, 0, 25);
  await world.clock.advance(30_000);
  assert.deepEqual(values, [
    [1, "2.05 21"],
    [6, "2.05 25"],
    [21, "2.05 25"],
  ]);
  await world.close();
});

test("LwM2M Core 1.1 §5.1.2: gt, lt and st of the resource, periods of the instance and of object 1", async () => {
  const world = openWorld();
  const client = await world.open();
  assert.equal(await world.server.ask(Method.put, "/3303/0/5700", attributes("gt=30", "lt=10", "st=5")), "2.04");
  assert.equal(await world.server.ask(Method.put, "/3303/0", attributes("pmin=10")), "2.04");
  const { values } = await world.server.observe("/3303/0/5700", plain);
  for (const value of [22, 24, 31, 32]) {
    await world.clock.advance(15_000);
    setTemperature(client.tree, 0, value);
  }
  await world.clock.advance(15_000);
  assert.deepEqual(
    values.map(([, value]) => value),
    ["2.05 21", "2.05 31"],
  );
  await world.close();
});

test("LwM2M Core 1.1 §6.4.2: an observed instance carries all its resources, and its end is a 4.04", async () => {
  const world = openWorld();
  const client = await world.open({ preferredFormat: ContentFormat.senmlJson });
  const { values } = await world.server.observe("/3303/0");
  setTemperature(client.tree, 0, 22);
  await world.clock.advance(1_000);
  await world.server.ask(Method.delete, "/3303/0");
  await world.clock.advance(1_000);
  assert.match(values[1]?.[1] ?? "", /^2\.05 \[\{"bn":"\/3303\/0.*5602.*\]$/);
  assert.match(values[2]?.[1] ?? "", /^peer-ended: 4\.04/);
  assert.equal(client.observationCount(), 0);
  await world.close();
});

test("LightweightM2M-1.0-int-303: Observe 1 ends the notifications", async () => {
  const world = openWorld();
  const client = await world.open();
  const { values, held } = await world.server.observe("/3303/0/5700", plain);
  assert.equal((await world.clock.until(held.cancel("active"))).ok, true);
  setTemperature(client.tree, 0, 25);
  await world.clock.advance(1_000);
  assert.equal(client.observationCount(), 0);
  assert.equal(values.filter(([, value]) => value.startsWith("2.05")).length, 1);
  await world.close();
});

test("LightweightM2M-1.0-int-302: RST to a notification ends them", async () => {
  const world = openWorld();
  const client = await world.open({ confirmEvery: 1 });
  const { held } = await world.server.observe("/3303/0/5700", plain);
  await world.clock.until(held.cancel("passive"));
  setTemperature(client.tree, 0, 25);
  await world.clock.advance(1_000);
  assert.equal(client.observationCount(), 0);
  await world.close();
});

test("RFC 7641 §4.5: every n-th notification is confirmable", async () => {
  const world = openWorld();
  const client = await world.open({ confirmEvery: 3 });
  await world.server.observe("/3303/0/5700", plain);
  const before = world.network.traffic.length;
  for (let value = 0; value < 6; value += 1) {
    setTemperature(client.tree, 0, value);
    await world.clock.advance(1_000);
  }
  // Type is bits 2 and 3 of the first byte: 0 confirmable, 1 not (RFC 7252 §3).
  const types = world.network.traffic
    .slice(before)
    .filter(({ from }) => from.address !== "192.0.2.1")
    .map(({ bytes }) => ((bytes[0] ?? 0) >> 4) & 3);
  assert.deepEqual(types, [1, 1, 0, 1, 1, 0]);
  await world.close();
});

test("RFC 7641 §4.5: a value that does not change is confirmed once a day, and one told without confirmation in between", async () => {
  const world = openWorld();
  const client = await world.open({ confirmEvery: 1_000 });
  await world.server.observe("/3303/0/5700", plain);
  const before = world.network.traffic.length;
  // Type and code of what the device says; its Updates aside.
  const told = () =>
    world.network.traffic
      .slice(before)
      .filter(({ from, bytes }) => from.address !== "192.0.2.1" && bytes[1] === 0x45)
      .map(({ bytes }) => ((bytes[0] ?? 0) >> 4) & 3);
  await world.clock.advance(dayMs - 10_000);
  assert.deepEqual(told(), []);
  await world.clock.advance(20_000);
  assert.deepEqual(told(), [0]);
  for (let value = 0; value < 5; value += 1) {
    await world.clock.advance(dayMs / 4);
    setTemperature(client.tree, 0, value);
    await world.clock.advance(1_000);
  }
  assert.deepEqual(told(), [0, 1, 1, 1, 0, 1]);
  await world.close();
});

test("LightweightM2M-1.1-int-260: Discover shows what is attached at each level; a resource asked for alone, what it inherits too", async () => {
  const world = openWorld();
  await world.open();
  const { server } = world;
  const links = { accept: ContentFormat.linkFormat };
  await server.ask(Method.put, "/3", attributes("pmin=5"));
  await server.ask(Method.put, "/3/0/7", attributes("pmax=60", "gt=4200"));
  assert.equal(await server.ask(Method.get, "/3/0/7", links), "2.05 </3/0/7>;dim=2;pmin=5;pmax=60;gt=4200");
  assert.match(await server.ask(Method.get, "/3/0", links), /,<\/3\/0\/7>;dim=2;pmax=60;gt=4200,/);
  // A name without a value takes the attribute away.
  await server.ask(Method.put, "/3/0/7", attributes("gt"));
  assert.equal(await server.ask(Method.get, "/3/0/7", links), "2.05 </3/0/7>;dim=2;pmin=5;pmax=60");
  assert.match(await server.ask(Method.get, "/3", links), /^2\.05 <\/3>;ver=1\.1;pmin=5,<\/3\/0>,<\/3\/0\/0>,/);
  await server.ask(Method.get, "/9", links);
  await world.close();
});

test("LwM2M Core 1.1 §5.1.2: attributes that contradict each other are refused", async () => {
  const world = openWorld();
  await world.open();
  const ask = (...query: string[]) => world.server.ask(Method.put, "/3303/0/5700", attributes(...query));
  assert.match(await ask("gt=10", "lt=20"), /^4\.00/);
  assert.match(await ask("gt=20", "lt=10", "st=5"), /^4\.00/);
  assert.match(await ask("pmin=x"), /^4\.00/);
  assert.match(await ask("nonsense=1"), /^4\.00/);
  assert.equal(await ask("gt=20", "lt=10", "st=4"), "2.04");
  assert.match(await ask("st=5"), /^4\.00/);
  await world.close();
});

test("LwM2M Core 1.2 §5.1.2: con=1 makes every notification confirmable; attributes this client would not act on are refused", async () => {
  const world = openWorld();
  const client = await world.open();
  assert.equal(await world.server.ask(Method.put, "/3303/0", attributes("con=1")), "2.04");
  assert.match(await world.server.ask(Method.put, "/3303/0", attributes("hqmax=3")), /^4\.00/);
  await world.server.observe("/3303/0/5700", plain);
  const before = world.network.traffic.length;
  setTemperature(client.tree, 0, 30);
  await world.clock.advance(1_000);
  assert.equal(((world.network.traffic[before]?.bytes[0] ?? 0) >> 4) & 3, 0);
  await world.close();
});
