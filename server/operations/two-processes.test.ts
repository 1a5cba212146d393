import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { type ProcessDocument, processCollection } from "../storage/process-owner.ts";
import { type FreezingStore, freezingStore } from "../testing/freezing-store.ts";
import { ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld, securedServerAddress, serverAddress } from "../testing/server-world.ts";
import type { OpenedServer } from "../testing/world-server.ts";
import type { Operation, OperationRequest } from "./operation.ts";
import { operationCollection } from "./operation-store.ts";

const leaseMs = 30_000;
const firstAddresses = { plain: serverAddress, secured: securedServerAddress };
const secondAddresses = { plain: { address: "10.0.0.9", port: 5683 }, secured: { address: "10.0.0.9", port: 5684 } };
const by = { actor: "test", traceId: "0".repeat(32) };
const read: OperationRequest = { kind: "read", path: "/3/0/9" };
const execute: OperationRequest = { kind: "execute", path: "/3/0/4" };
const lineOf = (request: OperationRequest): string => `${request.kind === "read" ? "GET" : "POST"} ${request.path}`;

let world: ServerWorld;
let device: ScriptedDevice;
let eyes: FreezingStore;
let first: OpenedServer;
let opened: OpenedServer[];
/** Where the device registers. */
let home: SocketAddress;

async function join(...more: Parameters<ServerWorld["join"]>): Promise<OpenedServer> {
  const server = await world.until(world.join(...more));
  opened.push(server);
  return server;
}

/** In the hands of the first server; the device is registered there. */
async function begin(request: OperationRequest): Promise<string> {
  const outcome = await world.until(first.server.operations.create("dev-1", request, by));
  assert.ok(outcome.ok);
  await world.clock.advance(500);
  return outcome.operation._id;
}

async function stored(id: string): Promise<Operation> {
  const found = await world.until(world.store.collection<Operation>(operationCollection).findOne({ _id: id }));
  return found ?? assert.fail(`no operation ${id}`);
}

async function processes(): Promise<readonly string[]> {
  const found = await world.until(world.store.collection<ProcessDocument>(processCollection).find({}));
  return found.map(({ _id }) => _id);
}

/** Ends in the event log, by operation. */
async function ends({ server }: OpenedServer): Promise<readonly string[]> {
  // What was left in an outbox is swept up by others within ten minutes.
  await world.clock.advance(660_000);
  const events = await world.until(server.events.read({ after: "", limit: 1_000, subject: "dev-1" }));
  return events.map(({ type }) => type).filter((type) => /^operation\.(succeeded|failed|expired|cancelled)$/.test(type));
}

