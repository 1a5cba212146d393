import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { StorageUnavailableError } from "../storage/collection.ts";
import { oneDevice } from "../testing/one-device.ts";
import { bytes, content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { serverAddress } from "../testing/server-world.ts";
import type { Observation } from "./observation.ts";

const path = "/3303/0/5700";
const observed = `GET ${path} observe 0`;
const lifetime = ["lt=86400", "lwm2m=1.1", "b=U"];

const one = oneDevice({ query: lifetime });

beforeEach(async () => {
  one.device.answers.set(`GET ${path}`, senmlValue(path, 20.5));
  await one.device.register();
});

const observe = () => one.world.carryOut("dev-1", { kind: "observe", path });
const observation = async (): Promise<Observation> => {
  const found = await one.world.until(one.world.server.observations.find("dev-1", path));
  assert.ok(found);
  return found;
};
const known = async () => (await one.world.until(one.world.server.twins.find("dev-1")))?.values[path];
const history = async () => {
  const toMs = one.world.clock.now() + 1;
  const points = await one.world.until(one.world.server.twins.history({ endpoint: "dev-1", path, fromMs: 0, toMs, limit: 100 }));
  return points.map(({ value }) => value);
};
const changes = async () => (await one.world.eventsOf("dev-1")).filter(({ type }) => type === "resource.changed");
const notify = (response: OutgoingResponse) => one.world.until(one.device.notify(path, response));

test("RFC 7641 §3.1: granted: stored with its token; the first value is known, in the history and told", async () => {
  const operation = await observe();
  assert.equal(operation.status, "succeeded");
  assert.deepEqual(operation.result, {
    kind: "values",
    values: [{ path, name: "temperature/0/sensorValue", type: "float", value: 20.5 }],
  });
  const held = await observation();
  assert.equal(held.state, "active");
  assert.equal(held.relation?.token, operation.attempts[0]?.token);
  assert.equal((await known())?.source, "notify");
  assert.deepEqual(await history(), [20.5]);
  const types = await one.world.eventTypes("dev-1");
  assert.ok(types.includes("observation.started") && types.includes("resource.changed"), String(types));
});

test("RFC 7641 §3.5, LwM2M Core 1.1 §6.4.2: a notification is acknowledged when twin, history and event are durable, not before", async () => {
  await observe();
  one.world.store.fail(new StorageUnavailableError("gone"));
  const notified = one.device.notify(path, senmlValue(path, 21.5));
  await one.world.clock.advance(500);
  one.world.store.fail(undefined);
  assert.equal((await known())?.value, 20.5, "nothing was kept, so nothing was acknowledged");
  assert.deepEqual(await one.world.until(notified), { ok: true }, "the device repeats it");
  assert.equal((await known())?.value, 21.5);
  await one.world.kill();
  await one.world.start();
  assert.equal((await known())?.value, 21.5);
  assert.deepEqual(await history(), [20.5, 21.5]);
  const told = (await changes()).map(({ data }) => (data as { values: { value: number }[] }).values[0]?.value);
  assert.deepEqual(told, [20.5, 21.5]);
});

test("our restart: the old token is still held, its notification accepted and acknowledged, nothing asked again", async () => {
  await observe();
  await one.world.kill();
  await one.world.start();
  await one.world.clock.advance(1_000);
  assert.deepEqual(await notify(senmlValue(path, 22)), { ok: true });
  assert.equal((await known())?.value, 22);
  assert.deepEqual(one.device.asked, [observed]);
});

test("LwM2M Core 1.1 §6.4.1: a device that registers anew is observed anew, attributes and all", async () => {
  one.device.answers.set(`PUT ${path}?pmin=5`, { code: ResponseCode.changed });
  await one.world.carryOut("dev-1", { kind: "observe", path, attributes: { pmin: 5 } });
  assert.deepEqual(one.device.asked, [`PUT ${path}?pmin=5`, observed]);
  const before = await observation();
  await one.device.restart();
  await one.device.register();
  await one.world.clock.advance(1_000);
  assert.deepEqual(one.device.asked.slice(2), [`PUT ${path}?pmin=5`, observed]);
  const after = await observation();
  assert.equal(after.state, "active");
  assert.notEqual(after.relation?.token, before.relation?.token);
  assert.deepEqual(await notify(senmlValue(path, 23)), { ok: true });
});

test("a kill between the registration and the new observation: asked again at the start", async () => {
  await observe();
  await one.device.restart();
  // The last thing the process does is to send the 2.01.
  one.world.network.filter = ({ from }) => {
    if (from.port === serverAddress.port) one.world.store.fail(new Error("the process was killed"));
    return true;
  };
  await one.device.register();
  one.world.network.filter = () => true;
  await one.world.kill();
  assert.equal(one.device.asked.filter((line) => line === observed).length, 1);
  await one.world.start();
  await one.world.clock.advance(2_000);
  assert.equal(one.device.asked.filter((line) => line === observed).length, 2);
  assert.equal((await observation()).state, "active");
});

test("gone and back: the wish waits while the device is not registered", async () => {
  await observe();
  await one.device.deregister();
  await one.world.clock.advance(100);
  assert.equal((await observation()).state, "waiting");
  await one.device.register();
  await one.world.clock.advance(1_000);
  assert.equal((await observation()).state, "active");
});

test("RFC 7641 §3.6: cancelled actively with the same token, the answer is the last value; later notifications are refused", async () => {
  await observe();
  one.device.answers.set(`GET ${path}`, senmlValue(path, 17.25));
  const operation = await one.world.carryOut("dev-1", { kind: "cancelObserve", path });
  assert.equal(operation.status, "succeeded");
  assert.equal(one.device.asked.at(-1), `GET ${path} observe 1`);
  assert.equal((await one.world.until(one.world.server.twins.find("dev-1")))?.values[path]?.value, 17.25);
  const ended = await observation();
  assert.deepEqual([ended.state, ended.endReason], ["ended", "cancelled"]);
  assert.ok((await one.world.eventTypes("dev-1")).includes("observation.ended"));
  const again = await one.world.carryOut("dev-1", { kind: "cancelObserve", path });
  assert.deepEqual([again.status, again.reason], ["failed", "not-observing"]);
});

test("RFC 7641 §4.2: an error notification ends it, with the reason kept", async () => {
  await observe();
  await notify({ code: ResponseCode.notFound });
  await one.world.clock.advance(100);
  const ended = await observation();
  assert.deepEqual([ended.state, ended.endReason, ended.coapCode], ["ended", "device-ended", "4.04"]);
});

test("as Eclipse Leshan tests it: a notification that cannot be read is acknowledged and shown; the relation stays", async () => {
  await observe();
  const strange = { code: ResponseCode.content, contentFormat: ContentFormat.senmlJson, payload: bytes("[not json") };
  assert.deepEqual(await notify(strange), { ok: true });
  await one.world.clock.advance(100);
  assert.equal((await observation()).state, "active");
  assert.ok((await observation()).fault?.detail);
  assert.deepEqual(await notify(senmlValue(path, 24)), { ok: true });
  assert.equal((await known())?.value, 24);
});

test("a device that answers without granting: the operation fails as not-observing, the value is known all the same", async () => {
  one.device.answers.set("GET /3/0/9", { ...senmlValue("/3/0/9", 80), code: ResponseCode.content });
  one.device.grants = false;
  const operation = await one.world.carryOut("dev-1", { kind: "observe", path });
  assert.deepEqual([operation.status, operation.reason], ["failed", "not-observing"]);
  assert.equal((await known())?.value, 20.5);
  assert.equal(await one.world.until(one.world.server.observations.find("dev-1", path)), undefined);
});

test("as Eclipse Leshan tests it: historical values go to the history; a late one never replaces a newer", async () => {
  await observe();
  const nowSeconds = Math.floor(one.world.clock.now() / 1_000);
  const late = `[{"bn":"${path}","bt":${nowSeconds - 600},"v":18},{"t":60,"v":19}]`;
  assert.deepEqual(await notify(content(late)), { ok: true });
  assert.equal((await known())?.value, 20.5);
  assert.deepEqual(await history(), [18, 19, 20.5]);
});

test("as Eclipse Leshan tests it: a second observe of the path replaces the first", async () => {
  const first = await observe();
  const second = await observe();
  assert.notEqual(first.attempts[0]?.token, second.attempts[0]?.token);
  assert.equal((await observation()).relation?.token, second.attempts[0]?.token);
  assert.deepEqual(await notify(senmlValue(path, 25)), { ok: true });
});

test("eclipse-leshan/leshan#1636: behind a new NAT binding a notification is not refused, and taken once an Update came from there", async () => {
  await observe();
  const moved = { address: "198.51.100.7", port: 7 };
  one.world.network.rebind(one.device.address, moved);
  const early = one.device.notify(path, senmlValue(path, 21));
  await one.world.clock.advance(1_000);
  assert.deepEqual(await history(), [20.5], "not before the device has shown who it is");
  assert.equal((await one.device.update()).code, ResponseCode.changed);
  assert.deepEqual(await one.world.until(early), { ok: true }, "repeated by the device, acknowledged at last");
  assert.deepEqual(await notify(senmlValue(path, 22)), { ok: true });
  assert.deepEqual(await history(), [20.5, 21, 22]);
  await one.world.kill();
  await one.world.start();
  assert.deepEqual(await notify(senmlValue(path, 23)), { ok: true }, "kept over a restart at the new address");
  assert.deepEqual(await history(), [20.5, 21, 22, 23]);
});

test("a notification is a sign of life: what waits for a sleeping device is sent", async () => {
  const sleepy = new ScriptedDevice(one.world, { endpoint: "dev-2", address: { address: "10.0.0.3", port: 1 }, query: [...lifetime, "Q"] });
  sleepy.answers.set(`GET ${path}`, senmlValue(path, 1));
  sleepy.answers.set("GET /3/0/9", senmlValue("/3/0/9", 50));
  await sleepy.register();
  await one.world.carryOut("dev-2", { kind: "observe", path });
  await one.world.clock.advance(94_000);
  const outcome = await one.world.create("dev-2", { kind: "read", path: "/3/0/9" });
  assert.ok(outcome.ok);
  await one.world.until(sleepy.notify(path, senmlValue(path, 2)));
  await one.world.clock.advance(1_000);
  assert.equal((await one.world.until(one.world.server.operations.find(outcome.operation._id)))?.status, "succeeded");
  await sleepy.close();
});

test("LwM2M Core 1.1 §6.4.6 Send: durable, then 2.04; unknown senders, unregistered objects and bad payloads are refused", async () => {
  const send = (payload: string, contentFormat: number = ContentFormat.senmlJson) =>
    one.device.send({ method: 2, path: ["dp"], contentFormat, payload: bytes(payload) });
  const accepted = await send(`[{"n":"${path}","v":30},{"n":"/3/0/9","v":55}]`);
  assert.equal(accepted.code, ResponseCode.changed);
  assert.equal((await known())?.source, "send");
  await one.world.kill();
  await one.world.start();
  assert.equal((await known())?.value, 30);
  assert.equal((await send('[{"n":"/5/0/3","v":1}]')).code, ResponseCode.notFound);
  assert.equal((await send("[")).code, ResponseCode.badRequest);
  assert.equal((await send("x", 0)).code >> 5, 4);
  const stranger = new ScriptedDevice(one.world, { endpoint: "x", address: { address: "10.0.0.9", port: 9 } });
  const refused = await stranger.send({ method: 2, path: ["dp"], contentFormat: 110, payload: bytes(`[{"n":"${path}","v":99}]`) });
  assert.equal(refused.code, ResponseCode.notFound);
  await stranger.close();
});
