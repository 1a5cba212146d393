/** Whose a secured connection is, and what its credential lets it do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { ScriptedDevice } from "../testing/scripted-device.ts";
import { SecuredDevice } from "../testing/secured-device.ts";
import { aDevice, aRegistered, aSend, aWorld, read } from "./secured-fixture.ts";

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
