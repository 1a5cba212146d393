import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

const changed = { code: ResponseCode.changed };
const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];

let world: ServerWorld;
let device: ScriptedDevice;
let rest: Rest;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world);
  rest = restOf(world);
  device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  device.answers.set("PUT /3/0/15", changed);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
});

describe("POST /devices/{endpoint}/operations", () => {
  test("RFC 7240 §4.3: awake, no preference: the final operation in the same call; names and ids in the answer", async () => {
    await device.register();
    const { status, body } = await rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "device/0/batteryLevel" } });
    assert.equal(status, 200);
    assert.deepEqual([at(body, "path"), at(body, "name"), at(body, "status")], ["/3/0/9", "device/0/batteryLevel", "succeeded"]);
    assert.equal(at(body, "result", "values", 0, "value"), 87);
    assert.equal(at(body, "outbox"), undefined);
  });

  test("asleep: 202 at once with Location and the time of the next contact; a held reply comes with the wake-up", async () => {
    await device.register({ query: sleepy });
    await world.clock.advance(94_000);
    const { status, body, headers } = await rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/9" } });
    assert.equal(status, 202);
    assert.equal(headers["Location"], `/api/v1/operations/${at(body, "id")}`);
    assert.equal(headers["Retry-After"], "3600");
    assert.deepEqual([at(body, "status"), at(body, "awake")], ["queued", false]);
    assert.match(String(at(body, "nextExpectedContact")), /^\d{4}-/);
    assert.deepEqual(at((await rest("GET", "/devices/dev-1/queue")).body, "items", 0, "id"), at(body, "id"));
    await device.update();
    const held = await rest("GET", `/operations/${at(body, "id")}`, { waitMs: 10_000 });
    assert.equal(at(held.body, "status"), "succeeded");
  });

  test("what the device refuses is still 200 here: the operation is final, its status says failed", async () => {
    await device.register();
    const { status, body } = await rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/13" } });
    assert.deepEqual([status, at(body, "status"), at(body, "coapCode")], [200, "failed", "4.04"]);
  });

  test("refusals: unknown device, wrong type with its pointer, path not in the model, body that is no operation", async () => {
    await device.register();
    const post = (body: { readonly [field: string]: string | number }, endpoint = "dev-1") =>
      rest("POST", `/devices/${endpoint}/operations`, { body });
    assert.equal((await post({ kind: "read", path: "/3/0/9" }, "nobody")).status, "device-unknown");
    const wrong = await post({ kind: "write", path: "/1/0/1", value: "long" });
    assert.deepEqual([wrong.status, at(wrong.body, "errors", 0, "pointer")], ["value-type-mismatch", "/value"]);
    assert.equal((await post({ kind: "read", path: "/5/0/3" })).status, "path-not-in-model");
    assert.equal((await post({ kind: "read", path: "device/0/noSuchThing" })).status, "path-not-in-model");
    assert.equal((await post({ kind: "dance", path: "/3/0/9" })).status, "bad-request");
    assert.equal((await post({ kind: "read", path: "/3/0/9", expiresAt: "soon" })).status, "bad-request");
    assert.equal((await post({ kind: "read", path: "/3/0/9", surplus: 1 })).status, "bad-request");
  });

  test("Idempotency-Key: the same request gets the same operation, another one is refused; a refused one may be mended", async () => {
    await device.register({ query: sleepy });
    await world.clock.advance(94_000);
    const body = { kind: "read", path: "/3/0/9" };
    const first = await rest("POST", "/devices/dev-1/operations", { body, key: "k1" });
    const second = await rest("POST", "/devices/dev-1/operations", { body, key: "k1" });
    assert.equal(at(first.body, "id"), at(second.body, "id"));
    const other = await rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/13" }, key: "k1" });
    assert.equal(other.status, "idempotency-mismatch");
    assert.equal(
      (await rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/9/0" }, key: "k2" })).status,
      "path-not-in-model",
    );
    assert.equal((await rest("POST", "/devices/dev-1/operations", { body, key: "k2" })).status, 202);
    await world.clock.advance(86_400_001);
    const later = await rest("POST", "/devices/dev-1/operations", { body, key: "k1" });
    assert.notEqual(at(later.body, "id"), at(first.body, "id"));
  });

  test("cancel and retry", async () => {
    await device.register({ query: sleepy });
    await world.clock.advance(94_000);
    const { body } = await rest("POST", "/devices/dev-1/operations", { body: { kind: "write", path: "/3/0/15", value: "UTC" } });
    const id = String(at(body, "id"));
    assert.equal((await rest("POST", `/operations/${id}:retry`)).status, "conflict");
    assert.equal(at((await rest("POST", `/operations/${id}:cancel`)).body, "status"), "cancelled");
    assert.equal((await rest("POST", `/operations/${id}:cancel`)).status, "conflict");
    const again = await rest("POST", `/operations/${id}:retry`);
    assert.equal(again.status, 202);
    assert.notEqual(at(again.body, "id"), id);
    assert.equal(at(again.body, "value"), "UTC");
    assert.equal((await rest("POST", "/operations/none:cancel")).status, "operation-unknown");
    assert.equal((await rest("GET", "/operations/none")).status, "operation-unknown");
  });

  test("the list pages newest first, whole and without repetition, filtered or not", async () => {
    await device.register({ query: sleepy });
    await world.clock.advance(94_000);
    for (let i = 0; i < 5; i += 1) await rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/9" } });
    for (const filter of ["", "&endpoint=dev-1", "&open=true", "&endpoint=dev-1&open=true"]) {
      const seen: string[] = [];
      let after: string | null = "";
      while (after !== null) {
        const page = await rest("GET", `/operations?limit=2${filter}${after === "" ? "" : `&after=${after}`}`);
        const items = at(page.body, "items");
        assert.ok(Array.isArray(items));
        seen.push(...items.map((item) => String(at(item, "id"))));
        const next = at(page.body, "next");
        after = typeof next === "string" ? next : null;
      }
      assert.equal(seen.length, 5, filter);
      assert.deepEqual(seen, seen.toSorted().toReversed());
    }
    assert.deepEqual(at((await rest("GET", "/operations?open=false")).body, "items"), []);
  });
});

