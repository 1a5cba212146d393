import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { Operation, OperationRequest } from "../operations/operation.ts";
import { content, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { findTarget, type Observation, observationId } from "./observation.ts";

const battery = "/3/0/9";
const temperature = "/3303/0/5700";
const paths = [temperature, battery];
const both = (percent: number, celsius: number) => content(`[{"n":"${battery}","v":${percent}},{"n":"${temperature}","v":${celsius}}]`);
const query = ["lt=86400", "lwm2m=1.1", "b=U"];
const list = `[{"n":"${temperature}"},{"n":"${battery}"}]`;

let world: ServerWorld;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world, { query });
  device.answers.set("FETCH /", both(55, 20.5));
  await device.register();
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

const observe = (more: Partial<OperationRequest> = {}): Promise<Operation> =>
  world.carryOut("dev-1", { kind: "observeComposite", path: "/", paths, ...more });
const observation = async (): Promise<Observation> => {
  const found = await world.until(world.server.observations.findById(observationId("dev-1", { path: "/", paths })));
  assert.ok(found);
  return found;
};
const known = async (path: string) => (await world.until(world.server.twins.find("dev-1")))?.values[path];
const history = async (path: string) => {
  const toMs = world.clock.now() + 1;
  const points = await world.until(world.server.twins.history({ endpoint: "dev-1", path, fromMs: 0, toMs, limit: 100 }));
  return points.map(({ value }) => value);
};

test("LwM2M Core 1.1 §6.4.3: granted by a FETCH with Observe; every notification is twin, history and event of all its paths", async () => {
  const operation = await observe();
  assert.equal(operation.status, "succeeded", String(operation.detail));
  assert.deepEqual(device.asked, ["FETCH / observe 0"]);
  assert.equal(Buffer.from(device.requests[0]?.payload ?? []).toString(), list);
  assert.deepEqual(await world.until(device.notify("/", both(54, 21))), { ok: true });
  assert.deepEqual([(await known(battery))?.value, (await known(temperature))?.value, (await known(battery))?.source], [54, 21, "notify"]);
  assert.deepEqual(
    [await history(battery), await history(temperature)],
    [
      [55, 54],
      [20.5, 21],
    ],
  );
  const events = await world.eventsOf("dev-1");
  assert.deepEqual(events.find(({ type }) => type === "observation.started")?.data, { path: "/", paths });
  const told = events.filter(({ type }) => type === "resource.changed").at(-1)?.data as { readonly values: readonly { path: string }[] };
  assert.deepEqual(told.values.map(({ path }) => path).toSorted(), [battery, temperature]);
});

test("LwM2M Core 1.1 §6.4.3: what a notification leaves out is gone, and back when it is there again", async () => {
  await observe();
  await world.until(device.notify("/", content(`[{"n":"${battery}","v":54}]`)));
  assert.equal(await known(temperature), undefined);
  await world.until(device.notify("/", both(53, 22)));
  assert.equal((await known(temperature))?.value, 22);
});

test("our restart: its notification is accepted and read, nothing asked again; cancelled actively with the same list", async () => {
  await observe();
  const before = await observation();
  assert.deepEqual(before.relation?.list, { contentFormat: 110, payload: Buffer.from(list).toString("base64") });
  await world.kill();
  await world.start();
  await world.clock.advance(1_000);
  assert.deepEqual(await world.until(device.notify("/", both(50, 23))), { ok: true });
  assert.equal((await known(temperature))?.value, 23);
  assert.deepEqual(device.asked, ["FETCH / observe 0"]);
  const cancelled = await world.carryOut("dev-1", { kind: "cancelObserve", path: "/", paths: paths.toReversed() });
  assert.equal(cancelled.status, "succeeded", String(cancelled.detail));
  assert.equal(device.asked.at(-1), "FETCH / observe 1");
  assert.equal(Buffer.from(device.requests.at(-1)?.payload ?? []).toString(), list, "RFC 7641 §3.6: the request as it was");
  assert.deepEqual([(await observation()).state, (await observation()).endReason], ["ended", "cancelled"]);
  assert.deepEqual((await world.carryOut("dev-1", { kind: "cancelObserve", path: "/", paths })).reason, "not-observing");
});

test("LwM2M Core 1.1 §6.4.1: a device that registers anew is asked again for the same paths", async () => {
  await observe();
  await device.restart();
  await device.register();
  await world.clock.advance(1_000);
  assert.deepEqual(device.asked, ["FETCH / observe 0", "FETCH / observe 0"]);
  assert.equal((await observation()).state, "active");
  assert.deepEqual(await world.until(device.notify("/", both(49, 24))), { ok: true });
});

test("LwM2M Core 1.2 §6.4.3: a 1.2 client gets the attributes with the request, and again after its restart", async () => {
  await device.register({ query: ["lt=86400", "lwm2m=1.2", "b=U"] });
  device.answers.set("FETCH /?pmin=5&con=1", both(55, 20.5));
  const attributes = { pmin: 5, con: 1 };
  assert.equal((await observe({ attributes })).status, "succeeded");
  assert.deepEqual([device.asked, device.requests[0]?.contentFormat], [["FETCH /?pmin=5&con=1 observe 0"], 110]);
  await device.restart();
  await device.register({ query: ["lt=86400", "lwm2m=1.2", "b=U"] });
  await world.clock.advance(1_000);
  assert.equal(device.asked.at(-1), "FETCH /?pmin=5&con=1 observe 0");
  await world.carryOut("dev-1", { kind: "cancelObserve", path: "/", paths });
  assert.equal(device.asked.at(-1), "FETCH /?pmin=5&con=1 observe 1", "RFC 7641 §3.6: with the same options");
});

test("a device that answers the list but grants nothing, and one without FETCH, are not observed", async () => {
  device.grants = false;
  assert.equal((await observe()).reason, "not-observing");
  device.answers.set("FETCH /", { code: ResponseCode.methodNotAllowed });
  const refused = await observe();
  assert.deepEqual([refused.reason, refused.coapCode], ["device-rejected", "4.05"]);
});

test("RFC 7641 §4.2: an error notification ends it", async () => {
  await observe();
  await world.until(device.notify("/", { code: ResponseCode.notFound }));
  await world.clock.advance(100);
  assert.deepEqual([(await observation()).state, (await observation()).coapCode], ["ended", "4.04"]);
});

test("an observation of one path and a composite one of it are two", async () => {
  device.answers.set(`GET ${battery}`, content(`[{"n":"${battery}","v":55}]`));
  await world.carryOut("dev-1", { kind: "observe", path: battery });
  await observe({ paths: [battery] });
  const found = await world.until(world.server.observations.list({ endpoint: "dev-1", limit: 10 }));
  assert.deepEqual(
    found.map(({ _id, state }) => [_id, state]),
    [
      ["/3/0/9,@dev-1", "active"],
      ["/3/0/9@dev-1", "active"],
    ],
  );
  for (const { _id, path, paths: several } of found) {
    assert.deepEqual(findTarget(_id), { endpoint: "dev-1", target: several === undefined ? { path } : { path, paths: several } });
  }
});
