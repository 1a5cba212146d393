import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openWorld } from "./testing/world.ts";

const text = (value: string) => ({ contentFormat: ContentFormat.text, payload: new TextEncoder().encode(value) });
const plain = { accept: ContentFormat.text };

test("LightweightM2M-1.1-int-101: registers with its name, lifetime, release, binding and object list", async () => {
  const world = openWorld();
  const client = await world.open();
  assert.deepEqual(world.server.seen, ["0s POST /rd?ep=dev&lwm2m=1.1&lt=300&b=U"]);
  assert.equal(
    world.server.lastBody,
    '</>;rt="oma.lwm2m";ct="60 110 112 11542",</1>;ver=1.1,</1/0>,</3>;ver=1.1,</3/0>,</4>;ver=1.2,</4/0>,</5>;ver=1.1,</5/0>,</3303/0>',
  );
  assert.equal(client.isRegistered(), true);
  await world.close();
});

test("LwM2M Core 1.0 §5.3.1: a 1.0 client says UQ for queue mode and lists no versions", async () => {
  const world = openWorld();
  await world.open({ lwm2mVersion: "1.0", queueMode: true });
  assert.deepEqual(world.server.seen, ["0s POST /rd?ep=dev&lwm2m=1.0&lt=300&b=UQ"]);
  assert.equal(world.server.lastBody, '</>;rt="oma.lwm2m",</1/0>,</3/0>,</4/0>,</5/0>,</3303/0>');
  await world.close();
});

test("LightweightM2M-1.1-int-102: updates before the lifetime ends, and at once when it is written", async () => {
  const world = openWorld();
  await world.open({ lifetimeSeconds: 300 });
  await world.clock.advance(206_000);
  assert.equal(world.server.seen.length, 1);
  await world.clock.advance(1_500);
  assert.equal(world.server.seen.at(-1), "207s POST /rd/a1");
  assert.equal(await world.server.ask(Method.put, "/1/0/1", text("20")), "2.04");
  await world.clock.advance(100);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/rd\/a1\?lt=20$/);
  const before = world.server.seen.length;
  await world.clock.advance(11_000);
  assert.equal(world.server.seen.length, before + 1, "an Update within the new lifetime");
  await world.close();
});

test("LightweightM2M-1.1-int-104: the trigger makes an Update without parameters", async () => {
  const world = openWorld();
  await world.open();
  assert.equal(await world.server.ask(Method.post, "/1/0/8"), "2.04");
  await world.clock.advance(100);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/rd\/a1$/);
  await world.close();
});

test("LightweightM2M-1.1-int-105: registers again when the server has forgotten it", async () => {
  const world = openWorld();
  await world.open();
  world.server.answer = (request) => (request.path.length > 1 ? { code: ResponseCode.notFound } : undefined);
  await world.server.ask(Method.post, "/1/0/8");
  await world.clock.advance(1_000);
  assert.deepEqual(
    world.server.seen.slice(-2).map((line) => line.split(" ").slice(1).join(" ")),
    ["POST /rd/a1", "POST /rd?ep=dev&lwm2m=1.1&lt=300&b=U"],
  );
  await world.close();
});

test("LightweightM2M-1.1-int-103: Disable de-registers after the reply and comes back after the timeout", async () => {
  const world = openWorld();
  await world.open();
  assert.equal(await world.server.ask(Method.put, "/1/0/5", text("600")), "2.04");
  assert.equal(await world.server.ask(Method.post, "/1/0/4"), "2.04");
  await world.clock.advance(500_000);
  assert.match(world.server.seen.at(-1) ?? "", /DELETE \/rd\/a1$/);
  assert.equal(await world.server.ask(Method.get, "/3/0/0", plain), "no-answer");
  await world.clock.advance(40_000);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/rd\?ep=dev/);
  await world.close();
});

test("LwM2M Core 1.1 §6.2.3: closing de-registers", async () => {
  const world = openWorld();
  const client = await world.open();
  await world.clock.until(client.close());
  assert.match(world.server.seen.at(-1) ?? "", /DELETE \/rd\/a1$/);
  await world.close();
});

