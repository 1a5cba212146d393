import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { findInstant, formatInstant } from "@lwm2m/protocol/platform/instant";
import { FirmwareWorld } from "../testing/firmware-world.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { bytes, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { SecuredDevice } from "../testing/secured-device.ts";
import { ServerWorld, securedServerAddress, serverAddress } from "../testing/server-world.ts";

const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];
const read = { kind: "read", path: "/3/0/9" } as const;

async function aWorld(t: TestContext): Promise<{ world: ServerWorld; rest: Rest }> {
  const world = await ServerWorld.open();
  t.after(async () => {
    const { failures } = world.server;
    await world.close();
    assert.deepEqual(failures, []);
  });
  return { world, rest: restOf(world) };
}

function aDevice(world: ServerWorld, endpoint = "dev-1", host = "10.0.0.2"): ScriptedDevice {
  const device = new ScriptedDevice(world, { endpoint, address: { address: host, port: 56_830 } });
  device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  return device;
}

/** `wake-up since 94 update 0 contact 300`: code, since, last signal and what comes next, in seconds after `fromMs`. */
async function outlook(rest: Rest, fromMs: number, address = "/devices/dev-1"): Promise<string> {
  const { status, body } = await rest("GET", address);
  assert.equal(status, 200);
  const after = (...path: string[]) => {
    const instant = at(body, ...path);
    return instant === null ? "-" : String(Math.round(((findInstant(String(instant)) ?? 0) - fromMs) / 1_000));
  };
  const text = at(body, "waitingFor", "text");
  assert.match(String(text), /^[A-Z].*\.$/);
  const signal = at(body, "lastSignal") === null ? "-" : `${at(body, "lastSignal", "kind")} ${after("lastSignal", "at")}`;
  return `${at(body, "waitingFor", "code")} since ${after("since")}, ${signal}, ${at(body, "next", "what")} ${after("next", "at")}`;
}

test("a device over a day: registered, asleep, work, answer; each step says what it waits for, since when, and what is next", async (t) => {
  const { world, rest } = await aWorld(t);
  const from = world.clock.now();
  assert.equal((await rest("POST", "/devices", { body: { endpoint: "dev-1" } })).status, 201);
  assert.equal(await outlook(rest, from), "registration since 0, -, registration -");
  const device = aDevice(world);
  await world.clock.advance(10_000);
  await device.register({ query: sleepy });
  assert.equal(await outlook(rest, from), "nothing since 10, register 10, sleep 103");
  await world.clock.advance(100_000);
  assert.equal(await outlook(rest, from), "nothing since 10, register 10, registration-expiry 86410");
  const { body } = await rest("POST", "/devices/dev-1/operations", { body: read });
  const operation = `/operations/${at(body, "id")}`;
  assert.equal(await outlook(rest, from), "wake-up since 103, register 10, registration-expiry 86410");
  assert.equal(await outlook(rest, from, operation), "wake-up since 110, register 10, registration-expiry 86410");
  const late = await rest("POST", "/devices/dev-1/operations", { body: { ...read, notBefore: formatInstant(from + 500_000) } });
  assert.equal(await outlook(rest, from, `/operations/${at(late.body, "id")}`), "not-before since 110, register 10, send 500");
  await device.update();
  await world.clock.advance(1_000);
  assert.equal(await outlook(rest, from), "not-before since 110, answer 110, send 500");
  assert.equal(at((await rest("GET", operation)).body, "waitingFor"), undefined, "what is final waits for nothing");
  // The list says the same.
  const list = await rest("GET", "/devices");
  assert.deepEqual(at(list.body, "items", 0, "waitingFor", "code"), "not-before");
  await device.deregister();
  assert.equal(await outlook(rest, from), "registration since 111, answer 110, registration -");
  await device.close();
});

