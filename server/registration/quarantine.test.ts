import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { deviceCollection } from "../devices/device-store.ts";
import type { UnknownDevicePolicy } from "../devices/unknown-devices.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { codeOf, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

let world: ServerWorld;
let rest: Rest;
const devices: ScriptedDevice[] = [];

beforeEach(async () => {
  world = await ServerWorld.open();
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await Promise.all(devices.splice(0).map((device) => device.close()));
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

async function serve(policy: UnknownDevicePolicy, limit = 1_000): Promise<void> {
  await world.stop();
  world.unknownDevices = { policy, limit };
  await world.start();
  rest = restOf(world);
}

let lastHost = 1;
function aDevice(endpoint = "dev-1", query: readonly string[] = ["lt=300", "lwm2m=1.1", "b=U", "Q"]): ScriptedDevice {
  lastHost += 1;
  const device = new ScriptedDevice(world, {
    endpoint,
    query,
    address: { address: `10.1.${lastHost >> 8}.${lastHost & 255}`, port: 5_683 },
  });
  device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 77));
  devices.push(device);
  return device;
}

const quarantined = async (): Promise<unknown> =>
  ((await rest("GET", "/devices?state=quarantined")).body as { items: { endpoint: string }[] }).items.map(({ endpoint }) => endpoint);

describe("LwM2M Core 1.1 §6.2.1, a name nobody knows, UNKNOWN_DEVICES=quarantine", () => {
  beforeEach(() => serve("quarantine"));

  test("registered, listed, called by nobody; its values are not kept", async () => {
    const device = aDevice();
    assert.equal(codeOf(await device.register()), "2.01");
    assert.deepEqual(await quarantined(), ["dev-1"]);
    const operation = await world.create("dev-1", { kind: "read", path: "/3/0/9" });
    assert.ok(operation.ok);
    const sent = await device.send({
      method: Method.post,
      path: ["dp"],
      contentFormat: 110,
      payload: new TextEncoder().encode('[{"n":"/3/0/9","v":5}]'),
    });
    assert.equal(codeOf(sent), "4.04");
    assert.equal(codeOf(await device.update()), "2.04");
    await world.clock.advance(10_000);
    assert.deepEqual(device.asked, []);
    assert.equal(await world.until(world.server.twins.find("dev-1")), undefined);
    assert.deepEqual(await world.eventTypes("dev-1"), ["device.quarantined", "device.registered", "operation.queued"]);
    const shown = await rest("GET", "/devices/dev-1");
    assert.deepEqual([at(shown.body, "state"), at(shown.body, "awake")], ["quarantined", false]);
  });

  test("POST :claim takes it in: what waits goes at its next sign of life, and not before", async () => {
    const device = aDevice();
    await device.register();
    await world.create("dev-1", { kind: "read", path: "/3/0/9" });
    const signs: string[] = [];
    world.server.registrations.onSignOfLife((endpoint, kind) => signs.push(`${endpoint} ${kind}`));
    const claimed = await rest("POST", "/devices/dev-1:claim");
    assert.equal(claimed.status, 200);
    assert.equal(at(claimed.body, "state"), undefined);
    assert.deepEqual(await quarantined(), []);
    await world.clock.advance(10_000);
    assert.deepEqual(device.asked, []);
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual(device.asked, ["GET /3/0/9"]);
    assert.equal(signs[0], "dev-1 registered", "nobody had heard of the registration");
    assert.ok(!signs.slice(1).includes("dev-1 registered"));
    assert.ok((await world.eventTypes("dev-1")).includes("device.claimed"));
    assert.equal((await rest("POST", "/devices/dev-1:claim")).status, 200, "again changes nothing");
    assert.equal((await rest("POST", "/devices/nobody:claim")).status, "device-unknown");
    assert.equal((await world.eventTypes("dev-1")).filter((type) => type === "device.claimed").length, 1);
  });

  test("it stays in quarantine over re-registration and kill -9, and so does the claim", async () => {
    const device = aDevice();
    await device.register();
    await device.register();
    await world.kill();
    await world.start();
    rest = restOf(world);
    assert.deepEqual(await quarantined(), ["dev-1"]);
    assert.equal(world.server.registrations.isAwake("dev-1"), false);
    await device.update();
    assert.equal(world.server.registrations.isAwake("dev-1"), false);
    await rest("POST", "/devices/dev-1:claim");
    await world.kill();
    await world.start();
    await device.update();
    assert.equal(world.server.registrations.isAwake("dev-1"), true);
  });

  test("expected are devices with an entry or something prepared; what is prepared later claims at the next Register", async () => {
    assert.equal((await rest("POST", "/devices", { body: { endpoint: "made" } })).status, 201);
    world.server.expected.add("prepared");
    await aDevice("made").register();
    await aDevice("prepared").register();
    const late = aDevice("late");
    await late.register();
    assert.deepEqual(await quarantined(), ["late"]);
    world.server.expected.add("late");
    await late.register();
    assert.deepEqual(await quarantined(), []);
    assert.equal(world.server.registrations.isAwake("late"), true);
  });

  test("DELETE forgets it", async () => {
    const device = aDevice();
    await device.register();
    assert.equal((await rest("DELETE", "/devices/dev-1")).status, 204);
    assert.deepEqual(await quarantined(), []);
    assert.equal(codeOf(await device.update()), "4.04");
  });

  test("a bad Register of an unknown name leaves nothing behind", async () => {
    assert.equal(codeOf(await aDevice().register({ links: "hello </3" })), "4.00");
    assert.deepEqual((await rest("GET", "/devices")).body, { items: [], next: null });
  });

  test("a crash at each write: in quarantine or not there, never let in", async () => {
    for (let nth = 1; nth <= 3; nth += 1) {
      for (const moment of ["before", "after"] as const) {
        const endpoint = `cut-${nth}-${moment}`;
        const device = aDevice(endpoint);
        world.store.dieAtWrite(world.store.writes + nth, moment, () => {});
        await world.until(device.beginRegister(), 400_000).catch(() => {});
        await world.kill();
        await world.start();
        rest = restOf(world);
        const stored = await world.until(world.store.collection(deviceCollection).findOne({ _id: endpoint }));
        assert.ok(stored === undefined || Reflect.get(stored, "state") === "quarantined", `${endpoint}: ${JSON.stringify(stored)}`);
        assert.equal(codeOf(await device.register()), "2.01");
        assert.ok(((await quarantined()) as string[]).includes(endpoint));
      }
    }
  });
});

