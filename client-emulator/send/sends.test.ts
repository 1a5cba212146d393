import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { setTemperature } from "../objects/temperature-object.ts";
import { openWorld, type World } from "../testing/world.ts";

const json = { preferredFormat: ContentFormat.senmlJson };
const sendsOf = (world: World) => world.server.seen.filter((line) => line.endsWith("POST /dp"));

test("LwM2M Core 1.1 §6.4.6: sends its temperatures at the interval, with their times", async () => {
  const world = openWorld();
  const client = await world.open({ ...json, sendIntervalSeconds: 60, sensors: 2 });
  setTemperature(client.tree, 1, 25);
  await world.clock.advance(120_000);
  assert.deepEqual(sendsOf(world), ["60s POST /dp", "120s POST /dp"]);
  assert.equal(world.server.lastBody, '[{"bn":"/3303/","bt":1700000120,"n":"0/5700","v":21},{"n":"1/5700","v":25}]');
  await world.close();
});

test("LwM2M Core 1.1 §6.4.6: what was not acknowledged goes with the next one; what the server refuses does not", async () => {
  const world = openWorld();
  const client = await world.open({ ...json, sendIntervalSeconds: 200, lifetimeSeconds: 86_400 });
  world.network.filter = () => false;
  await world.clock.advance(300_000);
  world.network.filter = () => true;
  setTemperature(client.tree, 0, 30);
  await world.clock.advance(100_000);
  assert.equal(world.server.lastBody, '[{"bn":"/3303/0/5700","bt":1700000200,"v":21},{"t":200,"v":30}]');
  world.server.answer = (request) => (request.path[0] === "dp" ? { code: ResponseCode.notFound } : undefined);
  await world.clock.advance(400_000);
  assert.equal(world.server.lastBody, '[{"bn":"/3303/0/5700","bt":1700000800,"v":30}]');
  await world.close();
});

test("object 1, resource 23: Mute Send, and a server whose account does not speak of it", async () => {
  const world = openWorld();
  await world.open({ ...json, sendIntervalSeconds: 60 });
  const mute = { contentFormat: ContentFormat.text, payload: new TextEncoder().encode("1") };
  assert.equal(await world.server.ask(Method.put, "/1/0/23", mute), "2.04");
  await world.clock.advance(130_000);
  assert.deepEqual(sendsOf(world), []);
  await world.close();
});

test("queue mode: a Send wakes the device, and it listens for its window", async () => {
  const world = openWorld();
  const client = await world.open({ ...json, sendIntervalSeconds: 600, queueMode: true, awakeSeconds: 10, lifetimeSeconds: 86_400 });
  await world.clock.advance(60_000);
  assert.equal(client.isAwake(), false);
  await world.clock.advance(540_000);
  assert.equal(sendsOf(world).length, 1);
  assert.equal(client.isAwake(), true);
  await world.clock.advance(12_000);
  assert.equal(client.isAwake(), false);
  await world.close();
});