test("signals by what they are: register, update, send, notify, answer, ack; after a restart what is stored of them", async (t) => {
  const { world, rest } = await aWorld(t);
  const device = aDevice(world);
  const kind = async (): Promise<unknown> => at((await rest("GET", "/devices/dev-1")).body, "lastSignal", "kind");
  await device.register();
  assert.equal(await kind(), "register");
  await device.update();
  assert.equal(await kind(), "update");
  const send = { method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload: bytes('[{"n":"/3/0/9","v":1}]') };
  await device.send(send);
  await world.clock.advance(10);
  assert.equal(await kind(), "send");
  await world.carryOut("dev-1", read);
  assert.equal(await kind(), "answer");
  device.answers.set("GET /3303/0/5700", senmlValue("/3303/0/5700", 1));
  await world.carryOut("dev-1", { kind: "observe", path: "/3303/0/5700" });
  await world.until(device.notify("/3303/0/5700", senmlValue("/3303/0/5700", 2)));
  assert.equal(await kind(), "notify");
  await device.close();
  // RFC 7252 §5.2.2: an empty acknowledgement, the answer may come later.
  const socket = world.network.socket(device.address);
  socket.onDatagram((request) => socket.send(Uint8Array.of(0x60, 0, request[2] ?? 0, request[3] ?? 0), serverAddress));
  await world.create("dev-1", read);
  await world.clock.advance(1_000);
  assert.equal(await kind(), "ack");
  await socket.close();
  await world.stop();
  await world.start();
  const after = restOf(world);
  assert.match(String(at((await after("GET", "/devices/dev-1")).body, "lastSignal", "kind")), /^(update|message)$/);
});

test("a request in the air: the device has to answer, and when it is given up; behind it others have their turn", async (t) => {
  const { world, rest } = await aWorld(t);
  const device = aDevice(world);
  await device.register();
  await device.close();
  const from = world.clock.now();
  const first = await world.create("dev-1", read);
  const second = await world.create("dev-1", { kind: "execute", path: "/3/0/4" });
  assert.ok(first.ok && second.ok);
  await world.clock.advance(5_000);
  assert.equal(await outlook(rest, from), "answer since 0, register 0, give-up 93");
  assert.equal(await outlook(rest, from, `/operations/${first.operation._id}`), "answer since 0, register 0, give-up 93");
  assert.equal(await outlook(rest, from, `/operations/${second.operation._id}`), "turn since 0, register 0, send -");
});

test("RFC 7959 §2: a body in blocks that takes longer than the device listens: it is awake while they move, and the time to give up moves along", async (t) => {
  const { world, rest } = await aWorld(t);
  const device = aDevice(world);
  const payload = bytes(JSON.stringify([{ n: "/3/0/0", vs: "x".repeat(16_000) }]));
  device.answers.set("GET /3/0/0", { code: ResponseCode.content, contentFormat: ContentFormat.senmlJson, payload });
  await device.register({ query: sleepy });
  world.network.conditions = { ...world.network.conditions, delayMs: 6_000 };
  const from = world.clock.now();
  const outcome = await world.create("dev-1", { kind: "read", path: "/3/0/0" });
  assert.ok(outcome.ok);
  const operation = `/operations/${outcome.operation._id}`;
  await world.clock.advance(71_000);
  assert.equal(await outlook(rest, from, operation), "answer since 0, answer 60, give-up 153");
  await world.clock.advance(36_000);
  assert.equal(await outlook(rest, from, operation), "answer since 0, answer 96, give-up 189");
  assert.equal(at((await rest("GET", "/devices/dev-1")).body, "awake"), true);
  await world.clock.advance(120_000);
  assert.equal(at((await rest("GET", operation)).body, "status"), "succeeded");
  await device.close();
});

test("RFC 7252 §5.2.2: what a device has acknowledged may take until the end of its exchange", async (t) => {
  const { world, rest } = await aWorld(t);
  const device = aDevice(world);
  await device.register();
  await device.close();
  const socket = world.network.socket(device.address);
  socket.onDatagram((request) => socket.send(Uint8Array.of(0x60, 0, request[2] ?? 0, request[3] ?? 0), serverAddress));
  const from = world.clock.now();
  const outcome = await world.create("dev-1", read);
  assert.ok(outcome.ok);
  await world.clock.advance(1_000);
  assert.equal(await outlook(rest, from, `/operations/${outcome.operation._id}`), "answer since 0, ack 0, give-up 247");
  await socket.close();
});

test("a relation that is gone: an awake device is said to wait for its observation", async (t) => {
  const { world, rest } = await aWorld(t);
  const device = aDevice(world);
  await device.register();
  device.answers.set("GET /3303/0/5700", senmlValue("/3303/0/5700", 1));
  await world.carryOut("dev-1", { kind: "observe", path: "/3303/0/5700" });
  await device.restart();
  const from = world.clock.now();
  await device.register();
  await device.close();
  const seen: string[] = [];
  for (let step = 0; step < 28; step += 1) {
    await world.clock.advance(10_000);
    seen.push(await outlook(rest, from));
  }
  assert.ok(seen.includes("observation since 0, register 0, send -"), seen.join("; "));
});

