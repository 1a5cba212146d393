import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";
import { content, senmlValue } from "../testing/scripted-device.ts";

const changed = { code: ResponseCode.changed };
const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];

const one = oneDevice();

beforeEach(() => {
  one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  one.device.answers.set("PUT /3/0/15", changed);
});

describe("GET /devices/{endpoint}/resources", () => {
  test("the last known value at once, with its age; live=true asks the device", async () => {
    await one.device.register();
    const address = "/devices/dev-1/resources/3/0/9";
    assert.equal((await one.rest("GET", address)).status, "value-unknown");
    const live = await one.rest("GET", `${address}?live=true`);
    assert.deepEqual([live.status, at(live.body, "value"), at(live.body, "source")], [200, 87, "read"]);
    one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 50));
    const cached = await one.rest("GET", "/devices/dev-1/resources/device/0/batteryLevel");
    assert.deepEqual([at(cached.body, "value"), at(cached.body, "stale")], [87, false]);
    assert.equal(one.device.asked.length, 1);
    await one.device.deregister();
    assert.equal(at((await one.rest("GET", address)).body, "stale"), true);
    assert.equal((await one.rest("GET", "/devices/nobody/resources/3/0/9")).status, "device-unknown");
  });

  test("an instance gives all its values in order of their ids", async () => {
    await one.device.register();
    one.device.answers.set("GET /3/0", content('[{"bn":"/3/0/","n":"16","vs":"U"},{"n":"9","v":87},{"n":"7/1","v":2},{"n":"7/0","v":1}]'));
    const { body } = await one.rest("GET", "/devices/dev-1/resources/3/0?live=true");
    const values = at(body, "values");
    assert.ok(Array.isArray(values));
    assert.deepEqual(
      values.map((value) => at(value, "path")),
      ["/3/0/7/0", "/3/0/7/1", "/3/0/9", "/3/0/16"],
    );
    assert.equal(at(body, "value"), undefined);
    assert.equal(at((await one.rest("GET", "/devices/dev-1/resources")).body, "values", 3, "path"), "/3/0/16");
  });

  test("LwM2M Core 1.1 §6.3.3: what can only be written is kept nowhere: no value, no event", async () => {
    await one.device.register({ links: "</1/0>,</3/0>,</5/0>" });
    one.device.answers.set("PUT /5/0/0", changed);
    assert.equal((await one.rest("PUT", "/devices/dev-1/resources/5/0/0", { body: { value: "c2VjcmV0" } })).status, 200);
    assert.equal((await one.rest("GET", "/devices/dev-1/resources/5/0/0")).status, "value-unknown");
    assert.equal((await one.world.eventTypes("dev-1")).includes("resource.changed"), false);
  });

  test("asleep and live: 202, the value comes later", async () => {
    await one.device.register({ query: sleepy });
    await one.world.clock.advance(94_000);
    assert.equal((await one.rest("GET", "/devices/dev-1/resources/3/0/9?live=true")).status, 202);
    await one.device.update();
    await one.world.clock.advance(1_000);
    assert.equal(at((await one.rest("GET", "/devices/dev-1/resources/3/0/9")).body, "value"), 87);
  });

  test("the history pages through what was reported, and has every value of those that came within one millisecond", async () => {
    await one.device.register();
    const path = "/3303/0/5700";
    one.device.answers.set(`GET ${path}`, senmlValue(path, 0));
    await one.world.carryOut("dev-1", { kind: "observe", path });
    for (let value = 1; value < 5; value += 1) {
      await one.world.clock.advance(1_000);
      await one.world.until(one.device.notify(path, senmlValue(path, value)));
    }
    // The virtual clock stands still meanwhile.
    for (let value = 5; value < 8; value += 1) await one.world.until(one.device.notify(path, senmlValue(path, value)));
    const values: unknown[] = [];
    let from: string | null = "";
    while (from !== null) {
      const page = await one.rest("GET", `/devices/dev-1/history?path=${path}&limit=2${from === "" ? "" : `&from=${from}`}`);
      const items = at(page.body, "items");
      assert.ok(Array.isArray(items));
      values.push(...items.map((item) => at(item, "value")));
      const next = at(page.body, "next");
      from = typeof next === "string" ? next : null;
    }
    assert.deepEqual(values, [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("the history by steps of time: all aggregates, or one; the next page goes on at its step", async () => {
    await one.device.register();
    const path = "/3303/0/5700";
    one.device.answers.set(`GET ${path}`, senmlValue(path, 0));
    await one.world.carryOut("dev-1", { kind: "observe", path });
    const startMs = one.world.clock.now();
    for (const [value, afterMs] of [
      [3, 1_000],
      [5, 1_000],
      [10, 10_000],
    ] as const) {
      await one.world.clock.advance(afterMs);
      await one.world.until(one.device.notify(path, senmlValue(path, value)));
    }
    const query = `path=${path}&from=${formatInstant(startMs + 1)}&stepSeconds=5`;
    const { body } = await one.rest("GET", `/devices/dev-1/history?${query}`);
    const time = (afterMs: number) => formatInstant(startMs + 1 + afterMs);
    assert.deepEqual(at(body, "items"), [
      { time: time(0), count: 2, first: 3, last: 5, min: 3, max: 5, mean: 4, sum: 8 },
      { time: time(10_000), count: 1, first: 10, last: 10, min: 10, max: 10, mean: 10, sum: 10 },
    ]);
    const page = (await one.rest("GET", `/devices/dev-1/history?${query}&aggregate=mean&limit=1`)).body;
    assert.deepEqual([at(page, "items"), at(page, "next"), at(page, "stepSeconds")], [[{ time: time(0), value: 4 }], time(5_000), 5]);
    for (const wrong of ["aggregate=mean", "stepSeconds=0", "stepSeconds=5&aggregate=median"]) {
      assert.equal((await one.rest("GET", `/devices/dev-1/history?path=${path}&${wrong}`)).status, "bad-request", wrong);
    }
  });
});

test("devices: list, registration, objects; a deleted device is unknown everywhere", async () => {
  await one.device.register({ query: sleepy });
  await one.world.clock.advance(94_000);
  await one.rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/9" } });
  const shown = await one.rest("GET", "/devices/dev-1");
  assert.deepEqual([at(shown.body, "registration", "queueMode"), at(shown.body, "awake")], [true, false]);
  assert.ok(!JSON.stringify(shown.body).includes(one.device.location[1] ?? "none"), "the location is a secret");
  assert.equal(at((await one.rest("GET", "/devices/dev-1/objects")).body, "items", 1, "name"), "device");
  assert.equal((await one.rest("GET", "/devices/dev-1/registration")).status, 200);
  assert.equal(at((await one.rest("GET", "/devices?limit=1")).body, "next"), "dev-1");
  assert.equal((await one.rest("DELETE", "/devices/dev-1")).status, 204);
  for (const address of ["", "/registration", "/objects", "/queue", "/resources", "/resources/3/0/9"]) {
    assert.equal((await one.rest("GET", `/devices/dev-1${address}`)).status, "device-unknown", address);
  }
  assert.equal((await one.device.update()).code, ResponseCode.notFound);
  assert.equal((await one.rest("DELETE", "/devices/dev-1")).status, "device-unknown");
  await one.device.register();
  assert.equal(at((await one.rest("GET", "/devices/dev-1")).body, "registration", "queueMode"), false);
  assert.equal((await one.world.eventTypes("dev-1")).filter((type) => type === "device.created").length, 2);
});

describe("LwM2M Gateway 1.1 §6: Send with the prefix of a device behind a gateway", () => {
  const send = (pack: string) =>
    one.device.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload: new TextEncoder().encode(pack) });

  test("4.04: no such device is known, and nothing of it becomes the gateway's own value", async () => {
    await one.device.register();
    for (const pack of ['[{"n":"/d01/3/0/9","v":5}]', '[{"n":"/3/0/9","v":1},{"n":"/d01/3/0/9","v":5}]']) {
      assert.equal((await send(pack)).code, ResponseCode.notFound);
    }
    assert.equal((await send('[{"n":"/x y/3/0/9","v":5}]')).code, ResponseCode.badRequest);
    assert.equal(await one.world.until(one.world.server.twins.find("dev-1")), undefined);
    assert.equal((await send('[{"n":"/3/0/9","v":5}]')).code, ResponseCode.changed);
  });
});