test("LwM2M Core 1.1 §6.3: reads, writes, executes, creates and deletes", async () => {
  const world = openWorld();
  await world.open();
  const { server } = world;
  const table: readonly (readonly [Method, string, string, object?])[] = [
    [Method.get, "/3/0/0", "2.05 LwM2M emulator", plain],
    [Method.get, "/3/0/11/0", "2.05 0", plain],
    [Method.put, "/3/0/15", "2.04", text("Europe/Paris")],
    [Method.get, "/3/0/15", "2.05 Europe/Paris", plain],
    [Method.get, "/0", "4.01 /0 is for the bootstrap server alone"],
    [Method.get, "/21/0", "4.01 /21/0 is for the bootstrap server alone"],
    [Method.put, "/0/0/0", "4.01 /0/0/0 is for the bootstrap server alone", text("x")],
    [Method.get, "/9", "4.04 no object 9"],
    [Method.get, "/3/1", "4.04 no instance 1 of object 3"],
    [Method.get, "/3/0/99", "4.04 no resource 99 in object 3"],
    [Method.get, "/3/0/4", "4.05 /3/0/4 is not readable"],
    [Method.get, "/3/0/0/1", "4.05 /3/0/0/1: the resource has no instances"],
    [Method.get, "/3/0/0", "4.06 format 11543 is not supported", { accept: 11543 }],
    [Method.get, "/3/0", "4.06 format 0 carries one value only", plain],
    [Method.put, "/3/0/0", "4.05 /3/0/0 is not writable", text("x")],
    [Method.put, "/3/0/15", "4.15 content format 9999 is not supported", { contentFormat: 9999, payload: new Uint8Array(1) }],
    [Method.post, "/3/0/0", "4.05 /3/0/0 is not executable"],
    [Method.post, "/3", "4.05 object 3 takes no new instances", text("x")],
    [Method.delete, "/3/0", "4.05 /3/0 cannot be deleted"],
    [Method.delete, "/3", "4.05 an object cannot be deleted"],
    [Method.post, "/3303/0/5605", "2.04"],
    [Method.post, "/3303", "2.01"],
    [Method.get, "/3303/1/5700", "2.05 21", plain],
    [Method.delete, "/3303/1", "2.02"],
    [Method.get, "/3303/1/5700", "4.04 no instance 1 of object 3303"],
  ];
  for (const [method, path, expected, more] of table) assert.equal(await server.ask(method, path, more), expected, `${method} ${path}`);
  await world.close();
});

test("LwM2M Core 1.1 §6.2.2: an instance that comes or goes is told in an Update with the object list", async () => {
  const world = openWorld();
  await world.open();
  await world.server.ask(Method.post, "/3303");
  await world.clock.advance(100);
  assert.match(world.server.lastBody, /<\/3303\/0>,<\/3303\/1>$/);
  await world.server.ask(Method.delete, "/3303/0");
  await world.clock.advance(100);
  assert.match(world.server.lastBody, /<\/5\/0>,<\/3303\/1>$/);
  await world.close();
});

test("LwM2M Core 1.1 §6.3: a stranger is refused", async () => {
  const world = openWorld();
  await world.open();
  const { client } = world.server;
  const stranger = openWorld();
  await stranger.close();
  const socket = world.network.socket({ address: "203.0.113.9", port: 5_683 });
  const answers: string[] = [];
  socket.onDatagram((bytes) => answers.push(Buffer.from(bytes).toString("hex")));
  // CON GET /3/0/0, message id 0x1234, no token.
  socket.send(Uint8Array.from([0x40, 0x01, 0x12, 0x34, 0xb1, 0x33, 0x01, 0x30, 0x01, 0x30]), client.address);
  await world.clock.advance(100);
  assert.equal(answers[0]?.slice(0, 8), "60811234");
  await socket.close();
  await world.close();
});

test("LwM2M object 3: a reboot is silence, then a new registration; observations are gone", async () => {
  const world = openWorld();
  const client = await world.open();
  await world.server.observe("/3/0/9", plain);
  assert.equal(client.observationCount(), 1);
  assert.equal(await world.server.ask(Method.post, "/3/0/4"), "2.04");
  await world.clock.advance(2_000);
  assert.equal(client.isRegistered(), false);
  await world.clock.advance(2_000);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/rd\?ep=dev/);
  assert.equal(client.observationCount(), 0);
  await world.close();
});
