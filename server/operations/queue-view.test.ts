import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Json } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { Attempt, Operation } from "./operation.ts";

const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];
const changed = { code: ResponseCode.changed };
const operations = "/devices/dev-1/operations";
const untilAsleepMs = 94_000;

let world: ServerWorld;
let device: ScriptedDevice;
let rest: Rest;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world, { query: sleepy });
  rest = restOf(world);
  device.answers.set("FETCH /", content('[{"n":"/3/0/9","v":87},{"n":"/3303/0/5700","v":21.5}]'));
  device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  for (const line of ["POST /3/0", "POST /1/0/8", "PUT /3/0/14"]) device.answers.set(line, changed);
  await device.register();
  await world.clock.advance(untilAsleepMs);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
});

async function order(body: { readonly [field: string]: Json }): Promise<string> {
  const { status, body: made } = await rest("POST", operations, { body, waitMs: 0 });
  assert.equal(status, 202, JSON.stringify(made));
  return String(at(made, "id"));
}

async function queue(): Promise<Json> {
  const { status, body } = await rest("GET", "/devices/dev-1/queue");
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

const listAt = (body: Json, ...path: (string | number)[]): readonly Json[] => at(body, ...path) as readonly Json[];

test("GET …/queue says what the wake-up does before it does it: exchanges, operations, bytes, time", async () => {
  const battery = await order({ kind: "read", path: "/3/0/9" });
  const zone = await order({ kind: "write", path: "/3/0/15", value: "UTC" });
  const trigger = await order({ kind: "execute", path: "/1/0/8", priority: 2 });
  const offset = await order({ kind: "write", path: "/3/0/14", value: "+02:00" });
  const temperature = await order({ kind: "read", path: "/3303/0/5700" });
  const notBefore = formatInstant(world.clock.now() + 3_600_000);
  const later = await order({ kind: "read", path: "/3/0/13", notBefore });
  const body = await queue();
  assert.deepEqual(
    listAt(body, "exchanges").map((exchange) => [at(exchange, "request"), at(exchange, "operations"), at(exchange, "paths")]),
    [
      ["FETCH /", [battery, temperature], ["/3/0/9", "/3303/0/5700"]],
      ["POST /3/0", [zone, offset], ["/3/0"]],
      ["POST /1/0/8", [trigger], ["/1/0/8"]],
    ],
  );
  assert.deepEqual(
    listAt(body, "items").map((item) => at(item, "id")),
    [battery, temperature, zone, offset, trigger, later],
  );
  assert.deepEqual(at(body, "notYet"), [{ operation: later, notBefore }]);
  assert.deepEqual(
    [at(body, "awake"), at(body, "waitingFor", "code"), at(body, "underWay"), at(body, "superseded"), at(body, "unfit")],
    [false, "wake-up", [], [], []],
  );
  assert.notEqual(at(body, "nextExpectedContact"), null);
  assert.deepEqual([at(body, "total", "exchanges"), at(body, "total", "operations")], [3, 5]);

  await device.update();
  await world.clock.advance(1_000);
  assert.deepEqual(device.asked, ["FETCH /", "POST /3/0", "POST /1/0/8"]);
  for (const exchange of listAt(body, "exchanges")) {
    const [attempt] = (await stored(String(listAt(exchange, "operations")[0]))).attempts;
    assert.ok(attempt);
    for (const side of ["bytesDown", "bytesUp"] as const) {
      const [estimated, real] = [Number(at(exchange, side)), attempt[side]];
      assert.ok(estimated >= real * 0.6 && estimated <= real * 1.6, `${at(exchange, "request")}: ${side} ${estimated}, was ${real}`);
    }
  }
  assert.deepEqual(
    listAt(await queue(), "items").map((item) => at(item, "id")),
    [later],
  );
});

async function stored(id: string): Promise<Operation & { readonly attempts: readonly Attempt[] }> {
  return (await world.until(world.server.operations.find(id))) ?? assert.fail(id);
}

test("what does not fit is there with its reason; round trips are estimated by the link until they are measured", async () => {
  const put = await rest("PUT", "/devices/dev-1/link-profile", { body: { profile: "nbiot", awakeSeconds: 60, wakeUpBytes: 64 } });
  assert.deepEqual([put.status, at(put.body, "wakeUpBytes")], [200, 64]);
  await order({ kind: "read", path: "/3/0/9" });
  await order({ kind: "write", path: "/3/0/14", value: "+02:00" });
  const body = await queue();
  assert.deepEqual(
    listAt(body, "exchanges").map((exchange) => [at(exchange, "milliseconds"), at(exchange, "postponed", "code")]),
    [
      [15_000, undefined],
      [15_000, "budget"],
    ],
  );
  assert.equal(at(body, "total", "exchanges"), 1);
  await device.update();
  await world.clock.advance(1_000);
  assert.deepEqual(device.asked, ["GET /3/0/9"]);
  const after = await queue();
  assert.equal(at(after, "exchanges", 0, "milliseconds"), 20);
  // Awake, and yet it is not its turn: the queue, the operation and the device say the same.
  const device1 = (await rest("GET", "/devices/dev-1")).body;
  const codes = [["waitingFor"], ["items", "0", "waitingFor"]].map((path) => at(after, ...path, "code"));
  assert.deepEqual(
    [at(after, "awake"), ...codes, at(device1, "waitingFor", "code")],
    [true, "next-wake-up", "next-wake-up", "next-wake-up"],
  );
});

test("an operation that the model refuses since fails at the wake-up; a device that never registered has items only", async () => {
  const gone = await order({ kind: "read", path: "/3303/0/5700" });
  await device.register({ query: sleepy, links: '</>;rt="oma.lwm2m";ct=110,</3/0>' });
  await world.clock.advance(1_000);
  assert.equal((await stored(gone)).reason, "path-not-in-model");
  assert.deepEqual([at(await queue(), "items"), at(await queue(), "exchanges")], [[], []]);
});

test("priority is checked, shown and kept by a retry", async () => {
  for (const priority of [-1, 10, 1.5]) {
    const { status, body } = await rest("POST", operations, { body: { kind: "read", path: "/3/0/9", priority } });
    assert.deepEqual([status, at(body, "errors", 0, "pointer")], ["bad-request", "/priority"]);
  }
  const id = await order({ kind: "read", path: "/3/0/9", priority: 9 });
  assert.equal(at((await rest("GET", `/operations/${id}`)).body, "priority"), 9);
  const usual = await rest("PUT", "/devices/dev-1/resources/3/0/14", { body: { value: "UTC", priority: 0 }, waitMs: 0 });
  assert.equal(at(usual.body, "priority"), 0);
  await rest("POST", `/operations/${id}:cancel`);
  const again = await rest("POST", `/operations/${id}:retry`, { waitMs: 0 });
  assert.equal(at(again.body, "priority"), 9);
  assert.equal(at((await rest("GET", "/operations")).body, "items", 0, "priority"), 9);
});
