import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { SecuredDevice, type SecuredScript } from "../testing/secured-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

async function aWorld(t: TestContext): Promise<ServerWorld> {
  const world = await ServerWorld.open();
  t.after(async () => {
    const { failures } = world.server;
    await world.close();
    assert.deepEqual(failures, []);
  });
  return world;
}

/** Its PSK identity is `id-` and its endpoint name. */
async function aDevice(world: ServerWorld, endpoint = "dev-1", more: Partial<SecuredScript> = {}): Promise<SecuredDevice> {
  const identity = `id-${endpoint}`;
  const key = world.credentials.add(identity, endpoint);
  const device = await SecuredDevice.open(world, { identity, key, endpoint, ...more });
  device.scripted.answers.set("GET /3/0/9", senmlValue("/3/0/9", 50));
  return device;
}

async function aRegistered(world: ServerWorld, endpoint = "dev-1", more: Partial<SecuredScript> = {}): Promise<SecuredDevice> {
  const device = await aDevice(world, endpoint, more);
  await device.connect();
  assert.equal((await device.scripted.register()).code, ResponseCode.created);
  await world.clock.advance(100);
  return device;
}

const aSend: OutgoingRequest = {
  method: Method.post,
  path: ["dp"],
  contentFormat: ContentFormat.senmlJson,
  payload: new TextEncoder().encode('[{"n":"/3/0/9","v":7}]'),
};

async function read(world: ServerWorld, endpoint = "dev-1") {
  const { status, reason } = await world.carryOut(endpoint, { kind: "read", path: "/3/0/9" }, 5_000);
  return reason === null ? status : `${status} ${reason}`;
}

test("LwM2M Core 1.1 §6.2.1: over DTLS the credential says which endpoint name may register", async (t) => {
  const world = await aWorld(t);
  const device = await aDevice(world);
  await device.connect();
  const codes = [];
  for (const endpoint of ["dev-2", "dev-1"]) codes.push(formatCode((await device.scripted.register({ endpoint })).code));
  assert.deepEqual(codes, ["4.00", "2.01"]);
  const unnamed = await device.scripted.send({
    method: Method.post,
    path: ["rd"],
    query: ["lt=300", "lwm2m=1.1"],
    contentFormat: ContentFormat.linkFormat,
    payload: new TextEncoder().encode("</3/0>"),
  });
  assert.equal(formatCode(unnamed.code), "2.01");
  const registration = await world.until(world.server.registrations.find("dev-1"));
  assert.deepEqual(registration?.identity, { kind: "psk", identity: Buffer.from("id-dev-1").toString("base64") });
  assert.deepEqual(await world.eventTypes("dev-2"), ["security.identityMismatch"]);
  await device.close();
});

test("LwM2M Core 1.1 §6.2.1: a credential that stands for nobody any more is 4.03; so is a name that has a credential, without DTLS", async (t) => {
  const world = await aWorld(t);
  const device = await aDevice(world);
  await device.connect();
  const { key } = world.credentials.psks.get("id-dev-1") ?? assert.fail();
  world.credentials.psks.set("id-dev-1", { endpoint: undefined, key });
  assert.equal(formatCode((await device.scripted.register()).code), "4.03");
  world.credentials.psks.set("id-dev-1", { endpoint: "dev-1", key });
  const plain = new ScriptedDevice(world);
  assert.equal(formatCode((await plain.register()).code), "4.03");
  assert.equal((await plain.register({ endpoint: "without" })).code, ResponseCode.created);
  const [event] = (await world.eventsOf("dev-1")).filter(({ type }) => type === "security.identityMismatch");
  assert.ok(event);
  assert.deepEqual((event.data as { reason: string }).reason, "unknown-identity");
  await plain.close();
  await device.close();
});

