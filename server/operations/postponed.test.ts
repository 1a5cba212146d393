import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

let world: ServerWorld;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world);
  await device.register();
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

const later = { code: ResponseCode.serviceUnavailable, maxAgeSeconds: 30 };

test("RFC 7252 §5.9.3.4: a device that says 5.03 with Max-Age is asked once more when the time is over", async () => {
  let asked = 0;
  device.answers.set("GET /3/0/9", () => (++asked === 1 ? later : senmlValue("/3/0/9", 87)));
  const startedAt = world.clock.now();
  const operation = await world.carryOut("dev-1", { kind: "read", path: "/3/0/9" }, 60_000);
  assert.deepEqual([operation.status, operation.coapCode, asked], ["succeeded", "2.05", 2]);
  assert.ok(world.clock.now() - startedAt >= 30_000);
});

test("LwM2M Core 1.1 §6.3.5: an Execute is never sent again by itself, whatever the device asks", async () => {
  device.answers.set("POST /3/0/4", later);
  const operation = await world.carryOut("dev-1", { kind: "execute", path: "/3/0/4" }, 60_000);
  assert.deepEqual([operation.status, operation.coapCode], ["failed", "5.03"]);
  await world.clock.advance(60_000);
  assert.deepEqual(device.asked, ["POST /3/0/4"]);
});