describe("the bound of the quarantine", () => {
  test("a full one puts others off (5.03); the one whose registration is over gives way, with what waited for it", async () => {
    await serve("quarantine", 2);
    const one = aDevice("one", ["lt=60", "lwm2m=1.1"]);
    await one.register();
    const waits = await world.create("one", { kind: "read", path: "/3/0/9" });
    assert.ok(waits.ok);
    await aDevice("two", ["lt=9000", "lwm2m=1.1"]).register();
    const three = aDevice("three");
    const refused = await three.register();
    assert.deepEqual([codeOf(refused), refused.maxAgeSeconds], ["5.03", 900]);
    assert.equal(codeOf(await one.update()), "2.04", "those in it go on");
    await world.clock.advance(61_000);
    assert.equal(codeOf(await three.register()), "2.01");
    assert.deepEqual(await quarantined(), ["three", "two"]);
    assert.equal((await world.until(world.server.operations.find(waits.operation._id)))?.status, "cancelled");
    assert.deepEqual(world.server.refusals.counters, { unknown: 0, "quarantine-full": 1 });
  });

  test("many at once do not slip through", async () => {
    await serve("quarantine", 5);
    const codes = await world.until(Promise.all(Array.from({ length: 40 }, (_, i) => aDevice(`swarm-${i}`).beginRegister())));
    assert.equal(codes.filter((response) => codeOf(response) === "2.01").length, 5);
    assert.equal(((await quarantined()) as string[]).length, 5);
  });
});

describe("UNKNOWN_DEVICES=refuse", () => {
  beforeEach(() => serve("refuse"));

  test("4.03, nothing stored, one event for a name an hour, counted each time", async () => {
    const device = aDevice();
    for (let i = 0; i < 3; i += 1) assert.equal(codeOf(await device.register()), "4.03");
    assert.deepEqual(await world.until(world.server.devices.list({ limit: 10 })), []);
    const told = async () => (await world.eventTypes("dev-1")).filter((type) => type === "device.refused").length;
    assert.equal(await told(), 1);
    await world.clock.advance(3_600_000);
    await device.register();
    assert.equal(await told(), 2);
    assert.equal(world.server.refusals.counters.unknown, 4);
  });

  test("a flood of names: memory and events are bounded", async () => {
    const device = aDevice();
    for (let i = 0; i < 200; i += 1) assert.equal(codeOf(await device.register({ endpoint: `flood-${i}` })), "4.03");
    assert.equal(world.server.refusals.counters.unknown, 200);
    assert.ok(world.server.refusals.remembered <= 60 * 61, `${world.server.refusals.remembered}`);
    const events = await world.until(world.server.events.read({ after: "", limit: 1_000, types: ["device.refused"] }));
    assert.ok(events.length <= 120, `${events.length} events within two minutes`);
  });

  test("an expected device comes in", async () => {
    await rest("POST", "/devices", { body: { endpoint: "dev-1" } });
    assert.equal(codeOf(await aDevice().register()), "2.01");
    assert.equal(world.server.registrations.isAwake("dev-1"), true);
  });
});

test("POST /devices: shown as never seen, 409 for a second, 400 for a name no device may have", async () => {
  await serve("accept");
  const made = await rest("POST", "/devices", { body: { endpoint: "dev 1/ä" } });
  assert.deepEqual(made.headers, { Location: "/api/v1/devices/dev%201%2F%C3%A4" });
  assert.equal(at(made.body, "lastSeenAt"), null);
  assert.equal((await rest("POST", "/devices", { body: { endpoint: "dev 1/ä" } })).status, "conflict");
  for (const endpoint of ["", "..", "a\nb", "x".repeat(253), "ä".repeat(127)]) {
    assert.equal((await rest("POST", "/devices", { body: { endpoint } })).status, "bad-request", JSON.stringify(endpoint));
  }
  assert.deepEqual(await world.eventTypes("dev 1/ä"), ["device.created"]);
});

test("without a policy every device comes in, as before", async () => {
  await serve("accept");
  assert.equal(codeOf(await aDevice().register()), "2.01");
  assert.equal(world.server.registrations.isAwake("dev-1"), true);
  assert.ok((await world.eventTypes("dev-1")).includes("device.created"));
});
