import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { FirmwareDevice } from "../testing/firmware-device.ts";
import { type FreezingStore, freezingStore } from "../testing/freezing-store.ts";
import { ServerWorld, securedServerAddress, serverAddress } from "../testing/server-world.ts";
import type { OpenedServer } from "../testing/world-server.ts";
import { type FirmwareUpdate, finalStates } from "./update.ts";
import { updateCollection } from "./update-store.ts";

const image = new Uint8Array(3_000).map((_, index) => index % 251);
const leaseMs = 30_000;
const secondAddress = { address: "10.0.0.9", port: 5683 };
/** Virtual milliseconds in which an update is over that another server goes on with. */
const longEnoughMs = 1_200_000;

const updateEveryMs = 5_000;

async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Two servers; the device is at the first one, and at the second while that does not hear. */
class Fleet {
  readonly world: ServerWorld;
  readonly device: FirmwareDevice;
  readonly eyes: FreezingStore;
  readonly first: OpenedServer;
  readonly second: OpenedServer;
  isFrozen = false;

  private constructor(world: ServerWorld, eyes: FreezingStore, servers: readonly [OpenedServer, OpenedServer]) {
    this.world = world;
    this.eyes = eyes;
    [this.first, this.second] = servers;
    const address = { address: "10.0.0.2", port: 56_830 };
    const server = () => (this.isFrozen ? secondAddress : serverAddress);
    this.device = new FirmwareDevice(world, {}, { address }, { socket: () => world.network.socket(address), server });
    world.network.filter = ({ from, to }) => !this.isFrozen || ![from, to].some(({ address }) => address === serverAddress.address);
  }

  static async open(): Promise<Fleet> {
    const world = await ServerWorld.openShared(leaseMs);
    const eyes = freezingStore(world.store);
    const first = await world.until(world.join({ plain: serverAddress, secured: securedServerAddress }, () => eyes.store));
    const second = await world.until(world.join({ plain: secondAddress, secured: { ...secondAddress, port: 5684 } }));
    return new Fleet(world, eyes, [first, second]);
  }

  async start(): Promise<FirmwareUpdate> {
    const { world, device } = this;
    await device.device.register();
    await world.clock.advance(1_000);
    const { packages, updates } = this.first.server;
    const added = await world.until(packages.add({ name: "sensor", version: "2.0", createdBy: "test" }, inOne(image)));
    assert.ok(added.ok);
    const order = { endpoint: "dev-1", package: added.package, actor: "test", traceId: "0".repeat(32) };
    const started = await world.until(updates.start(order));
    assert.ok(started.ok);
    return started.update;
  }

  async stored(id: string): Promise<FirmwareUpdate> {
    const found = await this.world.until(this.world.store.collection<FirmwareUpdate>(updateCollection).findOne({ _id: id }));
    return found ?? assert.fail(`no update ${id}`);
  }

  /** While the first does not hear, the device updates its registration at the second. */
  async untilOver(id: string): Promise<FirmwareUpdate> {
    for (let passed = 0; passed < longEnoughMs && (await this.stored(id)).active; passed += updateEveryMs) {
      await this.world.clock.advance(updateEveryMs);
      const { device } = this.device;
      if (this.isFrozen) await this.world.until(device.request({ method: Method.post, path: device.location }));
    }
    return this.stored(id);
  }

  /** Changes of state in the event log, in order. */
  async states(): Promise<readonly string[]> {
    // What was left in an outbox is swept up by others within ten minutes.
    await this.world.clock.advance(660_000);
    const { events } = this.second.server;
    const found = await this.world.until(events.read({ after: "", limit: 1_000, subject: "dev-1" }));
    return found.filter(({ type }) => type === "update.changed").map(({ data }) => String(Reflect.get(Object(data), "state")));
  }

  async close(): Promise<void> {
    for (const { server, close } of [this.second, this.first]) {
      await this.world.until(close(true));
      assert.deepEqual(server.failures, []);
    }
    await this.device.close();
    await this.world.close();
    assert.equal(this.world.clock.pendingTimers(), 0, "a timer is left");
  }
}

describe("a firmware update, two servers on one store", () => {
  test("one of them drives it from its beginning to its end", async () => {
    const fleet = await Fleet.open();
    const { _id, claim } = await fleet.start();
    const update = await fleet.untilOver(_id);
    assert.deepEqual([update.state, update.claim], ["succeeded", claim]);
    assert.equal(claim?.epoch, 1);
    assert.equal(fleet.device.executes.length, 1);
    assert.deepEqual(
      (await fleet.states()).filter((state) => finalStates.some((end) => end === state)),
      ["succeeded"],
    );
    await fleet.close();
  });

  for (const moment of [
    '"state":"preparing"',
    '"state":"offering"',
    '"state":"downloading"',
    '"state":"applying"',
    '"status":"sent"',
    '"state":"rebooting"',
  ]) {
    test(`the one that drives it is frozen behind its write of ${moment}: the other ends it, with one Execute and one end`, async () => {
      const fleet = await Fleet.open();
      let frozenAt: number | undefined;
      fleet.eyes.freezeAfter((call) => {
        const isIt = call.includes(moment);
        if (isIt) [fleet.isFrozen, frozenAt] = [true, fleet.world.clock.now()];
        return isIt;
      });
      const { _id, claim } = await fleet.start();
      const update = await fleet.untilOver(_id);
      assert.notEqual(frozenAt, undefined, "it was not frozen");
      assert.equal(update.state, "succeeded", `${update.state} ${update.detail}`);
      assert.equal(update.claim?.epoch, 2);
      assert.notEqual(update.claim.owner, claim?.owner);
      assert.deepEqual(fleet.device.image, image);

      fleet.isFrozen = false;
      fleet.eyes.thaw();
      await fleet.world.clock.advance(leaseMs);
      const { outbox: _, hasOutbox: __, ...before } = update;
      const { outbox: ___, hasOutbox: ____, ...later } = await fleet.stored(_id);
      assert.deepEqual(later, before, "the other, awake again, changes nothing");
      assert.ok(fleet.device.executes.length <= 1);
      assert.equal(fleet.device.version, "2.0");
      assert.deepEqual(
        (await fleet.states()).filter((state) => finalStates.some((end) => end === state)),
        ["succeeded"],
      );
      await fleet.close();
    });
  }
});
