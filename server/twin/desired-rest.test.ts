import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { Json, StoredDocument } from "../storage/collection.ts";
import { at, type Call, type Rest, restOf } from "../testing/rest.ts";
import { content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { desiredLimits } from "./desired.ts";
import { desiredCollection } from "./desired-store.ts";

const changed = { code: ResponseCode.changed };
const desired = "/devices/dev-1/twin/desired";

let world: ServerWorld;
let device: ScriptedDevice;
let rest: Rest;

const put = (values: { readonly [path: string]: Json }, more: Call = {}) => rest("PUT", desired, { body: { values }, ...more });
const patch = (body: Json, more: Call = {}) => rest("PATCH", desired, { body, ...more });
const valuesOf = (body: Json): readonly (readonly [unknown, unknown])[] => {
  const values = at(body, "values");
  assert.ok(Array.isArray(values));
  return values.map((value) => [at(value, "path"), at(value, "value")]);
};

describe("the twin over REST", () => {
  beforeEach(async () => {
    world = await ServerWorld.open();
    device = new ScriptedDevice(world);
    rest = restOf(world);
    for (const path of ["/3/0/14", "/3/0/15", "/1/0/1", "/5/0/0"]) device.answers.set(`PUT ${path}`, changed);
    await device.register({
      query: ["lt=300", "lwm2m=1.1", "b=U", "Q"],
      links: '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</5/0>,</3303/0>',
    });
    await world.clock.advance(94_000);
  });

  afterEach(async () => {
    assert.deepEqual(world.server.failures, []);
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  test("before anything is desired: version 0, empty, the policy of the settings", async () => {
    const { status, body, headers } = await rest("GET", desired);
    assert.deepEqual(
      [status, body, headers["ETag"]],
      [200, { endpoint: "dev-1", version: 0, policy: "server", policyFrom: "settings", values: [] }, '"0-0"'],
    );
    assert.deepEqual(at((await rest("GET", "/devices/dev-1/twin/diff")).body, "items"), []);
    assert.deepEqual(at((await rest("GET", "/devices/dev-1/twin/reported")).body, "version"), 0);
  });

  test("PUT takes paths and names, in their JSON forms, and replaces all; the same again is no new version", async () => {
    const { body } = await put({ "device/0/utcOffset": "+01:00", "/3/0/15": "CET", "1/0/1": 600 });
    assert.deepEqual(valuesOf(body), [
      ["/1/0/1", 600],
      ["/3/0/14", "+01:00"],
      ["/3/0/15", "CET"],
    ]);
    assert.deepEqual([at(body, "values", 0, "name"), at(body, "values", 0, "type")], ["lwm2mServer/0/lifetime", "integer"]);
    const again = await put({ "/3/0/14": "+01:00", "/3/0/15": "CET", "/1/0/1": 600 });
    assert.equal(at(again.body, "version"), 1);
    await world.clock.advance(5_000);
    const other = await put({ "/3/0/15": "CET", "/1/0/1": 900 });
    assert.deepEqual([at(other.body, "version"), valuesOf(other.body).length], [2, 2]);
    assert.notEqual(at(other.body, "values", 0, "changedAt"), at(body, "values", 0, "changedAt"));
    assert.equal(at(other.body, "values", 1, "changedAt"), at(body, "values", 2, "changedAt"), "what is wished still keeps its time");
  });

  test("RFC 7396 §2: PATCH sets, null removes, the rest stays; the policy by itself", async () => {
    await put({ "/3/0/14": "+01:00", "/3/0/15": "CET" });
    assert.deepEqual(valuesOf((await patch({ values: { "/3/0/15": null, "/1/0/1": 60 } })).body), [
      ["/1/0/1", 60],
      ["/3/0/14", "+01:00"],
    ]);
    const chosen = await patch({ policy: "newest" });
    assert.deepEqual([at(chosen.body, "policy"), at(chosen.body, "policyFrom"), valuesOf(chosen.body).length], ["newest", "device", 2]);
    assert.deepEqual(at((await patch({ policy: null })).body, "policyFrom"), "settings");
    assert.equal(at((await patch({ values: { "/3/0/17": null } })).body, "version"), 4, "what was not wished is not removed");
  });

  test("RFC 9110 §13.1.1: If-Match with a stale version is 412 and changes nothing", async () => {
    const first = await put({ "/3/0/15": "CET" }, { headers: { "if-match": '"0-0"' } });
    assert.equal(first.status, 200);
    const tag = String(first.headers["ETag"]);
    assert.equal((await put({ "/3/0/15": "EET" }, { headers: { "if-match": '"0-0"' } })).status, "version-conflict");
    assert.equal((await put({ "/3/0/15": "EET" }, { headers: { "if-match": `W/${tag}` } })).status, "version-conflict");
    assert.equal((await patch({ values: { "/3/0/15": "EET" } }, { headers: { "if-match": `"x", ${tag}` } })).status, 200);
    assert.equal((await patch({ values: { "/3/0/15": "CET" } }, { headers: { "if-match": tag } })).status, "version-conflict");
    assert.equal((await patch({ values: { "/3/0/15": "CET" } }, { headers: { "if-match": "*" } })).status, 200);
    const got = await rest("GET", desired);
    assert.deepEqual([valuesOf(got.body), at(got.body, "version")], [[["/3/0/15", "CET"]], 3]);
  });

  const refusals: readonly (readonly [Json, string, string])[] = [
    [{ "/3/0/9": 50 }, "operation-not-allowed", "/values/~13~10~19"],
    [{ "/3/0/4": "now" }, "operation-not-allowed", "/values/~13~10~14"],
    [{ "/9/0/1": "x" }, "path-not-in-model", "/values/~19~10~11"],
    [{ "/3/0/1500": "x" }, "path-not-in-model", "/values/~13~10~11500"],
    [{ "device/0/noSuchThing": 1 }, "path-not-in-model", "/values/device~10~1noSuchThing"],
    [{ "/3/0/15": 12 }, "value-type-mismatch", "/values/~13~10~115"],
    [{ "/3/0/15": "CET", "/1/0/1": "long" }, "value-type-mismatch", "/values/~11~10~11"],
    [{ "/3/0": { 15: "CET" } }, "operation-not-allowed", "/values/~13~10"],
    [{ "/3": {} }, "operation-not-allowed", "/values/~13"],
    [{ "/0/0/0": "coap://evil" }, "operation-not-allowed", "/values/~10~10~10"],
    [{ "/3/0/15": "CET", "device/0/timezone": "EET" }, "bad-request", "/values/device~10~1timezone"],
    [{ "/3/0/15": "x".repeat(desiredLimits.maxValueCharacters) }, "value-type-mismatch", "/values/~13~10~115"],
  ];
  for (const [values, type, pointer] of refusals) {
    test(`refused, and nothing of it is wished: ${JSON.stringify(values).slice(0, 60)}: ${type}`, async () => {
      for (const method of ["PUT", "PATCH"]) {
        const { status, body } = await rest(method, desired, { body: { values } });
        assert.deepEqual([status, at(body, "errors", 0, "pointer")], [type, pointer]);
      }
      assert.equal(at((await rest("GET", desired)).body, "version"), 0);
    });
  }

  test("bodies that are none, and devices that are not there", async () => {
    for (const body of [{ values: [] }, { policy: "mine" }, { value: 1 }, []]) assert.equal((await patch(body)).status, "bad-request");
    assert.equal((await rest("PUT", desired, { body: { policy: "device" } })).status, "bad-request", "PUT replaces all: it says by what");
    for (const address of ["desired", "reported", "diff"]) {
      assert.equal((await rest("GET", `/devices/nobody/twin/${address}`)).status, "device-unknown");
    }
    assert.equal((await rest("PUT", "/devices/nobody/twin/desired", { body: { values: {} } })).status, "device-unknown");
  });

  test("LwM2M Core 1.1 appendix D.1: what nobody can read is shown as set, is sealed in the store, and is met by its acknowledgement", async () => {
    const secret = Buffer.from("a secret image").toString("base64");
    const { body } = await put({ "/5/0/0": secret, "/3/0/15": "CET" });
    assert.deepEqual(
      [at(body, "values", 1, "path"), at(body, "values", 1, "isSet"), at(body, "values", 1, "value")],
      ["/5/0/0", true, undefined],
    );
    const diff = (await rest("GET", "/devices/dev-1/twin/diff")).body;
    assert.equal(at(diff, "items", 1, "isSet"), true);
    const stored = await world.until(world.store.collection<StoredDocument>(desiredCollection).findOne({ _id: "dev-1" }));
    const shown = JSON.stringify([
      body,
      diff,
      stored,
      (await rest("GET", desired)).body,
      (await rest("GET", "/operations")).body,
      await world.eventsOf("dev-1"),
    ]);
    assert.ok(!shown.includes(secret) && !shown.includes("a secret image"));
    assert.equal(at((await put({ "/5/0/0": secret, "/3/0/15": "CET" })).body, "version"), 1, "the same secret is nothing new");
    await device.update();
    await world.clock.advance(1_000);
    assert.equal(
      new TextDecoder().decode(device.requests.find(({ path }) => path[0] === "5")?.payload).includes("YSBzZWNyZXQgaW1hZ2"),
      true,
    );
    assert.deepEqual(at((await rest("GET", "/devices/dev-1/twin/diff")).body, "items"), []);
    assert.equal((await rest("GET", "/devices/dev-1/resources/5/0/0")).status, "value-unknown");
    await patch({ values: { "/5/0/0": null } });
    assert.deepEqual(valuesOf((await rest("GET", desired)).body), [["/3/0/15", "CET"]]);
  });

  test("a multi-instance resource is wished as a whole, merged by instance, and compared as a whole", async () => {
    const [first] = world.registry
      .list()
      .filter(({ id }) => id > 25)
      .flatMap(({ id, version, resources }) => {
        const fitting = [...resources.values()].find(
          ({ multiple, operations, type }) => multiple && operations === "RW" && type === "string",
        );
        return fitting === undefined ? [] : [{ id, version, resource: fitting.id }];
      });
    assert.ok(first);
    const target = `/${first.id}/0/${first.resource}`;
    await device.register({
      query: ["lt=86400", "lwm2m=1.1"],
      links: `</>;rt="oma.lwm2m";ct=110,</3/0>,</${first.id}>;ver=${first.version},</${first.id}/0>`,
    });
    device.answers.set(`PUT ${target}`, changed);
    assert.equal((await put({ [target]: { 0: "a", 1: "b" } })).status, 200);
    await world.clock.advance(1_000);
    assert.deepEqual(at((await rest("GET", "/devices/dev-1/twin/diff")).body, "items"), []);
    const merged = await patch({ values: { [target]: { 1: null, 2: "c" } } });
    assert.deepEqual(valuesOf(merged.body), [[target, { 0: "a", 2: "c" }]]);
    await world.clock.advance(1_000);
    const body = new TextDecoder().decode(device.requests.at(-1)?.payload);
    assert.ok(body.includes('"a"') && body.includes('"c"') && !body.includes('"b"'), body);
    assert.equal((await patch({ values: { [`${target}/0`]: "x" } })).status, "operation-not-allowed");
  });

  test("GET …/resources: age, staleness, and what is desired instead", async () => {
    device.answers.set("GET /3/0/15", senmlValue("/3/0/15", "UTC"));
    device.answers.set("GET /3303/0", content('[{"n":"/3303/0/5700","v":20}]'));
    await device.update();
    await rest("GET", "/devices/dev-1/resources/3/0/15?live=true");
    await world.clock.advance(94_000);
    const address = "/devices/dev-1/resources/3/0/15";
    const before = (await rest("GET", address)).body;
    assert.deepEqual(
      [at(before, "ageSeconds"), at(before, "stale"), at(before, "desired"), at(before, "pending")],
      [94, false, undefined, undefined],
    );
    await put({ "/3/0/15": "CET" });
    const after = (await rest("GET", address)).body;
    assert.deepEqual([at(after, "value"), at(after, "desired"), at(after, "pending")], ["UTC", "CET", true]);
    const reported = await rest("GET", "/devices/dev-1/twin/reported");
    assert.deepEqual([at(reported.body, "values", 0, "desired"), at(reported.body, "version")], ["CET", 1]);
    assert.match(String(reported.headers["ETag"]), /-1"$/);
    await device.update();
    await world.clock.advance(1_000);
    const met = (await rest("GET", address)).body;
    assert.deepEqual([at(met, "value"), at(met, "source"), at(met, "desired"), at(met, "ageSeconds")], ["CET", "write", undefined, 0]);
    await world.clock.advance(290_000);
    await device.update();
    await world.clock.advance(20_000);
    assert.equal(at((await rest("GET", address)).body, "stale"), true, "older than the lifetime of 300 s");
  });

  test("GET …/resources: observed with a pmax a value is stale soon after it, without one it does not age", async () => {
    await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
    device.answers.set("GET /3303/0/5700", senmlValue("/3303/0/5700", 20));
    device.answers.set("PUT /3303/0/5700?pmax=60", changed);
    const address = "/devices/dev-1/resources/3303/0/5700";
    const observed = await world.carryOut("dev-1", { kind: "observe", path: "/3303/0/5700", attributes: { pmax: 60 } });
    assert.equal(observed.status, "succeeded", String(observed.detail));
    await world.clock.advance(65_000);
    assert.equal(at((await rest("GET", address)).body, "stale"), false);
    await world.clock.advance(5_000);
    assert.equal(at((await rest("GET", address)).body, "stale"), true);
    await world.until(device.notify("/3303/0/5700", senmlValue("/3303/0/5700", 21)));
    assert.equal(at((await rest("GET", address)).body, "stale"), false);
  });

  test("a device that is deleted loses its wishes and their writes; one of the same name begins anew", async () => {
    await put({ "/3/0/15": "CET" });
    const tag = (await rest("GET", desired)).headers["ETag"];
    assert.equal((await rest("DELETE", "/devices/dev-1")).status, 204);
    await device.register();
    await world.clock.advance(1_000);
    assert.ok(!device.asked.includes("PUT /3/0/15"));
    assert.equal(at((await rest("GET", desired)).body, "version"), 0);
    assert.equal((await put({ "/3/0/15": "CET" }, { headers: { "if-match": String(tag) } })).status, "version-conflict");
    const again = await put({ "/3/0/15": "CET" });
    assert.notEqual(again.headers["ETag"], tag);
  });
});
