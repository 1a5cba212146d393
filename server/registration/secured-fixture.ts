/** Devices over DTLS in tests, each with a pre-shared key of its own. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { senmlValue } from "../testing/scripted-device.ts";
import { SecuredDevice, type SecuredScript } from "../testing/secured-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

export async function aWorld(t: TestContext): Promise<ServerWorld> {
  const world = await ServerWorld.open();
  t.after(async () => {
    const { failures } = world.server;
    await world.close();
    assert.deepEqual(failures, []);
  });
  return world;
}

/** Its PSK identity is `id-` and its endpoint name. */
export async function aDevice(world: ServerWorld, endpoint = "dev-1", more: Partial<SecuredScript> = {}): Promise<SecuredDevice> {
  const identity = `id-${endpoint}`;
  const key = world.credentials.add(identity, endpoint);
  const device = await SecuredDevice.open(world, { identity, key, endpoint, ...more });
  device.scripted.answers.set("GET /3/0/9", senmlValue("/3/0/9", 50));
  return device;
}

export async function aRegistered(world: ServerWorld, endpoint = "dev-1", more: Partial<SecuredScript> = {}): Promise<SecuredDevice> {
  const device = await aDevice(world, endpoint, more);
  await device.connect();
  assert.equal((await device.scripted.register()).code, ResponseCode.created);
  await world.clock.advance(100);
  return device;
}

export const aSend: OutgoingRequest = {
  method: Method.post,
  path: ["dp"],
  contentFormat: ContentFormat.senmlJson,
  payload: new TextEncoder().encode('[{"n":"/3/0/9","v":7}]'),
};

export async function read(world: ServerWorld, endpoint = "dev-1") {
  const { status, reason } = await world.carryOut(endpoint, { kind: "read", path: "/3/0/9" }, 5_000);
  return reason === null ? status : `${status} ${reason}`;
}
