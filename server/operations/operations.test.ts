import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest } from "@lwm2m/protocol/coap/message";
import { StorageUnavailableError } from "../storage/collection.ts";
import { content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { Operation } from "./operation.ts";

const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];
const changed = { code: ResponseCode.changed };
/** Longer than the awake window of 93 s. */
const untilAsleepMs = 94_000;
/** Longer than a request is repeated for. */
const untilGivenUpMs = 100_000;

let world: ServerWorld;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

const stored = async (id: string): Promise<Operation> => {
  const operation = await world.until(world.server.operations.find(id));
  assert.ok(operation);
  return operation;
};
const queued = async (request: Parameters<ServerWorld["create"]>[1], endpoint = "dev-1"): Promise<Operation> => {
  const outcome = await world.create(endpoint, request);
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return outcome.operation;
};
const refusal = async (request: Parameters<ServerWorld["create"]>[1], endpoint = "dev-1") => {
  const outcome = await world.create(endpoint, request);
  assert.equal(outcome.ok, false, JSON.stringify(outcome));
  return outcome.ok ? undefined : outcome.refusal;
};
const text = (request: IncomingRequest | undefined): string => new TextDecoder().decode(request?.payload);

describe("LwM2M Core 1.1 §6.3: operations of an awake device", () => {
  beforeEach(async () => {
    await device.register();
  });

  test("Read: typed, named values; attempts tell what it cost; the value becomes the last known one", async () => {
    device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
    const operation = await world.carryOut("dev-1", { kind: "read", path: "/3/0/9" });
    assert.equal(operation.status, "succeeded");
    assert.equal(operation.coapCode, "2.05");
    const values = [{ path: "/3/0/9", name: "device/0/batteryLevel", type: "integer", value: 87 }];
    assert.deepEqual(operation.result, { kind: "values", values });
    const [attempt] = operation.attempts;
    assert.ok(attempt);
    assert.equal(attempt.outcome, "2.05");
    assert.match(attempt.token, /^[0-9a-f]{2,16}$/);
    assert.ok((attempt.roundTripMs ?? 0) > 0 && attempt.bytesUp > 0 && attempt.bytesDown > 0);
    const twin = await world.until(world.server.twins.find("dev-1"));
    assert.equal(twin?.values["/3/0/9"]?.value, 87);
    assert.equal(twin?.values["/3/0/9"]?.source, "read");
    const types = await world.eventTypes("dev-1");
    assert.deepEqual(
      types.filter((type) => type.startsWith("operation")),
      ["operation.queued", "operation.sent", "operation.succeeded"],
    );
  });

  test("Read of an instance: what the device no longer has is no longer known", async () => {
    device.answers.set("GET /3/0", content('[{"bn":"/3/0/","n":"9","v":87},{"n":"7/0","v":3800},{"n":"7/1","v":5000}]'));
    await world.carryOut("dev-1", { kind: "read", path: "/3/0" });
    device.answers.set("GET /3/0", content('[{"bn":"/3/0/","n":"9","v":86},{"n":"7/0","v":3700}]'));
    await world.carryOut("dev-1", { kind: "read", path: "/3/0" });
    const twin = await world.until(world.server.twins.find("dev-1"));
    assert.deepEqual(Object.keys(twin?.values ?? {}).toSorted(), ["/3/0/7/0", "/3/0/9"]);
  });

  test("Write: PUT replaces, POST updates, in the format the device registered; 2.04", async () => {
    device.answers.set("PUT /3/0/15", changed);
    device.answers.set("POST /3/0", changed);
    assert.equal((await world.carryOut("dev-1", { kind: "write", path: "/3/0/15", value: "Europe/Paris" })).status, "succeeded");
    assert.deepEqual(JSON.parse(text(device.requests[0])), [{ bn: "/3/0/15", vs: "Europe/Paris" }]);
    await world.carryOut("dev-1", { kind: "write", path: "/3/0", value: { utcOffset: "+02:00" }, mode: "update" });
    assert.equal(device.requests[1]?.contentFormat, 110);
    assert.match(text(device.requests[1]), /\/14".*\+02:00/);
    const twin = await world.until(world.server.twins.find("dev-1"));
    assert.equal(twin?.values["/3/0/15"]?.source, "write");
  });

  test("Execute, Create with the location of the answer, Delete, Discover, Write-Attributes", async () => {
    device.answers.set("POST /3/0/4", changed);
    device.answers.set("POST /3303", { code: ResponseCode.created, locationPath: ["3303", "7"] });
    device.answers.set("DELETE /3303/7", { code: ResponseCode.deleted });
    const links = "</3/0>,</3/0/9>;pmin=10,</3/0/7>;dim=2";
    device.answers.set("GET /3/0", { code: ResponseCode.content, contentFormat: 40, payload: new TextEncoder().encode(links) });
    device.answers.set("PUT /3/0/9?pmin=10&pmax=60", changed);
    await world.carryOut("dev-1", { kind: "execute", path: "/3/0/4", arguments: "0='now'" });
    assert.equal(text(device.requests[0]), "0='now'");
    const created = await world.carryOut("dev-1", { kind: "create", path: "/3303", value: { "5701": "Cel" } });
    assert.deepEqual(created.result, { kind: "created", path: "/3303/7" });
    assert.equal((await world.carryOut("dev-1", { kind: "delete", path: "/3303/7" })).status, "succeeded");
    const discovered = await world.carryOut("dev-1", { kind: "discover", path: "/3/0" });
    assert.ok(discovered.result?.kind === "links");
    assert.deepEqual(
      discovered.result.links.map(({ path, attributes }) => [path, attributes]),
      [
        ["/3/0", {}],
        ["/3/0/9", { pmin: "10" }],
        ["/3/0/7", { dim: "2" }],
      ],
    );
    const attributes = { pmin: 10, pmax: 60 };
    assert.equal((await world.carryOut("dev-1", { kind: "writeAttributes", path: "/3/0/9", attributes })).status, "succeeded");
  });

  test("the device's refusal is a failed operation with its code and words; an unreadable answer is invalid", async () => {
    device.answers.set("GET /3/0/13", { code: ResponseCode.methodNotAllowed, payload: new TextEncoder().encode("not now") });
    const rejected = await world.carryOut("dev-1", { kind: "read", path: "/3/0/13" });
    assert.deepEqual(
      [rejected.status, rejected.reason, rejected.coapCode, rejected.detail],
      ["failed", "device-rejected", "4.05", "not now"],
    );
    device.answers.set("GET /3/0/9", senmlValue("/3/0/9", "full"));
    const invalid = await world.carryOut("dev-1", { kind: "read", path: "/3/0/9" });
    assert.deepEqual([invalid.status, invalid.reason], ["failed", "invalid-response"]);
    assert.match(invalid.detail ?? "", /integer/);
  });

  test("the alternate root path stands before every path on the wire", async () => {
    await device.register({ links: '</lwm2m>;rt="oma.lwm2m";ct=110,</lwm2m/3/0>' });
    device.answers.set("GET /lwm2m/3/0/9", senmlValue("/3/0/9", 50));
    assert.equal((await world.carryOut("dev-1", { kind: "read", path: "/3/0/9" })).status, "succeeded");
  });
});

describe("LwM2M Core 1.1 §7.1: what does not fit the registered model never leaves", () => {
  beforeEach(async () => {
    await device.register({ links: '</>;rt="oma.lwm2m";ct=110,</1/0>,</3>;ver=1.0,</3/0>,</3303/0>,</32000/0>' });
  });
  afterEach(() => {
    assert.deepEqual(device.asked, []);
  });

  const cases: readonly [string, Parameters<ServerWorld["create"]>[1], string][] = [
    ["text for an integer", { kind: "write", path: "/1/0/1", value: "long" }, "value-type-mismatch"],
    ["a resource the model has not got", { kind: "read", path: "/3/0/99" }, "path-not-in-model"],
    ["a resource of a later version than registered", { kind: "read", path: "/3/0/23" }, "path-not-in-model"],
    ["an object the device has not registered", { kind: "read", path: "/5/0/3" }, "path-not-in-model"],
    ["a write of what can only be read", { kind: "write", path: "/3/0/0", value: "me" }, "operation-not-allowed"],
    ["a read of what can only be executed", { kind: "read", path: "/3/0/4" }, "operation-not-allowed"],
    ["the Security object", { kind: "read", path: "/0/0" }, "operation-not-allowed"],
    ["a path that is none", { kind: "read", path: "/3/0/x" }, "path-not-in-model"],
    ["Execute arguments that are none", { kind: "execute", path: "/3/0/4", arguments: "0=now" }, "value-type-mismatch"],
    ["attributes that contradict", { kind: "writeAttributes", path: "/3/0/9", attributes: { gt: 3, lt: 9 } }, "value-type-mismatch"],
    ["attributes nobody knows", { kind: "writeAttributes", path: "/3/0/9", attributes: { often: 1 } }, "value-type-mismatch"],
    ["a write to an object", { kind: "write", path: "/3", value: {} }, "operation-not-allowed"],
  ];
  for (const [what, request, reason] of cases) {
    test(`${what}: ${reason}, nothing stored`, async () => {
      assert.equal((await refusal(request))?.reason, reason);
      assert.deepEqual(await world.until(world.server.operations.list({ limit: 10 })), []);
    });
  }

  test("the fault is pointed at", async () => {
    const fault = await refusal({ kind: "write", path: "/3303/0", value: { "5750": "a", nonsense: 1 } });
    assert.equal(fault?.reason, "path-not-in-model");
    const typed = await refusal({ kind: "write", path: "/1/0", value: { lifetime: true }, mode: "update" });
    assert.equal(typed?.reason === "value-type-mismatch" ? typed.pointer : undefined, "/value/lifetime");
  });

  test("an unknown device is device-unknown", async () => {
    assert.equal((await refusal({ kind: "read", path: "/3/0/9" }, "nobody"))?.reason, "device-unknown");
  });
});

test("an object without a model is read and written with natural types", async () => {
  await device.register({ links: '</>;rt="oma.lwm2m";ct=110,</32000/0>' });
  device.answers.set("PUT /32000/0/1", changed);
  device.answers.set("GET /32000/0/1", senmlValue("/32000/0/1", 7));
  await world.carryOut("dev-1", { kind: "write", path: "/32000/0/1", value: 7 });
  assert.deepEqual(JSON.parse(text(device.requests[0])), [{ bn: "/32000/0/1", v: 7 }]);
  const operation = await world.carryOut("dev-1", { kind: "read", path: "/32000/0/1" });
  assert.deepEqual(operation.result, { kind: "values", values: [{ path: "/32000/0/1", type: "integer", value: 7 }] });
});

describe("LwM2M Core 1.1 §6.5: a device that sleeps", () => {
  beforeEach(async () => {
    device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
    device.answers.set("POST /3/0/4", changed);
    device.answers.set("PUT /3/0/15", changed);
    await device.register({ query: sleepy });
    await world.clock.advance(untilAsleepMs);
  });

  test("operations wait, and leave in order after the Update was answered", async () => {
    const first = await queued({ kind: "write", path: "/3/0/15", value: "Europe/Paris" });
    const second = await queued({ kind: "read", path: "/3/0/9" });
    await world.clock.advance(600_000);
    assert.deepEqual(device.asked, []);
    assert.equal((await stored(first._id)).status, "queued");
    const answered = await device.update();
    assert.equal(answered.code, ResponseCode.changed);
    assert.deepEqual(device.asked, [], "the reply comes first");
    await world.clock.advance(1_000);
    assert.deepEqual(device.asked, ["PUT /3/0/15", "GET /3/0/9"]);
    assert.equal((await stored(second._id)).status, "succeeded");
  });

  test("kill -9 while they wait: nothing is lost, nothing sent twice", async () => {
    const read = await queued({ kind: "read", path: "/3/0/9" });
    const execute = await queued({ kind: "execute", path: "/3/0/4" });
    await world.kill();
    await world.start();
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual(device.asked, ["GET /3/0/9", "POST /3/0/4"]);
    assert.equal((await stored(read._id)).status, "succeeded");
    assert.equal((await stored(execute._id)).status, "succeeded");
    const finished = (await world.eventTypes("dev-1")).filter((type) => type === "operation.succeeded");
    assert.equal(finished.length, 2);
  });

  test("no answer: asleep at once, the rest waits; the same operation goes first at the next contact", async () => {
    await device.update();
    world.network.filter = () => false;
    const read = await queued({ kind: "read", path: "/3/0/9" });
    const write = await queued({ kind: "write", path: "/3/0/15", value: "UTC" });
    await world.clock.advance(untilGivenUpMs);
    assert.equal(world.server.registrations.isAwake("dev-1"), false);
    const waiting = await stored(read._id);
    assert.deepEqual([waiting.status, waiting.attempts.length, waiting.attempts[0]?.outcome], ["queued", 1, "no-answer"]);
    assert.equal((await stored(write._id)).attempts.length, 0);
    world.network.filter = () => true;
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual(device.asked, ["GET /3/0/9", "PUT /3/0/15"]);
  });

  test("three times no answer is a failure; an Execute without one is not repeated: outcome-unknown", async () => {
    const read = await queued({ kind: "read", path: "/3/0/9" });
    const execute = await queued({ kind: "execute", path: "/3/0/4" });
    for (let contact = 0; contact < 4; contact += 1) {
      await device.update();
      world.network.filter = () => false;
      await world.clock.advance(untilGivenUpMs);
      world.network.filter = () => true;
    }
    const failed = await stored(read._id);
    assert.deepEqual([failed.status, failed.reason, failed.attempts.length], ["failed", "no-answer", 3]);
    const unknown = await stored(execute._id);
    assert.deepEqual([unknown.status, unknown.reason, unknown.attempts.length], ["failed", "outcome-unknown", 1]);
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual(device.asked, ["GET /3/0/9", "GET /3/0/9", "GET /3/0/9", "POST /3/0/4"]);
  });

  test("a newer operation with the same key takes the place of the older", async () => {
    const older = await queued({ kind: "write", path: "/3/0/15", value: "UTC", supersedeKey: "zone" });
    await queued({ kind: "write", path: "/3/0/15", value: "Europe/Paris", supersedeKey: "zone" });
    assert.equal((await stored(older._id)).status, "cancelled");
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual(device.requests.map(text), ['[{"bn":"/3/0/15","vs":"Europe/Paris"}]']);
  });

  test("onOffline fail is refused at once; expiresAt ends the wait; notBefore holds it back; cancel takes it back", async () => {
    assert.equal((await refusal({ kind: "read", path: "/3/0/9", onOffline: "fail" }))?.reason, "device-unreachable");
    const nowMs = world.clock.now();
    const short = await queued({ kind: "read", path: "/3/0/9", expiresAt: nowMs + 60_000 });
    const cancelled = await queued({ kind: "read", path: "/3/0/9" });
    assert.equal((await world.until(world.server.operations.cancel(cancelled._id))).ok, true);
    assert.equal((await world.until(world.server.operations.cancel(cancelled._id))).ok, false);
    await world.clock.advance(61_000);
    assert.equal((await stored(short._id)).status, "expired");
    const later = await queued({ kind: "read", path: "/3/0/9", notBefore: world.clock.now() + 30_000 });
    await device.update();
    await world.clock.advance(29_000);
    assert.deepEqual(device.asked, []);
    await world.clock.advance(2_000);
    assert.deepEqual(device.asked, ["GET /3/0/9"]);
    assert.equal((await stored(later._id)).status, "succeeded");
    assert.ok((await world.eventTypes("dev-1")).includes("operation.expired"));
  });
});

describe("crash table (what was under way when the process was killed)", () => {
  /** Kills the server when the request reached the device and before its answer came back. */
  const killInFlight = async (line: string): Promise<void> => {
    world.network.filter = ({ to }) => to.port !== 5_683;
    await world.clock.advance(500);
    assert.deepEqual(device.asked, [line]);
    await world.kill();
    world.network.filter = () => true;
    await world.start();
    await world.clock.advance(1_000);
  };

  beforeEach(async () => {
    device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
    device.answers.set("POST /3/0/4", changed);
    device.answers.set("POST /3303", { code: ResponseCode.created, locationPath: ["3303", "7"] });
    await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
  });

  test("a Read is sent again and succeeds", async () => {
    const outcome = await world.create("dev-1", { kind: "read", path: "/3/0/9" });
    assert.ok(outcome.ok);
    await killInFlight("GET /3/0/9");
    assert.deepEqual(device.asked, ["GET /3/0/9", "GET /3/0/9"]);
    assert.equal((await stored(outcome.operation._id)).status, "succeeded");
  });

  test("an Execute and a Create are never sent again: outcome-unknown, one event", async () => {
    for (const [request, line] of [
      [{ kind: "execute", path: "/3/0/4" }, "POST /3/0/4"],
      [{ kind: "create", path: "/3303", value: { "5701": "Cel" } }, "POST /3303"],
    ] as const) {
      device.asked.length = 0;
      const outcome = await world.create("dev-1", request);
      assert.ok(outcome.ok);
      await killInFlight(line);
      await device.update();
      await world.clock.advance(200_000);
      assert.deepEqual(device.asked, [line]);
      const operation = await stored(outcome.operation._id);
      assert.deepEqual([operation.status, operation.reason], ["failed", "outcome-unknown"]);
    }
    assert.equal((await world.eventTypes("dev-1")).filter((type) => type === "operation.failed").length, 2);
  });

  test("with retryExecute it is sent again", async () => {
    const outcome = await world.create("dev-1", { kind: "execute", path: "/3/0/4", retryExecute: true });
    assert.ok(outcome.ok);
    await killInFlight("POST /3/0/4");
    assert.deepEqual(device.asked, ["POST /3/0/4", "POST /3/0/4"]);
    assert.equal((await stored(outcome.operation._id)).status, "succeeded");
  });
});

test("as Eclipse Leshan tests it: a request under way when the device registers anew is taken back and asked again; an Execute is not", async () => {
  await device.register();
  world.network.filter = ({ from }) => from.port !== 5_683;
  const read = await queued({ kind: "read", path: "/3/0/9" });
  await world.clock.advance(1_000);
  world.network.filter = () => true;
  device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  await device.restart();
  await device.register();
  await world.clock.advance(1_000);
  const operation = await stored(read._id);
  assert.equal(operation.status, "succeeded");
  assert.deepEqual(
    operation.attempts.map(({ outcome }) => outcome),
    ["interrupted", "2.05"],
  );
});

describe("a store that fails while an operation is under way", () => {
  for (const [request, line, repeated] of [
    [{ kind: "read", path: "/3/0/9" }, "GET /3/0/9", true],
    [{ kind: "execute", path: "/3/0/4" }, "POST /3/0/4", false],
  ] as const) {
    test(`${request.kind}: ${repeated ? "sent again" : "outcome-unknown"} once the store is back, without a restart`, async () => {
      await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
      device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
      device.answers.set("POST /3/0/4", () => {
        world.store.fail(new StorageUnavailableError("gone"));
        return changed;
      });
      device.answers.set("GET /3/0/9", () => {
        if (device.asked.length === 1) world.store.fail(new StorageUnavailableError("gone"));
        return senmlValue("/3/0/9", 87);
      });
      const operation = await queued(request);
      await world.clock.advance(900);
      world.store.fail(undefined);
      await world.clock.advance(5_000);
      assert.deepEqual(device.asked, repeated ? [line, line] : [line]);
      const ended = await stored(operation._id);
      assert.deepEqual([ended.status, ended.reason], repeated ? ["succeeded", null] : ["failed", "outcome-unknown"]);
      assert.ok(world.server.failures.length > 0, "it was logged");
      await world.stop();
      await world.start();
    });
  }
});

test("NoSec: an address that another device has registered from since is not called for the first", async () => {
  await device.register();
  device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  const first = device.location;
  await device.register({ query: ["lt=300", "lwm2m=1.1", "b=U"], endpoint: "dev-2" });
  const waiting = await queued({ kind: "read", path: "/3/0/9" });
  await world.clock.advance(1_000);
  assert.equal((await stored(waiting._id)).status, "queued");
  assert.deepEqual(device.asked, []);
  await world.kill();
  await world.start();
  await world.clock.advance(1_000);
  assert.deepEqual(device.asked, []);
  device.location = first;
  await device.update();
  await world.clock.advance(1_000);
  assert.equal((await stored(waiting._id)).status, "succeeded");
});

test("the queue of a device is bounded: queue-full with a time to come back", async () => {
  await device.register({ query: sleepy });
  await world.stop();
  await world.start({ maxQueuedPerDevice: 3 });
  for (let i = 0; i < 3; i += 1) await queued({ kind: "read", path: "/3/0/9" });
  const full = await refusal({ kind: "read", path: "/3/0/9" });
  assert.equal(full?.reason, "queue-full");
});

test("a caller's own id makes one operation, however often it is asked for", async () => {
  await device.register({ query: sleepy });
  await world.clock.advance(untilAsleepMs);
  const by = { actor: "test", traceId: "t", id: "01HZZZZZZZZZZZZZZZZZZZZZZZ" };
  const first = await world.until(world.server.operations.create("dev-1", { kind: "read", path: "/3/0/9" }, by));
  const second = await world.until(world.server.operations.create("dev-1", { kind: "read", path: "/3/0/9" }, by));
  assert.ok(first.ok && second.ok);
  assert.equal(first.operation._id, second.operation._id);
  assert.equal((await world.until(world.server.operations.list({ limit: 10 }))).length, 1);
});

test("a device that was deleted gets nothing any more", async () => {
  await device.register({ query: sleepy });
  await world.clock.advance(untilAsleepMs);
  const waiting = await queued({ kind: "read", path: "/3/0/9" });
  await world.until(world.server.operations.forget("dev-1"));
  assert.equal((await stored(waiting._id)).status, "cancelled");
  await device.update();
  world.network.filter = ({ from }) => from.port !== 5_683;
  const underWay = await queued({ kind: "read", path: "/3/0/9" });
  await world.clock.advance(1_000);
  assert.equal((await stored(underWay._id)).status, "leased");
  await world.until(world.server.operations.forget("dev-1"));
  world.network.filter = () => true;
  await world.clock.advance(1_000);
  assert.equal((await stored(underWay._id)).status, "cancelled");
  assert.deepEqual(device.asked, []);
});
