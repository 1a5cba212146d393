/** Where a device is and whether it listens, told by its messages alone. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { bytes, codeOf, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

let world: ServerWorld;
let device: ScriptedDevice;

const path = "/3303/0/5700";
const sent = { method: Method.post, path: ["dp"], contentFormat: 110, payload: bytes(`[{"n":"${path}","v":5}]`) };
const broken = { ...sent, payload: bytes("[{") };
const elsewhere = { address: "192.0.2.9", port: 40_009 };

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world, { query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
  device.answers.set(`GET ${path}`, senmlValue(path, 21));
  await device.register();
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

const isAwake = () => world.server.registrations.isAwake("dev-1");
const address = async () => (await world.until(world.server.registrations.find("dev-1")))?.address;

describe("LwM2M Core 1.1 §6.5: each message of the device starts its awake window again", () => {
  const signs: readonly { what: string; say: () => Promise<unknown> }[] = [
    { what: "an Update", say: () => device.update() },
    { what: "a Send", say: () => device.send(sent) },
    { what: "a Send that cannot be read", say: () => device.send(broken) },
    { what: "a request for a package", say: () => device.send({ method: Method.get, path: ["fw", "none"] }) },
    { what: "a request for anything", say: () => device.send({ method: Method.get, path: ["nothing"] }) },
    { what: "a confirmable notification", say: () => world.until(device.notify(path, senmlValue(path, 22))) },
    { what: "a non-confirmable notification", say: () => world.until(device.notify(path, senmlValue(path, 23), false)) },
    { what: "an answer", say: () => world.carryOut("dev-1", { kind: "read", path }) },
  ];
  for (const { what, say } of signs) {
    test(`${what}, within the window`, async () => {
      await world.carryOut("dev-1", { kind: "observe", path });
      await world.clock.advance(90_000);
      assert.equal(isAwake(), true);
      await say();
      await world.clock.advance(90_000);
      assert.equal(isAwake(), true, "the window did not start again");
      await world.clock.advance(4_000);
      assert.equal(isAwake(), false);
      const presence = (await world.eventTypes("dev-1")).filter((type) => /awake|asleep/.test(type));
      assert.deepEqual(presence, ["device.awake", "device.asleep"], "one event for many messages");
    });
    if (what === "an answer") continue;
    test(`${what}, of a device asleep: what waits is sent`, async () => {
      await world.carryOut("dev-1", { kind: "observe", path });
      await world.clock.advance(94_000);
      const waits = await world.create("dev-1", { kind: "read", path });
      assert.ok(waits.ok);
      await world.clock.advance(1_000);
      assert.equal((await world.until(world.server.operations.find(waits.operation._id)))?.status, "queued");
      await say();
      await world.clock.advance(1_000);
      assert.equal((await world.until(world.server.operations.find(waits.operation._id)))?.status, "succeeded");
    });
  }

  test("the window goes on over a restart of the server: what waits is sent in it, and not after it", async () => {
    await world.clock.advance(60_000);
    await world.stop();
    await world.start();
    assert.equal(isAwake(), true);
    const sentAtOnce = await world.carryOut("dev-1", { kind: "read", path });
    assert.equal(sentAtOnce.status, "succeeded");
    await world.clock.advance(94_000);
    await world.stop();
    await world.start();
    assert.equal(isAwake(), false);
    const presence = (await world.eventTypes("dev-1")).filter((type) => /awake|asleep/.test(type));
    assert.deepEqual(presence, ["device.awake", "device.asleep"]);
  });

  test("a device that does not answer is asleep from then on, with an event; its next message wakes it", async () => {
    await world.until(world.server.links.set("dev-1", { profile: "default", awakeSeconds: 600 }));
    await device.update();
    await device.close();
    await world.create("dev-1", { kind: "read", path });
    await world.clock.advance(94_000);
    assert.equal(isAwake(), false, "the window would have gone on");
    const presence = async () => (await world.eventTypes("dev-1")).filter((type) => /awake|asleep/.test(type));
    assert.deepEqual(await presence(), ["device.awake", "device.asleep"]);
    const back = new ScriptedDevice(world, { address: device.address });
    back.answers.set(`GET ${path}`, senmlValue(path, 24));
    back.location = device.location;
    await back.update();
    assert.equal(isAwake(), true);
    await world.clock.advance(1_000);
    assert.deepEqual(back.asked, [`GET ${path}`], "what was not answered is sent again");
    device = back;
  });
});

describe("NoSec: the address is where the device last gave its location", () => {
  test("an Update behind a new NAT binding: requests go there, nothing to the old address", async () => {
    world.network.rebind(device.address, elsewhere);
    assert.equal(codeOf(await device.update()), "2.04");
    assert.deepEqual(await address(), elsewhere);
    const before = world.network.traffic.length;
    assert.equal((await world.carryOut("dev-1", { kind: "read", path })).status, "succeeded");
    const to = world.network.traffic
      .slice(before)
      .filter(({ from }) => from.port === 5_683)
      .map((datagram) => datagram.to);
    assert.ok(to.length > 0 && to.every(({ address: host }) => host === elsewhere.address), JSON.stringify(to));
    const updated = (await world.eventsOf("dev-1")).filter(({ type }) => type === "device.updated");
    assert.deepEqual(
      updated.map(({ data }) => (data as { changed: unknown }).changed),
      [["address"]],
    );
  });

  test("Send and notification from a new binding are of nobody: 4.04, reset, nothing kept, the registration where it was", async () => {
    await world.carryOut("dev-1", { kind: "observe", path });
    const before = await address();
    world.network.rebind(device.address, elsewhere);
    assert.equal(codeOf(await device.send(sent)), "4.04");
    assert.equal((await world.until(device.notify(path, senmlValue(path, 99)))).ok, false);
    assert.deepEqual(await address(), before);
    const twin = await world.until(world.server.twins.find("dev-1"));
    assert.notEqual(twin?.values[path]?.value, 99);
    assert.notEqual(twin?.values[path]?.value, 5);
  });

  test("De-register takes the location, from wherever it comes; a location nobody has is 4.04", async () => {
    world.network.rebind(device.address, elsewhere);
    assert.equal(codeOf(await device.send({ method: Method.delete, path: ["rd", "AAAAAAAAAAAAAAAAAAAAAA"] })), "4.04");
    assert.equal(codeOf(await device.deregister()), "2.02");
  });

  test("another device at the address the first was heard at: the first is called nowhere until it speaks", async () => {
    world.network.rebind(device.address, elsewhere);
    const other = new ScriptedDevice(world, { endpoint: "dev-2", address: device.address });
    other.answers.set(`GET ${path}`, senmlValue(path, 1));
    await other.register();
    const waits = await world.create("dev-1", { kind: "read", path });
    assert.ok(waits.ok);
    await world.clock.advance(5_000);
    assert.deepEqual(other.asked, []);
    await device.update();
    await world.clock.advance(1_000);
    assert.equal((await world.until(world.server.operations.find(waits.operation._id)))?.status, "succeeded");
    assert.deepEqual(other.asked, []);
    await other.close();
  });

  test("two devices that swap their addresses are each called where they are", async () => {
    const other = new ScriptedDevice(world, { endpoint: "dev-2", address: { address: "10.0.0.77", port: 7_777 } });
    other.answers.set(`GET ${path}`, senmlValue(path, 2));
    await other.register();
    const [mine, its] = [device.address, other.address];
    world.network.rebind(mine, { address: "192.0.2.1", port: 1 });
    world.network.rebind(its, mine);
    world.network.rebind(mine, its);
    await other.update();
    await device.update();
    for (const endpoint of ["dev-1", "dev-2"]) assert.equal((await world.carryOut(endpoint, { kind: "read", path })).status, "succeeded");
    assert.deepEqual([device.asked.length, other.asked.length], [1, 1]);
    await other.close();
  });
});
