import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

const path = "/3303/0/5700";
const attributes = { pmin: 5, gt: 30 };
const changed = { code: ResponseCode.changed };

let world: ServerWorld;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world);
  device.answers.set(`GET ${path}`, senmlValue(path, 20.5));
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
});

const register = (version: string) => device.register({ query: ["lt=86400", `lwm2m=${version}`] });
const observe = () => world.carryOut("dev-1", { kind: "observe", path, attributes });
const relationQuery = async () => (await world.until(world.server.observations.find("dev-1", path)))?.relation?.query;

for (const version of ["1.0", "1.1"]) {
  test(`LwM2M Core 1.1 §6.4.1: a ${version} device gets its attributes by Write-Attributes, then the Observe`, async () => {
    await register(version);
    device.answers.set(`PUT ${path}?pmin=5&gt=30`, changed);
    assert.equal((await observe()).status, "succeeded");
    assert.deepEqual(device.asked, [`PUT ${path}?pmin=5&gt=30`, `GET ${path} observe 0`]);
    assert.equal(await relationQuery(), undefined);
  });
}

test("LwM2M Core 1.2 §6.4.1: a 1.2 device gets them in the Observe, which the cancellation repeats (RFC 7641 §3.6)", async () => {
  await register("1.2");
  device.answers.set(`GET ${path}?pmin=5&gt=30`, senmlValue(path, 20.5));
  assert.equal((await observe()).status, "succeeded");
  assert.deepEqual(await relationQuery(), ["pmin=5", "gt=30"]);
  await world.carryOut("dev-1", { kind: "cancelObserve", path });
  assert.deepEqual(device.asked, [`GET ${path}?pmin=5&gt=30 observe 0`, `GET ${path}?pmin=5&gt=30 observe 1`]);
});

for (const code of [ResponseCode.badRequest, ResponseCode.badOption]) {
  test(`a 1.2 device that refuses them there (${code}) gets them written`, async () => {
    await register("1.2");
    device.answers.set(`GET ${path}?pmin=5&gt=30`, { code });
    device.answers.set(`PUT ${path}?pmin=5&gt=30`, changed);
    assert.equal((await observe()).status, "succeeded");
    assert.deepEqual(device.asked, [`GET ${path}?pmin=5&gt=30 observe 0`, `PUT ${path}?pmin=5&gt=30`, `GET ${path} observe 0`]);
    assert.equal(await relationQuery(), undefined);
  });
}

test("a refusal of both ways stands", async () => {
  await register("1.2");
  device.answers.set(`GET ${path}?pmin=5&gt=30`, { code: ResponseCode.badRequest });
  device.answers.set(`PUT ${path}?pmin=5&gt=30`, { code: ResponseCode.badRequest });
  const refused = await observe();
  assert.deepEqual([refused.reason, refused.coapCode, device.asked.length], ["device-rejected", "4.00", 2]);
});

test("LwM2M Core 1.1 §5.1.2: an attribute is only removed by writing, also at a 1.2 device", async () => {
  await register("1.2");
  device.answers.set(`PUT ${path}?pmin=5&gt`, changed);
  const operation = await world.carryOut("dev-1", { kind: "observe", path, attributes: { pmin: 5, gt: null } });
  assert.equal(operation.status, "succeeded", String(operation.detail));
  assert.deepEqual(device.asked, [`PUT ${path}?pmin=5&gt`, `GET ${path} observe 0`]);
});
