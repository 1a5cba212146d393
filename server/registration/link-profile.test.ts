import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";
import { codeOf, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";

const one = oneDevice();
const profile = "/devices/dev-1/link-profile";

/** Sends a request to the device, which hears nothing; how long the server tries, seconds. */
async function givesUpAfterSeconds(): Promise<number> {
  await one.device.close();
  const startedAt = one.world.clock.now();
  const created = await one.world.create("dev-1", { kind: "read", path: "/3/0/0", onOffline: "fail" });
  assert.ok(created.ok);
  await one.world.clock.advance(1_000_000);
  const operation = await one.world.until(one.world.server.operations.find(created.operation._id));
  assert.equal(operation?.reason, "no-answer");
  return Math.round(((operation?.finishedAt ?? 0) - startedAt) / 1_000);
}

/** The block size the server asks for when a device sends 2,048 bytes, the first block at 1,024 (RFC 7959 §2.5, "early negotiation"). */
async function answeredBlockBytes(from: ScriptedDevice): Promise<number> {
  const outcome = await one.world.until(from.request({ method: Method.post, path: ["rd"], payload: new Uint8Array(2_048) }));
  assert.equal(outcome.ok && outcome.response.code, ResponseCode.badRequest);
  return 1_024 / (outcome.facts.datagramsSent - 1);
}

test("RFC 7252 §4.8.1: a device gets the link of its radio by name; what follows from it is computed", async () => {
  assert.equal((await one.rest("GET", profile)).status, "device-unknown");
  await one.device.register();
  const usual = await one.rest("GET", profile);
  assert.deepEqual([at(usual.body, "profile"), at(usual.body, "source"), at(usual.body, "awakeSeconds")], ["default", "default", 93]);
  const set = await one.rest("PUT", profile, { body: { profile: "nbiot" } });
  assert.equal(set.status, 200);
  assert.deepEqual(set.body, {
    endpoint: "dev-1",
    profile: "nbiot",
    source: "device",
    values: {},
    parameters: {
      ackTimeoutMs: 15_000,
      ackRandomFactor: 1.5,
      maxRetransmit: 4,
      maxLatencyMs: 100_000,
      processingDelayMs: 15_000,
      probingRateBytesPerSecond: 1,
      piggybackMs: 3_000,
      blockSizeBytes: 256,
      mtuBytes: 512,
    },
    derived: { maxTransmitSpanMs: 337_500, maxTransmitWaitMs: 697_500, exchangeLifetimeMs: 552_500, nonLifetimeMs: 437_500 },
    awakeSeconds: 697.5,
    wakeUpBytes: null,
  });
  assert.equal(at((await one.rest("GET", "/devices/dev-1")).body, "linkProfile"), "nbiot");
  assert.equal((await one.rest("DELETE", profile)).status, 204);
  assert.equal(at((await one.rest("GET", profile)).body, "source"), "default");
  assert.equal(one.world.server.links.placedDevices, 0);
});

test("RFC 7252 §4.8.1, §4.8.2: values out of range and values that contradict each other are refused by name", async () => {
  await one.device.register();
  const refused = async (body: { readonly [field: string]: unknown }): Promise<unknown> =>
    at((await one.rest("PUT", profile, { body: body as never })).body, "errors", 0, "pointer");
  assert.equal(await refused({ profile: "nbiot", values: { ackTimeoutMs: 999 } }), "/values/ackTimeoutMs");
  assert.equal(await refused({ profile: "nbiot", values: { ackRandomFactor: 0.9 } }), "/values/ackRandomFactor");
  assert.equal(await refused({ profile: "nbiot", values: { blockSizeBytes: 100 } }), "/values/blockSizeBytes");
  assert.equal(await refused({ profile: "default", values: { piggybackMs: 5_000 } }), "/values/piggybackMs");
  assert.equal(await refused({ profile: "lorawan", values: { maxRetransmit: 10 } }), "/values/maxRetransmit");
  assert.ok(await refused({ profile: "5g" }));
  assert.ok(await refused({ profile: "nbiot", values: { ackTimeout: 3 } }));
  assert.equal(at((await one.rest("GET", profile)).body, "profile"), "default");
});

test("RFC 7252 §4.2: operations give up by the link of the device, set while it is registered", async () => {
  await one.device.register({ query: ["lt=10000000", "lwm2m=1.1", "b=U"] });
  await one.rest("PUT", profile, { body: { profile: "satellite", values: { ackRandomFactor: 1 } } });
  // MAX_TRANSMIT_WAIT of 30 s and three resends: 30 + 60 + 120 + 240.
  assert.equal(await givesUpAfterSeconds(), 450);
  await one.rest("PUT", profile, { body: { profile: "default", values: { ackRandomFactor: 1 } } });
  assert.equal(await givesUpAfterSeconds(), 62);
});

test("RFC 7959 §2.5: the block size follows the device through a new registration, a new address and a kill of the server", async () => {
  await one.device.register();
  assert.equal(await answeredBlockBytes(one.device), 1_024);
  await one.rest("PUT", profile, { body: { profile: "lorawan", values: { mtuBytes: 300 } } });
  assert.equal(await answeredBlockBytes(one.device), 128);
  await one.device.register();
  assert.equal(await answeredBlockBytes(one.device), 128);

  const moved = new ScriptedDevice(one.world, { address: { address: "10.0.0.77", port: 40_000 } });
  const update = await moved.send({ method: Method.post, path: one.device.location });
  assert.equal(codeOf(update), "2.04");
  assert.deepEqual([await answeredBlockBytes(moved), await answeredBlockBytes(one.device)], [128, 1_024]);
  assert.equal(one.world.server.links.placedDevices, 1);

  await one.world.kill();
  await one.world.start();
  assert.equal(await answeredBlockBytes(moved), 128);
  await moved.close();
});

test("a device that leaves takes its link along; another one at its address has its own", async () => {
  await one.device.register();
  await one.rest("PUT", profile, { body: { profile: "nbiot" } });
  await one.device.register({ endpoint: "dev-2" });
  assert.equal(await answeredBlockBytes(one.device), 1_024);
  assert.equal(one.world.server.links.placedDevices, 0);
  await one.device.register();
  assert.equal(one.world.server.links.placedDevices, 1);
  assert.equal(codeOf(await one.device.deregister()), "2.02");
  assert.equal(one.world.server.links.placedDevices, 0);
  assert.equal(await answeredBlockBytes(one.device), 1_024);
  // Kept for when it comes back, until the device is deleted.
  await one.device.register();
  assert.equal(await answeredBlockBytes(one.device), 256);
  assert.equal((await one.rest("DELETE", "/devices/dev-1")).status, 204);
  assert.deepEqual([one.world.server.links.placedDevices, one.world.server.links.find("dev-1")], [0, undefined]);
});

test("LwM2M Core 1.1 §6.5: the awake window is MAX_TRANSMIT_WAIT of the device's own link, or what was set for it", async () => {
  await one.device.register({ query: ["lt=100000", "lwm2m=1.0", "b=UQ"] });
  await one.rest("PUT", profile, { body: { profile: "nbiot" } });
  one.device.answers.set("GET /3/0/0", senmlValue("/3/0/0", "ACME"));
  await one.device.update();
  await one.world.clock.advance(690_000);
  assert.equal(one.world.server.registrations.isAwake("dev-1"), true);
  await one.world.clock.advance(10_000);
  assert.equal(one.world.server.registrations.isAwake("dev-1"), false);
  await one.rest("PUT", profile, { body: { profile: "nbiot", awakeSeconds: 20 } });
  await one.device.update();
  await one.world.clock.advance(19_000);
  assert.equal(one.world.server.registrations.isAwake("dev-1"), true);
  await one.world.clock.advance(2_000);
  assert.equal(one.world.server.registrations.isAwake("dev-1"), false);
});

test("RFC 7959 §2.5: a body for the device goes out in blocks of its link", async () => {
  await one.device.register();
  await one.rest("PUT", profile, { body: { profile: "lorawan" } });
  one.device.answers.set("PUT /3/0/15", { code: ResponseCode.changed });
  const operation = await one.world.carryOut("dev-1", { kind: "write", path: "/3/0/15", value: "x".repeat(200) });
  assert.equal(operation.status, "succeeded", JSON.stringify(operation));
  const [request] = one.device.requests;
  assert.ok(request !== undefined && request.payload.length >= 200);
  // In blocks of 64: at least four requests, each with header, token, path and block number.
  const bytesDown = operation.attempts[0]?.bytesDown ?? 0;
  assert.ok(bytesDown > request.payload.length + 4 * 20, `${bytesDown} bytes for a body of ${request.payload.length}`);
});
