import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { content, senmlValue } from "../testing/scripted-device.ts";
import type { ServerWorld } from "../testing/server-world.ts";
import { changed, operationsOfOne, sleepy, text, untilAsleepMs } from "./operations-fixture.ts";

const { one, stored, queued, refusal } = operationsOfOne();

describe("LwM2M Core 1.1 §6.3: operations of an awake device", () => {
  beforeEach(async () => {
    await one.device.register();
  });

  test("Read: typed, named values; attempts tell what it cost; the value becomes the last known one", async () => {
    one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
    const operation = await one.world.carryOut("dev-1", { kind: "read", path: "/3/0/9" });
    assert.equal(operation.status, "succeeded");
    assert.equal(operation.coapCode, "2.05");
    const values = [{ path: "/3/0/9", name: "device/0/batteryLevel", type: "integer", value: 87 }];
    assert.deepEqual(operation.result, { kind: "values", values });
    const [attempt] = operation.attempts;
    assert.ok(attempt);
    assert.equal(attempt.outcome, "2.05");
    assert.match(attempt.token, /^[0-9a-f]{2,16}$/);
    assert.ok((attempt.roundTripMs ?? 0) > 0 && attempt.bytesUp > 0 && attempt.bytesDown > 0);
    const twin = await one.world.until(one.world.server.twins.find("dev-1"));
    assert.equal(twin?.values["/3/0/9"]?.value, 87);
    assert.equal(twin?.values["/3/0/9"]?.source, "read");
    const types = await one.world.eventTypes("dev-1");
    assert.deepEqual(
      types.filter((type) => type.startsWith("operation")),
      ["operation.queued", "operation.sent", "operation.succeeded"],
    );
  });

  test("Read of an instance: what the device no longer has is no longer known", async () => {
    one.device.answers.set("GET /3/0", content('[{"bn":"/3/0/","n":"9","v":87},{"n":"7/0","v":3800},{"n":"7/1","v":5000}]'));
    await one.world.carryOut("dev-1", { kind: "read", path: "/3/0" });
    one.device.answers.set("GET /3/0", content('[{"bn":"/3/0/","n":"9","v":86},{"n":"7/0","v":3700}]'));
    await one.world.carryOut("dev-1", { kind: "read", path: "/3/0" });
    const twin = await one.world.until(one.world.server.twins.find("dev-1"));
    assert.deepEqual(Object.keys(twin?.values ?? {}).toSorted(), ["/3/0/7/0", "/3/0/9"]);
  });

  test("Write: PUT replaces, POST updates, in the format the device registered; 2.04", async () => {
    one.device.answers.set("PUT /3/0/15", changed);
    one.device.answers.set("POST /3/0", changed);
    assert.equal((await one.world.carryOut("dev-1", { kind: "write", path: "/3/0/15", value: "Europe/Paris" })).status, "succeeded");
    assert.deepEqual(JSON.parse(text(one.device.requests[0])), [{ bn: "/3/0/15", vs: "Europe/Paris" }]);
    await one.world.carryOut("dev-1", { kind: "write", path: "/3/0", value: { utcOffset: "+02:00" }, mode: "update" });
    assert.equal(one.device.requests[1]?.contentFormat, 110);
    assert.match(text(one.device.requests[1]), /\/14".*\+02:00/);
    const twin = await one.world.until(one.world.server.twins.find("dev-1"));
    assert.equal(twin?.values["/3/0/15"]?.source, "write");
  });

  test("Execute, Create with the location of the answer, Delete, Discover, Write-Attributes", async () => {
    one.device.answers.set("POST /3/0/4", changed);
    one.device.answers.set("POST /3303", { code: ResponseCode.created, locationPath: ["3303", "7"] });
    one.device.answers.set("DELETE /3303/7", { code: ResponseCode.deleted });
    const links = "</3/0>,</3/0/9>;pmin=10,</3/0/7>;dim=2";
    one.device.answers.set("GET /3/0", { code: ResponseCode.content, contentFormat: 40, payload: new TextEncoder().encode(links) });
    one.device.answers.set("PUT /3/0/9?pmin=10&pmax=60", changed);
    await one.world.carryOut("dev-1", { kind: "execute", path: "/3/0/4", arguments: "0='now'" });
    assert.equal(text(one.device.requests[0]), "0='now'");
    const created = await one.world.carryOut("dev-1", { kind: "create", path: "/3303", value: { "5701": "Cel" } });
    assert.deepEqual(created.result, { kind: "created", path: "/3303/7" });
    assert.equal((await one.world.carryOut("dev-1", { kind: "delete", path: "/3303/7" })).status, "succeeded");
    const discovered = await one.world.carryOut("dev-1", { kind: "discover", path: "/3/0" });
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
    assert.equal((await one.world.carryOut("dev-1", { kind: "writeAttributes", path: "/3/0/9", attributes })).status, "succeeded");
  });

  test("the device's refusal is a failed operation with its code and words; an unreadable answer is invalid", async () => {
    one.device.answers.set("GET /3/0/13", { code: ResponseCode.methodNotAllowed, payload: new TextEncoder().encode("not now") });
    const rejected = await one.world.carryOut("dev-1", { kind: "read", path: "/3/0/13" });
    assert.deepEqual(
      [rejected.status, rejected.reason, rejected.coapCode, rejected.detail],
      ["failed", "device-rejected", "4.05", "not now"],
    );
    one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", "full"));
    const invalid = await one.world.carryOut("dev-1", { kind: "read", path: "/3/0/9" });
    assert.deepEqual([invalid.status, invalid.reason], ["failed", "invalid-response"]);
    assert.match(invalid.detail ?? "", /integer/);
  });

  test("the alternate root path stands before every path on the wire", async () => {
    await one.device.register({ links: '</lwm2m>;rt="oma.lwm2m";ct=110,</lwm2m/3/0>' });
    one.device.answers.set("GET /lwm2m/3/0/9", senmlValue("/3/0/9", 50));
    assert.equal((await one.world.carryOut("dev-1", { kind: "read", path: "/3/0/9" })).status, "succeeded");
  });
});

describe("LwM2M Core 1.1 §7.1: what does not fit the registered model never leaves", () => {
  beforeEach(async () => {
    await one.device.register({ links: '</>;rt="oma.lwm2m";ct=110,</1/0>,</3>;ver=1.0,</3/0>,</3303/0>,</32000/0>' });
  });
  afterEach(() => {
    assert.deepEqual(one.device.asked, []);
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
      assert.deepEqual(await one.world.until(one.world.server.operations.list({ limit: 10 })), []);
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
  await one.device.register({ links: '</>;rt="oma.lwm2m";ct=110,</32000/0>' });
  one.device.answers.set("PUT /32000/0/1", changed);
  one.device.answers.set("GET /32000/0/1", senmlValue("/32000/0/1", 7));
  await one.world.carryOut("dev-1", { kind: "write", path: "/32000/0/1", value: 7 });
  assert.deepEqual(JSON.parse(text(one.device.requests[0])), [{ bn: "/32000/0/1", v: 7 }]);
  const operation = await one.world.carryOut("dev-1", { kind: "read", path: "/32000/0/1" });
  assert.deepEqual(operation.result, { kind: "values", values: [{ path: "/32000/0/1", type: "integer", value: 7 }] });
});

test("NoSec: an address that another device has registered from since is not called for the first", async () => {
  await one.device.register();
  one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  const first = one.device.location;
  await one.device.register({ query: ["lt=300", "lwm2m=1.1", "b=U"], endpoint: "dev-2" });
  const waiting = await queued({ kind: "read", path: "/3/0/9" });
  await one.world.clock.advance(1_000);
  assert.equal((await stored(waiting._id)).status, "queued");
  assert.deepEqual(one.device.asked, []);
  await one.world.kill();
  await one.world.start();
  await one.world.clock.advance(1_000);
  assert.deepEqual(one.device.asked, []);
  one.device.location = first;
  await one.device.update();
  await one.world.clock.advance(1_000);
  assert.equal((await stored(waiting._id)).status, "succeeded");
});

test("the queue of a device is bounded: queue-full with a time to come back", async () => {
  await one.device.register({ query: sleepy });
  await one.world.stop();
  await one.world.start({ maxQueuedPerDevice: 3 });
  for (let i = 0; i < 3; i += 1) await queued({ kind: "read", path: "/3/0/9" });
  const full = await refusal({ kind: "read", path: "/3/0/9" });
  assert.equal(full?.reason, "queue-full");
});

test("a caller's own id makes one operation, however often it is asked for", async () => {
  await one.device.register({ query: sleepy });
  await one.world.clock.advance(untilAsleepMs);
  const by = { actor: "test", traceId: "t", id: "01HZZZZZZZZZZZZZZZZZZZZZZZ" };
  const first = await one.world.until(one.world.server.operations.create("dev-1", { kind: "read", path: "/3/0/9" }, by));
  const second = await one.world.until(one.world.server.operations.create("dev-1", { kind: "read", path: "/3/0/9" }, by));
  assert.ok(first.ok && second.ok);
  assert.equal(first.operation._id, second.operation._id);
  assert.equal((await one.world.until(one.world.server.operations.list({ limit: 10 }))).length, 1);
});

test("a device that was deleted gets nothing any more", async () => {
  await one.device.register({ query: sleepy });
  await one.world.clock.advance(untilAsleepMs);
  const waiting = await queued({ kind: "read", path: "/3/0/9" });
  await one.world.until(one.world.server.operations.forget("dev-1"));
  assert.equal((await stored(waiting._id)).status, "cancelled");
  await one.device.update();
  one.world.network.filter = ({ from }) => from.port !== 5_683;
  const underWay = await queued({ kind: "read", path: "/3/0/9" });
  await one.world.clock.advance(1_000);
  assert.equal((await stored(underWay._id)).status, "leased");
  await one.world.until(one.world.server.operations.forget("dev-1"));
  one.world.network.filter = () => true;
  await one.world.clock.advance(1_000);
  assert.equal((await stored(underWay._id)).status, "cancelled");
  assert.deepEqual(one.device.asked, []);
});
