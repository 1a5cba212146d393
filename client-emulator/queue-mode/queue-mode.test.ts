import assert from "node:assert/strict";
import { test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { setTemperature } from "../objects/temperature-object.ts";
import { openWorld } from "../testing/world.ts";

const plain = { accept: ContentFormat.text };

test("LightweightM2M-1.1-int-109: deaf when the window is over, awake again with the Update", async () => {
  const world = openWorld();
  const client = await world.open({ queueMode: true, lifetimeSeconds: 86_400, sleepSeconds: 600 });
  assert.match(world.server.seen[0] ?? "", /b=U&Q$/);
  await world.clock.advance(91_000);
  assert.equal(client.isAwake(), true);
  await world.clock.advance(2_000);
  assert.equal(client.isAwake(), false);
  const unanswered = world.server.ask(Method.get, "/3/0/0", plain);
  assert.equal(await unanswered, "no-answer");
  await world.clock.advance(600_000);
  assert.match(world.server.seen.at(-1) ?? "", /^600s POST \/rd\/a1$/);
  assert.equal(world.log.filter((line) => line === "awake").length, 1);
  await world.close();
});

test("LwM2M Transport 1.1 §6.7: each message sent makes the window begin anew", async () => {
  const world = openWorld();
  const client = await world.open({ queueMode: true, awakeSeconds: 30, lifetimeSeconds: 86_400 });
  for (let round = 0; round < 4; round += 1) {
    await world.clock.advance(20_000);
    assert.equal(await world.server.ask(Method.get, "/3/0/0", plain), "2.05 LwM2M emulator");
  }
  await world.clock.advance(29_000);
  assert.equal(client.isAwake(), true);
  await world.clock.advance(2_000);
  assert.equal(client.isAwake(), false);
  await world.close();
});

test("LwM2M object 1, resource 6: what happens while asleep is stored and leaves after the Update", async () => {
  const world = openWorld();
  const client = await world.open({ queueMode: true, awakeSeconds: 10, sleepSeconds: 100, lifetimeSeconds: 86_400 });
  const { values } = await world.server.observe("/3303/0/5700", plain);
  await world.clock.advance(20_000);
  for (const value of [22, 23, 24]) {
    setTemperature(client.tree, 0, value);
    await world.clock.advance(10_000);
  }
  assert.equal(values.length, 1, "nothing leaves while asleep");
  await world.clock.advance(60_000);
  assert.deepEqual(
    values.map(([, value]) => value),
    ["2.05 21", "2.05 22", "2.05 23", "2.05 24"],
  );
  assert.equal(values[1]?.[0], 100);
  await world.close();
});

test("LwM2M Core 1.1 §6.4.5: stored samples in SenML leave together, each with its time", async () => {
  const world = openWorld();
  const client = await world.open({
    queueMode: true,
    awakeSeconds: 10,
    sleepSeconds: 100,
    lifetimeSeconds: 86_400,
    preferredFormat: ContentFormat.senmlJson,
  });
  const { values } = await world.server.observe("/3303/0/5700");
  await world.clock.advance(20_000);
  for (const value of [22, 23]) {
    setTemperature(client.tree, 0, value);
    await world.clock.advance(10_000);
  }
  await world.clock.advance(70_000);
  assert.equal(values.length, 2);
  const records: { v?: number }[] = JSON.parse(values[1]?.[1].replace("2.05 ", "") ?? "[]");
  assert.deepEqual(
    records.flatMap((record) => record.v ?? []),
    [22, 23],
  );
  await world.close();
});

test("LwM2M object 1, resource 6 false: only the last value survives the sleep", async () => {
  const world = openWorld();
  const client = await world.open({ queueMode: true, awakeSeconds: 10, sleepSeconds: 100, lifetimeSeconds: 86_400 });
  await world.server.ask(Method.put, "/1/0/6", { contentFormat: ContentFormat.text, payload: new TextEncoder().encode("0") });
  const { values } = await world.server.observe("/3303/0/5700", plain);
  await world.clock.advance(20_000);
  for (const value of [22, 23, 24]) {
    setTemperature(client.tree, 0, value);
    await world.clock.advance(10_000);
  }
  await world.clock.advance(60_000);
  assert.deepEqual(
    values.map(([, value]) => value),
    ["2.05 21", "2.05 24"],
  );
  await world.close();
});