test("the location of another device is not told apart from none: 4.04 to Update, De-register and Send", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  const other = await aDevice(world, "dev-2", { address: { address: "10.0.0.3", port: 1 } });
  await other.connect();
  const plain = new ScriptedDevice(world, { address: { address: "10.0.0.4", port: 1 } });
  const { location } = device.scripted;
  for (const stranger of [other.scripted, plain]) {
    const codes = [];
    for (const method of [Method.post, Method.delete]) codes.push(formatCode((await stranger.send({ method, path: location })).code));
    codes.push(formatCode((await stranger.send(aSend)).code));
    assert.deepEqual(codes, ["4.04", "4.04", "4.04"]);
  }
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  assert.equal(formatCode((await device.scripted.send(aSend)).code), "2.04");
  assert.equal(await read(world), "succeeded");
  for (const each of [plain, other, device]) await each.close();
});

test("a registration made without DTLS is not continued without it once its device has a credential", async (t) => {
  const world = await aWorld(t);
  const plain = new ScriptedDevice(world);
  await plain.register();
  assert.equal(formatCode((await plain.update()).code), "2.04");
  const device = await aDevice(world, "dev-1", { address: { address: "10.0.0.3", port: 1 } });
  assert.equal(formatCode((await plain.update()).code), "4.04");
  await device.connect();
  // Nor is it continued over DTLS: the location was there for everybody to read.
  assert.equal(formatCode((await device.scripted.send({ method: Method.post, path: plain.location })).code), "4.04");
  assert.equal((await device.scripted.register()).code, ResponseCode.created);
  assert.equal(await read(world), "succeeded");
  await plain.close();
  await device.close();
});

test("a new handshake without Register: Send, notification and requests go on at the new connection, with the same registration", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  assert.equal((await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" })).status, "succeeded");
  const before = await world.until(world.server.registrations.find("dev-1"));
  await device.connect();
  assert.equal(formatCode((await device.scripted.send(aSend)).code), "2.04");
  const told = await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 42)));
  assert.deepEqual(told, { ok: true });
  await world.clock.advance(100);
  const twin = await world.until(world.server.twins.find("dev-1"));
  assert.equal(twin?.values["/3/0/9"]?.value, 42);
  assert.equal(await read(world), "succeeded");
  const after = await world.until(world.server.registrations.find("dev-1"));
  assert.equal(after?.locationId, before?.locationId);
  assert.notEqual(after?.address.association?.key, before?.address.association?.key);
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  await device.close();
});

test("RFC 7641 §3.6: a notification right behind the handshake waits until it is known whose it is", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" });
  await device.connect();
  // Not confirmable: nobody repeats it.
  await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 43), false));
  await world.clock.advance(200);
  assert.equal((await world.until(world.server.twins.find("dev-1")))?.values["/3/0/9"]?.value, 43);
  assert.equal(device.scripted.observations.size, 1);
  await device.close();
});

test("RFC 9146: a device with a connection id behind a NAT that forgets it stays connected and is found where it is now", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" });
  const visible = { address: "192.0.2.77", port: 7_777 };
  world.network.rebind(device.scripted.address, visible);
  assert.deepEqual(await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 44))), { ok: true });
  assert.deepEqual(await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 45))), { ok: true });
  assert.equal(await read(world), "succeeded");
  const { address } = (await world.until(world.server.registrations.find("dev-1"))) ?? assert.fail();
  assert.deepEqual([address.address, address.port], [visible.address, visible.port]);
  assert.equal(world.server.secured.counters["connected"], 1);
  assert.equal(world.server.secured.counters["addressChanges"], 1);
  assert.deepEqual(
    (await world.eventTypes("dev-1")).filter((type) => type === "device.updated"),
    [],
  );
  await device.close();
});

test("without a connection id a device behind a new NAT binding is not reached; after its handshake what waited is carried out", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world, "dev-1", { connectionId: false });
  world.network.rebind(device.scripted.address, { address: "192.0.2.78", port: 7_778 });
  const lost = await world.until(device.scripted.request(aSend, { timeoutMs: 20_000 }));
  assert.equal(lost.ok, false);
  await device.connect();
  assert.equal(formatCode((await device.scripted.send(aSend)).code), "2.04");
  assert.equal(await read(world), "succeeded");
  await device.close();
});

