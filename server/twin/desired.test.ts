import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Json } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { bytes, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

const changed = { code: ResponseCode.changed };
const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];
const desired = "/devices/dev-1/twin/desired";
const diff = "/devices/dev-1/twin/diff";

let world: ServerWorld;
let device: ScriptedDevice;
let rest: Rest;

const put = (values: { readonly [path: string]: Json }, more: { readonly [field: string]: Json } = {}) =>
  rest("PUT", desired, { body: { values, ...more } });
const patch = (values: { readonly [path: string]: Json }, more: { readonly [field: string]: Json } = {}) =>
  rest("PATCH", desired, { body: { values, ...more } });

async function differences(): Promise<readonly Json[]> {
  const items = at((await rest("GET", diff)).body, "items");
  assert.ok(Array.isArray(items));
  return items;
}

async function reasons(): Promise<readonly unknown[]> {
  return (await differences()).map((item) => at(item, "why", "code"));
}

async function twinEvents(): Promise<readonly unknown[]> {
  const events = await world.eventsOf("dev-1");
  return events
    .filter(({ type }) => type.startsWith("twin."))
    .map(({ type, data }) =>
      [type.slice(5), ...["path", "reason", "resolution", "by"].map((name) => at(data, name))].filter((x) => x !== undefined).join(" "),
    );
}

const writes = (): readonly string[] => device.asked.filter((line) => line.startsWith("PUT") || line.startsWith("POST"));

/** What was written to a resource, in order: the values in the SenML of the requests. */
function written(path: string): readonly unknown[] {
  const puts = device.requests.filter((request) => request.method === Method.put && `/${request.path.join("/")}` === path);
  return puts.flatMap(({ payload }) => {
    const records: unknown = JSON.parse(new TextDecoder().decode(payload));
    assert.ok(Array.isArray(records));
    return records.map((record) => record.vs ?? record.v ?? record.vd ?? record.vb);
  });
}

/** The device reports by Send, at its own time when one is named. */
async function report(path: string, value: string | number, at?: number): Promise<void> {
  const record = { n: path, ...(typeof value === "number" ? { v: value } : { vs: value }), ...(at === undefined ? {} : { t: at / 1_000 }) };
  const sent = await device.send({
    method: Method.post,
    path: ["dp"],
    contentFormat: ContentFormat.senmlJson,
    payload: bytes(JSON.stringify([record])),
  });
  assert.equal(sent.code, ResponseCode.changed);
  await world.clock.advance(1_000);
}