describe("two servers on one store", () => {
  beforeEach(async () => {
    world = await ServerWorld.openShared(leaseMs);
    opened = [];
    first = await join(firstAddresses, (store) => {
      eyes = freezingStore(store);
      return eyes.store;
    });
    home = serverAddress;
    const address = { address: "10.0.0.2", port: 56_830 };
    device = new ScriptedDevice(world, { address }, { socket: () => world.network.socket(address), server: () => home });
    device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
    device.answers.set("POST /3/0/4", { code: ResponseCode.changed });
    await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
  });

  afterEach(async () => {
    for (const { server, close } of opened.toReversed()) {
      await world.until(close(true));
      assert.deepEqual(server.failures, []);
    }
    assert.deepEqual(await processes(), [], "whoever closes leaves no document");
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  for (const request of [read, execute]) {
    test(`${request.kind}: a second server starts while the first has it in the air, which goes on and ends it`, async () => {
      world.network.filter = ({ to }) => to.port !== serverAddress.port || to.address !== serverAddress.address;
      const id = await begin(request);
      const second = await join(secondAddresses);
      await world.clock.advance(leaseMs);
      const during = await stored(id);
      assert.deepEqual([during.open, during.claim?.epoch, during.attempts.length], [true, 1, 0], "under way, all the time");
      world.network.filter = () => true;
      await world.clock.advance(60_000);
      const operation = await stored(id);
      assert.deepEqual([operation.status, operation.claim, operation.attempts.length], ["succeeded", during.claim, 1]);
      assert.deepEqual(device.asked, [lineOf(request)]);
      assert.deepEqual(await ends(second), ["operation.succeeded"]);
    });

    test(`${request.kind}: the first is frozen with it in the air, the second takes over when its lease ends; what the first writes late is refused`, async () => {
      const answer = device.answers.get(lineOf(request)) ?? assert.fail();
      assert.ok(typeof answer !== "function");
      device.answers.set(lineOf(request), () => {
        if (device.asked.length === 1) eyes.freeze();
        return answer;
      });
      const second = await join(secondAddresses);
      const id = await begin(request);
      const [owner] = await processes();
      assert.deepEqual((await stored(id)).claim, { owner, epoch: 1 });
      await world.clock.advance(leaseMs / 2);
      assert.equal((await stored(id)).status, request === read ? "leased" : "sent", "its lease runs");
      await world.clock.advance(leaseMs + 10_000);
      const taken = await stored(id);
      if (request === read) assert.deepEqual([taken.status, taken.claim?.epoch, taken.claim?.owner === owner], ["succeeded", 2, false]);
      else assert.deepEqual([taken.status, taken.reason, taken.claim?.epoch], ["failed", "outcome-unknown", 1]);
      assert.equal((await processes()).length, 1, "the document of the first is gone with all it had");

      eyes.thaw();
      await world.clock.advance(leaseMs);
      const { outbox: _, hasOutbox: __, ...before } = taken;
      const { outbox: ___, hasOutbox: ____, ...later } = await stored(id);
      assert.deepEqual(later, before, "the answer that the first had is refused");
      assert.deepEqual(device.asked, Array(request === read ? 2 : 1).fill(lineOf(request)));
      assert.deepEqual(await ends(second), [request === read ? "operation.succeeded" : "operation.failed"]);
      const names = await processes();
      assert.equal(names.length, 2);
      assert.ok(owner !== undefined && !names.includes(owner), "awake again, it has another name");

      const next = await begin(request);
      assert.equal((await stored(next)).status, "succeeded", "and works on");
    });
  }

  test("what waits for a device of the first is sent by the first, also when the second has read it at its start; after a take-over by the second", async () => {
    const notBefore = world.clock.now() + 10_000;
    const id = await begin({ ...read, notBefore });
    const second = await join(secondAddresses);
    assert.deepEqual(
      [first, second].map(({ server }) => server.registrations.isAwake("dev-1")),
      [true, false],
    );
    const [owner] = await processes();
    await world.clock.advance(10_500);
    const sent = await stored(id);
    assert.deepEqual([sent.status, sent.claim?.owner], ["succeeded", owner]);

    const later = await begin({ ...read, notBefore: world.clock.now() + 10_000 });
    eyes.freeze();
    await world.clock.advance(2 * leaseMs);
    const taken = await stored(later);
    assert.equal(taken.status, "succeeded", "nothing of the device's own was needed");
    assert.notEqual(taken.claim?.owner, owner);
    eyes.thaw();
  });

  test("a device that registers at the second is the second's: what waits for it since the first is sent from there", async () => {
    const second = await join(secondAddresses);
    const id = await begin({ ...read, notBefore: world.clock.now() + 10_000 });
    home = secondAddresses.plain;
    await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
    await world.clock.advance(30_000);
    const operation = await stored(id);
    const registration = await world.until(second.server.registrations.find("dev-1"));
    assert.deepEqual([operation.status, operation.claim?.owner, operation.claim?.epoch], ["succeeded", registration?.owner, 1]);
    assert.notEqual(registration?.owner, (await processes())[0]);
  });

  test("frozen between the claim and the datagram: awake again, it sends nothing", async () => {
    await join(secondAddresses);
    eyes.freezeAfter((call) => call.includes('"status":"sent"'));
    const id = await begin(execute);
    assert.equal((await stored(id)).status, "sent");
    await world.clock.advance(leaseMs + 20_000);
    assert.deepEqual([(await stored(id)).status, (await stored(id)).reason], ["failed", "outcome-unknown"]);
    eyes.thaw();
    await world.clock.advance(leaseMs);
    assert.deepEqual(device.asked, []);
  });
});