describe("path-shaped shortcuts", () => {
  beforeEach(() => device.register());

  test("PUT writes, POST creates and updates, DELETE deletes, the verbs execute and discover", async () => {
    device.answers.set("POST /3303", { code: ResponseCode.created, locationPath: ["3303", "9"] });
    device.answers.set("POST /3/0", changed);
    device.answers.set("POST /3/0/4", changed);
    device.answers.set("DELETE /3303/9", { code: ResponseCode.deleted });
    device.answers.set("GET /3/0", { code: ResponseCode.content, contentFormat: 40, payload: new TextEncoder().encode("</3/0>") });
    const base = "/devices/dev-1/resources";
    assert.equal((await rest("PUT", `${base}/device/0/timezone`, { body: { value: "UTC" } })).status, 200);
    const created = await rest("POST", `${base}/3303`, { body: { value: { "5701": "Cel" } } });
    assert.equal(at(created.body, "result", "path"), "/3303/9");
    assert.equal(at((await rest("POST", `${base}/3/0`, { body: { value: { "15": "UTC" } } })).body, "mode"), "update");
    assert.equal((await rest("POST", `${base}/3/0/4:execute`)).status, 200);
    assert.equal((await rest("DELETE", `${base}/3303/9`)).status, 200);
    assert.equal(at((await rest("GET", `${base}/3/0:discover`)).body, "result", "links", 0, "path"), "/3/0");
    assert.deepEqual(device.asked, ["PUT /3/0/15", "POST /3303", "POST /3/0", "POST /3/0/4", "DELETE /3303/9", "GET /3/0"]);
  });

  test("what the device refuses is a problem with its code; no answer is 504", async () => {
    const refused = await rest("PUT", "/devices/dev-1/resources/3/0/14", { body: { value: "+02:00" } });
    assert.deepEqual([refused.status, at(refused.body, "coapCode")], ["device-rejected", "4.04"]);
    world.network.filter = ({ from }) => from.port !== 5_683;
    const body = { value: "UTC", onOffline: "fail" };
    const silent = await rest("PUT", "/devices/dev-1/resources/3/0/15", { body, waitMs: 100_000 });
    assert.equal(silent.status, "operation-timeout");
  });

  test("observe and cancel; the list of observations tells", async () => {
    const address = "/devices/dev-1/resources/3303/0/5700/observation";
    device.answers.set("GET /3303/0/5700", senmlValue("/3303/0/5700", 20));
    assert.equal((await rest("PUT", address)).status, 200);
    assert.equal(at((await rest("GET", "/observations?endpoint=dev-1")).body, "items", 0, "state"), "active");
    assert.equal((await rest("DELETE", address)).status, 200);
    assert.equal(at((await rest("GET", "/observations?endpoint=dev-1")).body, "items", 0, "state"), "ended");
    assert.equal((await rest("DELETE", address)).status, "conflict");
  });
});