test("LwM2M Transport 1.1 §5.2: the server makes no handshake: what is for a device without connection waits for its next message", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  device.disconnect();
  await world.clock.advance(100);
  assert.equal(world.server.registrations.isAwake("dev-1"), false);
  const outcome = await world.create("dev-1", { kind: "read", path: "/3/0/9" });
  assert.ok(outcome.ok);
  const sentBefore = world.network.traffic.length;
  await world.clock.advance(200_000);
  assert.equal(world.network.traffic.length, sentBefore, "nothing is sent to nobody");
  const waiting = await world.until(world.server.operations.find(outcome.operation._id));
  assert.deepEqual([waiting?.status, waiting?.attempts.length], ["queued", 0]);
  const atOnce = await world.create("dev-1", { kind: "read", path: "/3/0/9", onOffline: "fail" });
  assert.equal(atOnce.ok ? "" : atOnce.refusal.reason, "device-unreachable");
  await device.connect();
  await device.scripted.update();
  const done = await world.until(world.server.operations.waitFor(outcome.operation._id, 5_000));
  assert.equal(done?.status, "succeeded");
  await device.close();
});

test("a request under way when the connection goes is not waited for: it is sent again after the next", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  world.network.filter = ({ to }) => to.address !== device.scripted.address.address;
  const outcome = await world.create("dev-1", { kind: "read", path: "/3/0/9" });
  assert.ok(outcome.ok);
  await world.clock.advance(1_000);
  device.disconnect();
  await world.clock.advance(1_000);
  world.network.filter = () => true;
  const back = await world.until(world.server.operations.find(outcome.operation._id));
  assert.deepEqual([back?.status, back?.attempts.map((attempt) => attempt.outcome)], ["queued", ["interrupted"]]);
  await device.connect();
  await device.scripted.update();
  const done = await world.until(world.server.operations.waitFor(outcome.operation._id, 5_000));
  assert.equal(done?.status, "succeeded");
  await device.close();
});

test("a credential that is removed drops its connection at once, marks the registration and lets the device in no more", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  const other = await aRegistered(world, "dev-2", { address: { address: "10.0.0.3", port: 1 } });
  world.credentials.remove("id-dev-1");
  await world.clock.advance(100);
  assert.equal(world.server.registrations.isAwake("dev-1"), false);
  const registration = await world.until(world.server.registrations.find("dev-1"));
  assert.equal(typeof registration?.barredAt, "number");
  assert.ok((await world.eventTypes("dev-1")).includes("device.barred"));
  await assert.rejects(device.connect());
  assert.equal(await read(world, "dev-2"), "succeeded");
  // A new credential, and the registration is what it was.
  world.credentials.add("id-dev-1", "dev-1");
  await device.connect();
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  assert.equal((await world.until(world.server.registrations.find("dev-1")))?.barredAt, null);
  for (const each of [device, other]) await each.close();
});

test("another credential of the same device takes a Register: a new handshake alone moves nothing", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  const key = world.credentials.add("id-new", "dev-1");
  const renewed = await SecuredDevice.open(world, { identity: "id-new", key, address: { address: "10.0.0.3", port: 1 } });
  await renewed.connect();
  assert.equal(formatCode((await renewed.scripted.send(aSend)).code), "4.04");
  assert.equal(await read(world), "succeeded");
  assert.equal((await renewed.scripted.register()).code, ResponseCode.created);
  assert.equal(formatCode((await renewed.scripted.send(aSend)).code), "2.04");
  await world.clock.advance(100);
  assert.equal(world.server.secured.counters["closedLocally"], 1, "the connection of the old credential is let go of");
  for (const each of [device, renewed]) await each.close();
});