describe("the desired twin", () => {
  beforeEach(async () => {
    world = await ServerWorld.open();
    device = new ScriptedDevice(world);
    rest = restOf(world);
    device.answers.set("GET /3/0/15", senmlValue("/3/0/15", "UTC"));
    device.answers.set("PUT /3/0/15", changed);
    device.answers.set("PUT /3/0/14", changed);
    device.answers.set("PUT /1/0/1", changed);
  });

  afterEach(async () => {
    assert.deepEqual(world.server.failures, []);
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  test("awake: written at once, converged with the acknowledgement; nothing is written twice", async () => {
    await device.register();
    const { status, body, headers } = await put({ "device/0/timezone": "Europe/Berlin" });
    assert.equal(status, 200);
    assert.deepEqual([at(body, "version"), at(body, "values", 0, "path"), at(body, "values", 0, "source")], [1, "/3/0/15", "tester"]);
    assert.match(String(headers["ETag"]), /^"[^"]+-1"$/);
    await world.clock.advance(1_000);
    assert.deepEqual(writes(), ["PUT /3/0/15"]);
    assert.deepEqual(await differences(), []);
    assert.deepEqual(await twinEvents(), ["diverged /3/0/15 desired", "converged /3/0/15 acknowledged"]);
    await device.update();
    await device.register();
    await world.clock.advance(1_000);
    assert.deepEqual(writes(), ["PUT /3/0/15"]);
    assert.equal(written("/3/0/15").length, 1);
  });

  test("asleep: the difference says that it waits for the wake-up, and goes with it; one open write for a resource, with the newest value", async () => {
    await device.register({ query: sleepy });
    await world.clock.advance(94_000);
    await put({ "/3/0/15": "Europe/Paris" });
    assert.deepEqual(await reasons(), ["waiting-for-wake-up"]);
    await patch({ "/3/0/15": "Europe/Rome" });
    const queue = at((await rest("GET", "/devices/dev-1/queue")).body, "items");
    assert.ok(Array.isArray(queue));
    assert.deepEqual(
      queue.map((operation) => at(operation, "value")),
      ["Europe/Rome"],
    );
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual(written("/3/0/15"), ["Europe/Rome"]);
    assert.deepEqual(await differences(), []);
  });

  test("not registered: the wish waits for the registration, over a restart too", async () => {
    await device.register();
    await device.deregister();
    await put({ "/3/0/15": "Asia/Tokyo" });
    assert.deepEqual(await reasons(), ["waiting-for-registration"]);
    await world.stop();
    await world.start();
    rest = restOf(world);
    await device.restart();
    await device.register();
    await world.clock.advance(1_000);
    assert.deepEqual(written("/3/0/15"), ["Asia/Tokyo"]);
    assert.deepEqual(await differences(), []);
  });

  test("what the device reports already is not written; what it reports meanwhile needs no write any more", async () => {
    await device.register({ query: sleepy });
    await report("/3/0/15", "UTC");
    await put({ "/3/0/15": "UTC" });
    await world.clock.advance(94_000);
    await put({ "/3/0/15": "CET" });
    assert.equal((await differences()).length, 1);
    // It comes with the value it was about to be given: whatever is in the air carries the same.
    await report("/3/0/15", "CET");
    assert.deepEqual(await differences(), []);
    assert.ok(writes().length <= 1);
    assert.equal((await twinEvents()).length, 2, "of the second wish only");
  });

  test("a wish that is taken back while the device sleeps is never written", async () => {
    await device.register({ query: sleepy });
    await world.clock.advance(94_000);
    await put({ "/3/0/15": "CET", "/3/0/14": "+01:00" });
    const { body } = await patch({ "/3/0/15": null });
    assert.deepEqual([at(body, "values", 0, "path"), at(body, "version")], ["/3/0/14", 2]);
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual(writes(), ["PUT /3/0/14"]);
  });

  test("LwM2M Core 1.1 §6.3.3: 4.04, 4.05 and 4.00 are final: shown, and tried again when the device registers anew or the value is said again", async () => {
    for (const code of [ResponseCode.notFound, ResponseCode.methodNotAllowed, ResponseCode.badRequest]) {
      await device.register();
      device.answers.set("PUT /3/0/15", { code });
      const before = writes().length;
      await put({});
      await put({ "/3/0/15": "CET" });
      await world.clock.advance(86_400_000 / 400);
      assert.equal(writes().length, before + 1);
      const [item = null] = await differences();
      assert.deepEqual([at(item, "why", "code"), at(item, "coapCode"), at(item, "nextTryAt")], ["refused", `4.0${code & 31}`, undefined]);
      await device.update();
      await world.clock.advance(1_000);
      assert.equal(writes().length, before + 1, "a contact changes nothing");
      await device.update([], '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>,</3303/1>');
      await world.clock.advance(1_000);
      assert.equal(writes().length, before + 1, "nor do instances of other objects");
      await patch({ "/3/0/15": "CET" });
      await world.clock.advance(1_000);
      assert.equal(writes().length, before + 2, "said again");
      await device.register();
      await world.clock.advance(1_000);
      assert.equal(writes().length, before + 3, "registered anew");
    }
    device.answers.set("PUT /3/0/15", changed);
    await device.register();
    await world.clock.advance(1_000);
    assert.deepEqual(await differences(), []);
  });

  test("LwM2M Core 1.1 §6.2.2: an Update that changes the instances of the object gives a refused wish another try", async () => {
    await device.register({ links: '</>;rt="oma.lwm2m";ct=110,</3/0>,</3303>;ver=1.1,</3303/0>' });
    device.answers.set("PUT /3303/1/5750", { code: ResponseCode.notFound });
    assert.equal((await put({ "/3303/1/5750": "outside" })).status, 200);
    await world.clock.advance(1_000);
    assert.deepEqual(await reasons(), ["refused"]);
    device.answers.set("PUT /3303/1/5750", changed);
    await device.update([], '</>;rt="oma.lwm2m";ct=110,</3/0>,</3303>;ver=1.1,</3303/0>,</3303/1>');
    await world.clock.advance(1_000);
    assert.deepEqual(await differences(), []);
  });

  test("a refusal that may pass is tried again after a minute, four minutes, sixteen, across a restart; told once", async () => {
    await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
    device.answers.set("PUT /3/0/15", { code: ResponseCode.serviceUnavailable });
    await put({ "/3/0/15": "CET" });
    await world.clock.advance(1_000);
    const [item = null] = await differences();
    assert.deepEqual([at(item, "why", "code"), at(item, "coapCode"), typeof at(item, "nextTryAt")], ["retry-later", "5.03", "string"]);
    const times: number[] = [];
    const start = world.clock.now();
    for (let minute = 0; minute < 100; minute += 1) {
      const before = writes().length;
      if (minute === 3) {
        await world.stop();
        await world.start();
        rest = restOf(world);
      }
      await world.clock.advance(60_000);
      if (writes().length > before) times.push(Math.round((world.clock.now() - start) / 60_000));
    }
    assert.deepEqual(times, [1, 5, 21, 85]);
    device.answers.set("PUT /3/0/15", changed);
    await world.clock.advance(256 * 60_000);
    assert.deepEqual(await differences(), []);
    assert.deepEqual(await twinEvents(), ["diverged /3/0/15 desired", "diverged /3/0/15 refused", "converged /3/0/15 acknowledged"]);
  });

  test("a write that a caller cancels is not made anew by itself", async () => {
    await device.register({ query: sleepy });
    await world.clock.advance(94_000);
    await put({ "/3/0/15": "CET" });
    const [item = null] = await differences();
    assert.equal((await rest("POST", `/operations/${String(at(item, "operation"))}:cancel`)).status, 200);
    await world.clock.advance(1_000);
    const [left = null] = await differences();
    assert.deepEqual([at(left, "why", "code"), at(left, "reason")], ["refused", "cancelled"]);
    await device.update();
    await world.clock.advance(1_000);
    assert.deepEqual(writes(), []);
  });
});
