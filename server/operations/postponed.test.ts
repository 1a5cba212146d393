import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { at, restOf } from "../testing/rest.ts";
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

test("a device that says 5.03 and falls asleep before the time is over is not asked while it sleeps; what waits says so", async () => {
  const rest = restOf(world);
  await world.until(world.server.links.set("dev-1", { profile: "default", awakeSeconds: 5 }));
  await device.register({ query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
  let askedAt: readonly number[] = [];
  const startedAt = world.clock.now();
  device.answers.set("GET /3/0/9", () => {
    askedAt = [...askedAt, Math.round((world.clock.now() - startedAt) / 1_000)];
    return askedAt.length === 1 ? later : senmlValue("/3/0/9", 87);
  });
  device.answers.set("GET /3/0/0", senmlValue("/3/0/0", "ACME"));
  const created = await world.create("dev-1", { kind: "read", path: "/3/0/9" });
  assert.ok(created.ok);
  const operation = `/operations/${created.operation._id}`;
  const waitsFor = async (): Promise<unknown> => at((await rest("GET", operation)).body, "waitingFor", "code");
  await world.clock.advance(1_000);
  assert.equal(await waitsFor(), "patience");
  // Neither its next message nor another operation shortens it.
  await device.update();
  const second = await world.create("dev-1", { kind: "read", path: "/3/0/0" });
  assert.ok(second.ok);
  await world.clock.advance(1_000);
  assert.equal(await waitsFor(), "patience");
  await world.clock.advance(20_000);
  assert.equal(await waitsFor(), "wake-up");
  await world.clock.advance(20_000);
  assert.deepEqual(askedAt, [0], "it was asleep when the time was over");
  await device.update();
  await world.clock.advance(1_000);
  assert.equal(askedAt.length, 2);
  assert.equal(at((await rest("GET", operation)).body, "status"), "succeeded");
});