test("a restart of the server: the device goes on with its next message, observation and waiting operation included", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" });
  await world.clock.advance(1_000);
  await world.stop();
  await world.start();
  assert.equal(world.server.secured.counters["restored"], 1);
  assert.equal(await read(world), "succeeded");
  assert.deepEqual(await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 46))), { ok: true });
  assert.equal((await world.until(world.server.twins.find("dev-1")))?.values["/3/0/9"]?.value, 46);
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  assert.equal(world.server.secured.counters["connected"], 0);
  await device.close();
});

test("RFC 9175 §2.3: after a kill what changes something is asked for its freshness once, and the device goes on without a handshake", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" });
  await world.clock.advance(1_000);
  await world.kill();
  await world.start();
  assert.equal(world.server.secured.counters["restored"], 1);
  const before = world.network.traffic.length;
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  const rounds = (from: number): number => world.network.traffic.slice(from).filter(({ to }) => to.port === 5_684).length;
  assert.equal(rounds(before), 2, "the Update, and the Update with the value it was given");
  const later = world.network.traffic.length;
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  assert.ok(rounds(later) >= 1);
  assert.equal(await read(world), "succeeded");
  assert.deepEqual(await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 47))), { ok: true });
  assert.equal(world.server.secured.counters["connected"], 0);
  await device.close();
});

test("kill -9 in the middle of traffic, ten times: nothing acknowledged is lost and no handshake is needed", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  for (let round = 1; round <= 10; round += 1) {
    const outcome = await world.create("dev-1", { kind: "read", path: "/3/0/9" });
    assert.ok(outcome.ok);
    const sending = device.scripted.request(aSend, { timeoutMs: 60_000 });
    await world.clock.advance(round * 3);
    await world.kill();
    await world.start();
    const sent = await world.until(sending, 100_000);
    assert.ok(sent.ok, `round ${round}: ${sent.ok ? "" : sent.reason}`);
    const done = await world.until(world.server.operations.waitFor(outcome.operation._id, 60_000), 100_000);
    assert.equal(done?.status, "succeeded", `round ${round}`);
    assert.equal(world.server.secured.counters["restored"], 1, `round ${round}`);
    assert.equal(world.server.secured.counters["connected"], 0, `round ${round}`);
  }
  await device.close();
});

test("a thousand reconnects leave one connection, one registration and nothing behind", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" });
  for (let round = 0; round < 1_000; round += 1) {
    await device.connect();
    // Some do nothing else; the connections that pile up replace each other.
    if (round % 10 === 0) assert.equal(formatCode((await device.scripted.send(aSend)).code), "2.04", `round ${round}`);
  }
  assert.equal(await read(world), "succeeded");
  assert.deepEqual(await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 48))), { ok: true });
  const { counters } = world.server.secured;
  const { connected = 0, replaced = 0, closedLocally = 0 } = counters;
  assert.equal(connected, 1_001);
  assert.ok(connected - replaced - closedLocally <= 4, `${replaced} replaced, ${closedLocally} closed`);
  await device.close();
});

test("a package is fetched over a second connection: the device goes on being called at the first", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  const identity = "id-dev-1";
  const { key } = world.credentials.psks.get(identity) ?? assert.fail();
  const fetching = await SecuredDevice.open(world, { identity, key, address: { address: "10.0.0.2", port: 56_841 } });
  await fetching.connect();
  const block = { method: Method.get, path: ["fw", "no-such-token"] } as const;
  for (let i = 0; i < 3; i += 1) assert.equal(formatCode((await fetching.scripted.send(block)).code), "4.04");
  assert.equal(await read(world), "succeeded");
  assert.equal(fetching.scripted.asked.length, 0);
  fetching.disconnect();
  await world.clock.advance(100);
  assert.equal(await read(world), "succeeded");
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  for (const each of [fetching, device]) await each.close();
});
