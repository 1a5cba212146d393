import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { codeOf, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { mergeObjects } from "./object-profiles.ts";

let world: ServerWorld;
let rest: Rest;
let device: ScriptedDevice;
const pid = "6:27354b9a";

beforeEach(async () => {
  world = await ServerWorld.open();
  rest = restOf(world);
  device = new ScriptedDevice(world);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
});

const query = ["lt=300", "lwm2m=1.2", `pid=${pid}`];
const setProfile = (objects: { id: number; version?: string; instances: number[] }[], id = pid) =>
  rest("PUT", `/object-profiles/${id}`, { body: { objects } });
const objects = async () => (await world.until(world.server.registrations.find("dev-1")))?.objects;

describe("LwM2M Core 1.2 §6.2.1: a profile id in place of the object list", () => {
  test("LightweightM2M-1.2-int-110: Register with a profile alone", async () => {
    assert.equal(codeOf(await device.register({ query, links: "" })), "4.09");
    assert.equal(
      (
        await setProfile([
          { id: 1, instances: [0] },
          { id: 3, version: "1.1", instances: [0] },
        ])
      ).status,
      200,
    );
    assert.equal(codeOf(await device.register({ query, links: "" })), "2.01");
    assert.deepEqual(await objects(), [
      { id: 1, version: "1.2", instances: [0] },
      { id: 3, version: "1.1", instances: [0] },
    ]);
    assert.equal((await world.until(world.server.registrations.find("dev-1")))?.extraParameters["pid"], pid);
  });

  test("LightweightM2M-1.2-int-111: profile and list come together", async () => {
    await setProfile([
      { id: 1, instances: [0] },
      { id: 3, instances: [0] },
    ]);
    assert.equal(codeOf(await device.register({ query, links: "</4/0>,</3>;ver=1.1,</3/1>" })), "2.01");
    assert.deepEqual(await objects(), [
      { id: 1, version: "1.2", instances: [0] },
      { id: 3, version: "1.1", instances: [0, 1] },
      { id: 4, version: "1.3", instances: [0] },
    ]);
  });

  test("several profiles; one of them unknown is 4.09, and the list sent then is the whole", async () => {
    await setProfile([{ id: 3, instances: [0] }]);
    await setProfile([{ id: 5, instances: [0] }], "v:acme-firmware");
    const both = ["lt=300", "lwm2m=1.2", `pid="${pid},v:acme-firmware"`];
    assert.equal(codeOf(await device.register({ query: both, links: "" })), "2.01");
    assert.deepEqual(
      (await objects())?.map(({ id }) => id),
      [3, 5],
    );
    const unknown = ["lt=300", "lwm2m=1.2", `pid="${pid},v:nobody"`];
    assert.equal(codeOf(await device.register({ query: unknown, links: "" })), "4.09");
    assert.equal(codeOf(await device.register({ query: unknown, links: "</3/0>,</9/0>" })), "2.01");
    assert.deepEqual(
      (await objects())?.map(({ id }) => id),
      [3, 9],
    );
  });

  test("pid in an Update replaces the list; an unknown one is 4.00 and changes nothing", async () => {
    await device.register({ query: ["lt=300", "lwm2m=1.2"], links: "</4/0>" });
    assert.equal(codeOf(await device.update([`pid=${pid}`])), "4.00");
    await setProfile([{ id: 3, instances: [0] }]);
    assert.equal(codeOf(await device.update([`pid=${pid}`])), "2.04");
    assert.deepEqual(
      (await objects())?.map(({ id }) => id),
      [3],
    );
  });

  test("no list and no profile: 4.09 asks a 1.2 device for it, 4.00 for the ones before", async () => {
    for (const [version, code] of [
      ["1.0", "4.00"],
      ["1.1", "4.00"],
      ["1.2", "4.09"],
    ] as const) {
      assert.equal(codeOf(await device.register({ query: ["lt=300", `lwm2m=${version}`], links: "" })), code, version);
    }
    assert.deepEqual(await world.until(world.server.devices.list({ limit: 10 })), []);
  });

  test("over REST: listed, read, replaced, removed; what no list may hold is refused", async () => {
    await setProfile([{ id: 3, instances: [0] }]);
    await setProfile([{ id: 4, instances: [] }]);
    assert.deepEqual(at((await rest("GET", `/object-profiles/${pid}`)).body, "objects"), [{ id: 4, instances: [] }]);
    assert.equal(at((await rest("GET", "/object-profiles")).body, "items", 0, "id"), pid);
    assert.equal((await setProfile([{ id: 0, instances: [0] }])).status, "bad-request");
    assert.equal(
      (
        await setProfile([
          { id: 3, instances: [0] },
          { id: 3, instances: [1] },
        ])
      ).status,
      "bad-request",
    );
    assert.equal((await setProfile([{ id: 3, instances: [0] }], "7:27354b9a")).status, "bad-request");
    assert.equal((await rest("DELETE", `/object-profiles/${pid}`)).status, 204);
    assert.equal((await rest("DELETE", `/object-profiles/${pid}`)).status, "not-found");
    assert.equal((await rest("GET", `/object-profiles/${pid}`)).status, "not-found");
  });
});

test("lists come together by object: instances of both, the later version", () => {
  const merged = mergeObjects([
    [{ id: 5, version: "1.0", instances: [1] }],
    [
      { id: 5, version: "1.1", instances: [0, 1] },
      { id: 3, instances: [] },
    ],
    [{ id: 5, instances: [] }],
  ]);
  assert.deepEqual(merged, [
    { id: 3, instances: [] },
    { id: 5, version: "1.1", instances: [0, 1] },
  ]);
});
