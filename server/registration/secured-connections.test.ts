/** Secured connections that come, go and move while their device stays registered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCode, Method } from "@lwm2m/protocol/coap/codes";
import { senmlValue } from "../testing/scripted-device.ts";
import { SecuredDevice } from "../testing/secured-device.ts";
import { aRegistered, aSend, aWorld, read } from "./secured-fixture.ts";

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