describe("GET /devices/{endpoint}/resources", () => {
  test("the last known value at once, with its age; live=true asks the device", async () => {
    await device.register();
    const address = "/devices/dev-1/resources/3/0/9";
    assert.equal((await rest("GET", address)).status, "value-unknown");
    const live = await rest("GET", `${address}?live=true`);
    assert.deepEqual([live.status, at(live.body, "value"), at(live.body, "source")], [200, 87, "read"]);
    device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 50));
    const cached = await rest("GET", "/devices/dev-1/resources/device/0/batteryLevel");
    assert.deepEqual([at(cached.body, "value"), at(cached.body, "stale")], [87, false]);
    assert.equal(device.asked.length, 1);
    await device.deregister();
    assert.equal(at((await rest("GET", address)).body, "stale"), true);
    assert.equal((await rest("GET", "/devices/nobody/resources/3/0/9")).status, "device-unknown");
  });

  test("an instance gives all its values in order of their ids", async () => {
    await device.register();
    device.answers.set("GET /3/0", content('[{"bn":"/3/0/","n":"16","vs":"U"},{"n":"9","v":87},{"n":"7/1","v":2},{"n":"7/0","v":1}]'));
    const { body } = await rest("GET", "/devices/dev-1/resources/3/0?live=true");
    const values = at(body, "values");
    assert.ok(Array.isArray(values));
    assert.deepEqual(
      values.map((value) => at(value, "path")),
      ["/3/0/7/0", "/3/0/7/1", "/3/0/9", "/3/0/16"],
    );
    assert.equal(at(body, "value"), undefined);
    assert.equal(at((await rest("GET", "/devices/dev-1/resources")).body, "values", 3, "path"), "/3/0/16");
  });

  test("LwM2M Core 1.1 §6.3.3: what can only be written is kept nowhere: no value, no event", async () => {
    await device.register({ links: "</1/0>,</3/0>,</5/0>" });
    device.answers.set("PUT /5/0/0", changed);
    assert.equal((await rest("PUT", "/devices/dev-1/resources/5/0/0", { body: { value: "c2VjcmV0" } })).status, 200);
    assert.equal((await rest("GET", "/devices/dev-1/resources/5/0/0")).status, "value-unknown");
    assert.equal((await world.eventTypes("dev-1")).includes("resource.changed"), false);
  });

  test("asleep and live: 202, the value comes later", async () => {
    await device.register({ query: sleepy });
    await world.clock.advance(94_000);
    assert.equal((await rest("GET", "/devices/dev-1/resources/3/0/9?live=true")).status, 202);
    await device.update();
    await world.clock.advance(1_000);
    assert.equal(at((await rest("GET", "/devices/dev-1/resources/3/0/9")).body, "value"), 87);
  });

  test("the history pages through what was reported, and has every value of those that came within one millisecond", async () => {
    await device.register();
    const path = "/3303/0/5700";
    device.answers.set(`GET ${path}`, senmlValue(path, 0));
    await world.carryOut("dev-1", { kind: "observe", path });
    for (let value = 1; value < 5; value += 1) {
      await world.clock.advance(1_000);
      await world.until(device.notify(path, senmlValue(path, value)));
    }
    // The virtual clock stands still meanwhile.
    for (let value = 5; value < 8; value += 1) await world.until(device.notify(path, senmlValue(path, value)));
    const values: unknown[] = [];
    let from: string | null = "";
    while (from !== null) {
      const page = await rest("GET", `/devices/dev-1/history?path=${path}&limit=2${from === "" ? "" : `&from=${from}`}`);
      const items = at(page.body, "items");
      assert.ok(Array.isArray(items));
      values.push(...items.map((item) => at(item, "value")));
      const next = at(page.body, "next");
      from = typeof next === "string" ? next : null;
    }
    assert.deepEqual(values, [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("the history by steps of time: all aggregates, or one; the next page goes on at its step", async () => {
    await device.register();
    const path = "/3303/0/5700";
    device.answers.set(`GET ${path}`, senmlValue(path, 0));
    await world.carryOut("dev-1", { kind: "observe", path });
    const startMs = world.clock.now();
    for (const [value, afterMs] of [
      [3, 1_000],
      [5, 1_000],
      [10, 10_000],
    ] as const) {
      await world.clock.advance(afterMs);
      await world.until(device.notify(path, senmlValue(path, value)));
    }
    const query = `path=${path}&from=${formatInstant(startMs + 1)}&stepSeconds=5`;
    const { body } = await rest("GET", `/devices/dev-1/history?${query}`);
    const time = (afterMs: number) => formatInstant(startMs + 1 + afterMs);
    assert.deepEqual(at(body, "items"), [
      { time: time(0), count: 2, first: 3, last: 5, min: 3, max: 5, mean: 4, sum: 8 },
      { time: time(10_000), count: 1, first: 10, last: 10, min: 10, max: 10, mean: 10, sum: 10 },
    ]);
    const page = (await rest("GET", `/devices/dev-1/history?${query}&aggregate=mean&limit=1`)).body;
    assert.deepEqual([at(page, "items"), at(page, "next"), at(page, "stepSeconds")], [[{ time: time(0), value: 4 }], time(5_000), 5]);
    for (const wrong of ["aggregate=mean", "stepSeconds=0", "stepSeconds=5&aggregate=median"]) {
      assert.equal((await rest("GET", `/devices/dev-1/history?path=${path}&${wrong}`)).status, "bad-request", wrong);
    }
  });
});

test("devices: list, registration, objects; a deleted device is unknown everywhere", async () => {
  await device.register({ query: sleepy });
  await world.clock.advance(94_000);
  await rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/9" } });
  const shown = await rest("GET", "/devices/dev-1");
  assert.deepEqual([at(shown.body, "registration", "queueMode"), at(shown.body, "awake")], [true, false]);
  assert.ok(!JSON.stringify(shown.body).includes(device.location[1] ?? "none"), "the location is a secret");
  assert.equal(at((await rest("GET", "/devices/dev-1/objects")).body, "items", 1, "name"), "device");
  assert.equal((await rest("GET", "/devices/dev-1/registration")).status, 200);
  assert.equal(at((await rest("GET", "/devices?limit=1")).body, "next"), "dev-1");
  assert.equal((await rest("DELETE", "/devices/dev-1")).status, 204);
  for (const address of ["", "/registration", "/objects", "/queue", "/resources", "/resources/3/0/9"]) {
    assert.equal((await rest("GET", `/devices/dev-1${address}`)).status, "device-unknown", address);
  }
  assert.equal((await device.update()).code, ResponseCode.notFound);
  assert.equal((await rest("DELETE", "/devices/dev-1")).status, "device-unknown");
  await device.register();
  assert.equal(at((await rest("GET", "/devices/dev-1")).body, "registration", "queueMode"), false);
  assert.equal((await world.eventTypes("dev-1")).filter((type) => type === "device.created").length, 2);
});

describe("LwM2M Gateway 1.1 §6: Send with the prefix of a device behind a gateway", () => {
  const send = (pack: string) =>
    device.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload: new TextEncoder().encode(pack) });

  test("4.04: no such device is known, and nothing of it becomes the gateway's own value", async () => {
    await device.register();
    for (const pack of ['[{"n":"/d01/3/0/9","v":5}]', '[{"n":"/3/0/9","v":1},{"n":"/d01/3/0/9","v":5}]']) {
      assert.equal((await send(pack)).code, ResponseCode.notFound);
    }
    assert.equal((await send('[{"n":"/x y/3/0/9","v":5}]')).code, ResponseCode.badRequest);
    assert.equal(await world.until(world.server.twins.find("dev-1")), undefined);
    assert.equal((await send('[{"n":"/3/0/9","v":5}]')).code, ResponseCode.changed);
  });
});