test("an address that another device has registered from; a registration that ran out", async (t) => {
  const { world, rest } = await aWorld(t);
  const device = aDevice(world);
  await device.register();
  await device.close();
  const from = world.clock.now();
  const usurper = new ScriptedDevice(world, { endpoint: "dev-2", address: device.address });
  await usurper.register();
  assert.equal(await outlook(rest, from), "address since 0, register 0, registration-expiry 300");
  assert.equal(await outlook(rest, from, "/devices/dev-2"), "nothing since 0, register 0, registration-expiry 300");
  await world.clock.advance(301_000);
  assert.match(await outlook(rest, from), /^registration since 30\d, register 0, registration -$/);
  await usurper.close();
});

test("a secured device: its connection gone, back by a handshake, its credential removed", async (t) => {
  const { world, rest } = await aWorld(t);
  const key = world.credentials.add("id-dev-1", "dev-1");
  const device = await SecuredDevice.open(world, { identity: "id-dev-1", key, endpoint: "dev-1" });
  await device.connect();
  await device.scripted.register();
  await world.clock.advance(100);
  const from = world.clock.now();
  device.disconnect();
  await world.clock.advance(1_000);
  assert.equal(await outlook(rest, from), "connection since 0, register 0, registration-expiry 300");
  await world.clock.advance(9_000);
  await device.connect();
  const send = { method: Method.post, path: ["nothing"] };
  assert.equal((await device.scripted.send(send)).code, ResponseCode.notFound);
  await world.clock.advance(100);
  assert.match(await outlook(rest, from), /^nothing since 10, handshake 10, registration-expiry 300$/);
  world.credentials.remove("id-dev-1");
  await world.clock.advance(100);
  assert.match(await outlook(rest, from), /^credential since 10, handshake 10, registration-expiry 300$/);
  await device.close();
});

test("a device in quarantine waits to be claimed", async (t) => {
  const { world } = await aWorld(t);
  await world.stop();
  world.unknownDevices = { policy: "quarantine", limit: 10 };
  await world.start();
  const rest = restOf(world);
  const device = aDevice(world);
  const from = world.clock.now();
  await device.register();
  assert.equal(await outlook(rest, from), "claim since 0, register 0, claim -");
  assert.equal((await rest("POST", "/devices/dev-1:claim")).status, 200);
  await device.update();
  await world.clock.advance(10);
  assert.equal(await outlook(rest, from), "nothing since 0, update 0, registration-expiry 300");
  await device.close();
});

test("a firmware update under way is what the device is busy with", async () => {
  const firmware = await FirmwareWorld.open();
  const { world, device } = firmware;
  await device.device.register();
  const rest = restOf(world);
  const id = await firmware.start();
  const codes = new Set<unknown>();
  for (let step = 0; step < 200; step += 1) {
    const { body } = await rest("GET", "/devices/dev-1");
    codes.add(at(body, "waitingFor", "code"));
    if (at(body, "waitingFor", "code") === "update") assert.equal(at(body, "next", "what"), "update-step");
    if ((await world.until(world.server.updates.find(id)))?.active === false) break;
    await world.clock.advance(500);
  }
  assert.ok(codes.has("update"), [...codes].join());
  await firmware.close();
});

test("two processes on one store: the one that is not home says where the device is", async () => {
  const world = await ServerWorld.openShared(30_000);
  const first = await world.until(world.join({ plain: serverAddress, secured: securedServerAddress }));
  const second = await world.until(
    world.join({ plain: { address: "10.0.0.9", port: 5683 }, secured: { address: "10.0.0.9", port: 5684 } }),
  );
  const device = aDevice(world);
  await device.register();
  const codes = [];
  for (const { server } of [first, second]) codes.push((await world.until(server.outlooks.outlooks.of("dev-1"))).code);
  assert.deepEqual(codes, ["nothing", "other-process"]);
  await device.close();
  for (const { close } of [first, second]) await world.until(close(true));
  await world.close();
});

test("a page of a thousand devices asks the store a few questions, and each device has its own answer", async (t) => {
  const { world, rest } = await aWorld(t);
  const device = aDevice(world);
  await device.register({ query: sleepy });
  for (let i = 0; i < 250; i += 1) await world.until(world.server.devices.create(`made-${i}`));
  await world.clock.advance(100_000);
  await world.create("dev-1", read);
  const { body } = await rest("GET", "/devices?limit=1000");
  const items = at(body, "items");
  assert.ok(Array.isArray(items));
  const codes = items.map((item) => `${at(item, "waitingFor", "code")}`);
  assert.deepEqual([codes.length, codes[0], new Set(codes.slice(1))], [251, "wake-up", new Set(["registration"])]);
  await device.close();
});
