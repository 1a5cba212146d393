import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Collection, CollectionDefinition, Json, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { type FreezingStore, freezingStore } from "../testing/freezing-store.ts";
import { bytes, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld, securedServerAddress, serverAddress } from "../testing/server-world.ts";
import type { OpenedServer } from "../testing/world-server.ts";
import type { DesiredTwin } from "./desired.ts";
import { desiredCollection } from "./desired-store.ts";

const leaseMs = 30_000;
const path = "/3/0/15";
const firstAddresses = { plain: serverAddress, secured: securedServerAddress };
const secondAddresses = { plain: { address: "10.0.0.9", port: 5683 }, secured: { address: "10.0.0.9", port: 5684 } };
const by = { actor: "test", traceId: "0".repeat(32) };
const query = ["lt=86400", "lwm2m=1.1"];

let world: ServerWorld;
let device: ScriptedDevice;
let eyes: FreezingStore;
let first: OpenedServer;
let second: OpenedServer;
/** Where the device speaks to. */
let home: SocketAddress;

const change = (at: OpenedServer, values: { readonly [path: string]: Json }) =>
  at.server.desired.change("dev-1", { mode: "merge", values }, by);

async function wishes(): Promise<DesiredTwin> {
  const found = await world.until(second.server.desired.find("dev-1"));
  return found ?? assert.fail("nothing is desired");
}

const states = async () => Object.entries((await wishes()).wishes).map(([at, { value, state }]) => [at, value, state.kind]);
const puts = (): readonly string[] => device.asked.filter((line) => line.startsWith("PUT"));

async function openWrites(): Promise<number> {
  return (await world.until(second.server.operations.list({ endpoint: "dev-1", open: true, limit: 10 }))).length;
}

/** The store, with a count of the calls to one collection. */
function counted(store: Store, name: string, count: { calls: number }): Store {
  return Object.assign(Object.create(store), {
    collection: <T extends StoredDocument>(definition: CollectionDefinition): Collection<T> => {
      const collection = store.collection<T>(definition);
      if (definition.name !== name) return collection;
      return new Proxy(collection, {
        get(target, member) {
          count.calls += 1;
          const found: unknown = Reflect.get(target, member, target);
          return typeof found === "function" ? found.bind(target) : found;
        },
      });
    },
  });
}

test("a device of which nothing is wished costs no look: not at its contacts, not at its reports", async () => {
  const world = await ServerWorld.openShared(leaseMs);
  const count = { calls: 0 };
  const { server, close } = await world.until(world.join(firstAddresses, (store) => counted(store, desiredCollection.name, count)));
  const one = new ScriptedDevice(world);
  await one.register({ query });
  await world.clock.advance(1_000);
  count.calls = 0;
  const payload = bytes(`[{"n":"${path}","vs":"own"}]`);
  for (let round = 0; round < 5; round += 1) {
    await one.update();
    await one.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload });
  }
  assert.equal(count.calls, 0);
  // Of one that has what is wished, its reports of that cost none either; another value does.
  await world.until(server.desired.change("dev-1", { mode: "merge", values: { [path]: "own" } }, by));
  await world.clock.advance(1_000);
  count.calls = 0;
  await one.update();
  await one.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload });
  assert.equal(count.calls, 0);
  await one.send({
    method: Method.post,
    path: ["dp"],
    contentFormat: ContentFormat.senmlJson,
    payload: bytes(`[{"n":"${path}","vs":"other"}]`),
  });
  await world.clock.advance(1_000);
  assert.ok(count.calls > 0);
  await world.until(close(true));
  await one.close();
  await world.close();
  assert.deepEqual(server.failures, []);
});

describe("wishes where two servers share a store", () => {
  beforeEach(async () => {
    world = await ServerWorld.openShared(leaseMs);
    first = await world.until(
      world.join(firstAddresses, (store) => {
        eyes = freezingStore(store);
        return eyes.store;
      }),
    );
    second = await world.until(world.join(secondAddresses));
    home = serverAddress;
    const address = { address: "10.0.0.2", port: 56_830 };
    device = new ScriptedDevice(world, { address }, { socket: () => world.network.socket(address), server: () => home });
    device.answers.set(`PUT ${path}`, { code: ResponseCode.changed });
    device.answers.set("PUT /3/0/14", { code: ResponseCode.changed });
    await device.register({ query });
  });

  afterEach(async () => {
    for (const { server, close } of [second, first]) {
      await world.until(close(true));
      assert.deepEqual(server.failures, []);
    }
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  test("both change at the same time: nothing is lost, each resource is written once", async () => {
    const outcomes = await world.until(Promise.all([change(first, { [path]: "CET" }), change(second, { "/3/0/14": "+01:00" })]));
    assert.ok(outcomes.every(({ ok }) => ok));
    await world.clock.advance(1_000);
    // What was made at the second is for a device of the first: it leaves at the next registration.
    await device.register({ query });
    await world.clock.advance(30_000);
    assert.deepEqual((await states()).toSorted(), [
      ["/3/0/14", "+01:00", "held"],
      [path, "CET", "held"],
    ]);
    assert.deepEqual([[...puts()].sort(), await openWrites(), (await wishes()).version], [["PUT /3/0/14", `PUT ${path}`], 0, 2]);
  });

  test("both change the same at the same time: one open write, the last word is written", async () => {
    await device.deregister();
    for (let round = 0; round < 5; round += 1) {
      await world.until(Promise.all([change(first, { [path]: `a${round}` }), change(second, { [path]: `b${round}` })]));
      await world.clock.advance(1_000);
      assert.equal(await openWrites(), 1);
    }
    await device.register({ query });
    await world.clock.advance(30_000);
    const [[, value, state] = []] = await states();
    assert.deepEqual([state, puts().length, await openWrites()], ["held", 1, 0]);
    const { payload } = device.requests.find(({ method }) => method === Method.put) ?? assert.fail();
    assert.equal(JSON.parse(new TextDecoder().decode(payload))[0].vs, value);
  });

  test("the first is frozen with a write in the air: the second takes over, and what the first decides late is refused", async () => {
    device.answers.set(`PUT ${path}`, () => {
      if (puts().length === 1) eyes.freeze();
      return { code: ResponseCode.changed };
    });
    await world.until(change(first, { [path]: "CET" }));
    await world.clock.advance(2 * leaseMs);
    assert.deepEqual(await states(), [[path, "CET", "held"]]);
    const before = await wishes();
    eyes.thaw();
    await world.clock.advance(2 * leaseMs);
    assert.deepEqual([(await wishes()).rev, await openWrites()], [before.rev, 0]);
    assert.equal(puts().length, 2, "a Write may be repeated");
  });

  test("a device that comes to the second is looked after there: what it reports is written over", async () => {
    await world.until(change(first, { [path]: "CET" }));
    await world.clock.advance(1_000);
    home = secondAddresses.plain;
    await device.register({ query });
    const payload = bytes(`[{"n":"${path}","vs":"own"}]`);
    await device.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload });
    await world.clock.advance(1_000);
    assert.deepEqual([await states(), puts().length], [[[path, "CET", "held"]], 2]);
  });
});
