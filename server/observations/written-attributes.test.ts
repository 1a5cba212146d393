import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { linkProfiles } from "@lwm2m/protocol/coap/link-profiles";
import type { OperationRequest } from "../operations/operation.ts";
import type { Json } from "../storage/collection.ts";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";
import { content, senmlValue } from "../testing/scripted-device.ts";
import { attributesInForce, isAbove, ownAttributes, type WrittenLevels } from "./attributes-in-force.ts";
import type { Observation } from "./observation.ts";
import { leastListeningMs } from "./silence.ts";

const path = "/3303/0/5700";
const battery = "/3/0/9";
const changed = { code: ResponseCode.changed };

describe("LwM2M Core 1.1 §5.1.2: the attributes in force", () => {
  type Asked = Pick<Observation, "path" | "paths" | "attributes">;
  const cases: readonly (readonly [string, Asked, readonly string[] | undefined, WrittenLevels, Json])[] = [
    ["those of the Observe alone", { path, attributes: { pmin: 5, pmax: 60 } }, undefined, {}, { pmin: 5, pmax: 60 }],
    [
      "RI > R > OI > O: what a level does not name comes from above it",
      { path, attributes: { pmin: 5 } },
      undefined,
      { "/3303": { pmin: 1, pmax: 300 }, "/3303/0": { pmax: 120 } },
      { pmin: 5, pmax: 120 },
    ],
    [
      "written later at its own path: they replace, and null removes",
      { path, attributes: { pmin: 5, gt: 3 } },
      undefined,
      { [path]: { pmin: 9, gt: null } },
      { pmin: 9 },
    ],
    [
      "a pmax below pmin, and one of 0, have no effect",
      { path, attributes: { pmin: 90 } },
      undefined,
      { "/3303/0": { pmax: 60 } },
      { pmin: 90 },
    ],
    [
      "§6.4.2: those of a resource within it do not count for an instance",
      { path: "/3303/0", attributes: null },
      undefined,
      { [path]: { pmax: 5 }, "/3303": { pmin: 2 } },
      { pmin: 2 },
    ],
    [
      "LwM2M Core 1.2 §6.4.1: what the Observe carried stands before what is attached, for this relation",
      { path, attributes: { pmax: 60 } },
      ["pmax=60"],
      { [path]: { pmax: 10, pmin: 3 } },
      { pmax: 60, pmin: 3 },
    ],
    [
      "LwM2M Core 1.2 §6.4.3: of a composite one that carried some, what is attached is ignored",
      { path: "/", paths: [path, battery], attributes: { pmax: 60 } },
      ["pmax=60"],
      { [path]: { pmax: 10, pmin: 3 } },
      { pmax: 60 },
    ],
    [
      "LwM2M Core 1.1 §6.4.3: of a composite one the shortest pmax, else what all paths have in common",
      { path: "/", paths: [path, battery], attributes: null },
      undefined,
      { "/3303": { pmin: 30, pmax: 45 }, "/3/0/9": { pmin: 30, pmax: 90 }, "/3": { epmin: 4 } },
      { pmin: 30, pmax: 45 },
    ],
    ["of the root nothing is known", { path: "/", paths: ["/"], attributes: null }, undefined, { "/3": { pmax: 5 } }, {}],
  ];
  for (const [title, asked, query, written, expected] of cases) {
    const relation = query === undefined ? {} : { query };
    test(title, () => assert.deepEqual(attributesInForce({ ...asked, relation }, written), expected));
  }

  test("only what is written at or above an observed path has to do with it", () => {
    assert.deepEqual(
      ["/3303", "/3303/0", path, "/3303/1", `${path}/0`, "/3"].map((at) => isAbove(at, { path })),
      [true, true, true, false, false, false],
    );
    assert.equal(isAbove("/3", { path: "/", paths: ["/", path] }), false);
  });

  test("the wish of an operation follows what is written at its path, not what is written above it or beside a query", () => {
    const asked = { path, attributes: { pmin: 5 }, relation: {} };
    assert.deepEqual(ownAttributes(asked, path, { pmax: 60 }), { pmin: 5, pmax: 60 });
    assert.equal(ownAttributes(asked, path, { pmin: null }), null);
    assert.deepEqual(ownAttributes(asked, "/3303", { pmax: 60 }), { pmin: 5 });
    assert.deepEqual(ownAttributes({ ...asked, relation: { query: ["pmin=5"] } }, path, { pmax: 60 }), { pmin: 5 });
  });
});

describe("for how long one must have listened before a relation is called silent", () => {
  const cases: readonly (readonly [string, Observation["attributes"], boolean, number])[] = [
    ["for its pmax", { pmax: 60 }, false, 60_000],
    ["without one not at all: a notification within a day, confirmable, went unanswered", null, false, 0],
    ["who sleeps wakes within its lifetime", { pmax: 60 }, true, 3_600_000],
  ];
  for (const [title, attributes, queueMode, expectedMs] of cases) {
    const registration = { queueMode, lifetimeSeconds: 3_600 };
    test(title, () => assert.equal(leastListeningMs(attributes, registration, linkProfiles.default), expectedMs + 247_000));
  }
});

const one = oneDevice({ query: ["lt=86400", "lwm2m=1.1", "b=U"], links: '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>' });
const carryOut = (request: OperationRequest) => one.world.carryOut("dev-1", request);
const shown = async () => at((await one.rest("GET", "/observations?endpoint=dev-1")).body, "items", 0) ?? null;
const attributes = async () => [at(await shown(), "attributes"), at(await shown(), "inForce")];
const write = (to: string, values: { readonly [name: string]: number | null }) =>
  carryOut({ kind: "writeAttributes", path: to, attributes: values });
const ready = async (version = "1.1"): Promise<void> => {
  one.device.answers.set(`GET ${path}`, senmlValue(path, 20.5));
  for (const query of ["pmin=30&pmax=45", "pmax=600", "pmax", "pmax=60", "pmin=5"]) {
    for (const to of [path, battery, "/3303", "/3303/0", "/3"]) one.device.answers.set(`PUT ${to}?${query}`, changed);
  }
  await one.device.register({ query: ["lt=86400", `lwm2m=${version}`, "b=U"] });
};

describe("Write-Attributes beside an observation", () => {
  test("LwM2M Core 1.1 §5.1.2: at its path, above it, removed again: told as they are in force; nothing is asked again", async () => {
    await ready();
    await carryOut({ kind: "observe", path });
    assert.deepEqual(await attributes(), [null, null]);
    await write("/3303", { pmax: 600 });
    assert.deepEqual(await attributes(), [null, { pmax: 600 }]);
    await write(path, { pmin: 30, pmax: 45 });
    assert.deepEqual(await attributes(), [
      { pmin: 30, pmax: 45 },
      { pmin: 30, pmax: 45 },
    ]);
    await write(path, { pmax: null });
    assert.deepEqual(await attributes(), [{ pmin: 30 }, { pmin: 30, pmax: 600 }]);
    await write("/3", { pmax: 60 });
    assert.deepEqual(await attributes(), [{ pmin: 30 }, { pmin: 30, pmax: 600 }]);
    assert.equal(one.device.asked.filter((line) => line.startsWith("GET")).length, 1);
  });

  test("ETS 304, what was written before the Observe: in force for it; of another registration it is not known", async () => {
    await ready();
    await write("/3303/0", { pmax: 60 });
    await carryOut({ kind: "observe", path });
    assert.deepEqual(await attributes(), [null, { pmax: 60 }]);
    await one.device.restart();
    await one.device.register({ query: ["lt=86400", "lwm2m=1.1", "b=U"] });
    await one.world.clock.advance(2_000);
    assert.deepEqual([at(await shown(), "state"), ...(await attributes())], ["active", null, null]);
  });

  test("refused by the device: nothing changes", async () => {
    await ready();
    await carryOut({ kind: "observe", path });
    one.device.answers.set(`PUT ${path}?pmax=60`, { code: ResponseCode.badRequest });
    assert.equal((await write(path, { pmax: 60 })).status, "failed");
    assert.deepEqual(await attributes(), [null, null]);
  });

  test("RFC 7641 §4.5: the silence that is allowed follows the pmax in force, over our restart too", async () => {
    await ready();
    await carryOut({ kind: "observe", path });
    await write("/3303", { pmax: 60 });
    await one.world.kill();
    await one.world.start();
    const asked = () => one.device.asked.filter((line) => line === `GET ${path} observe 0`).length;
    await one.world.clock.advance(480_000);
    assert.equal(asked(), 2, "twice 60 s and 247 s, not a day");
    await write("/3303", { pmax: 600 });
    await one.world.clock.advance(900_000);
    assert.equal(asked(), 2);
    await one.world.clock.advance(700_000);
    assert.equal(asked(), 3);
  });

  test("a standing observation takes its attributes back", async () => {
    await ready();
    one.device.answers.set(`PUT ${path}?pmin=30&pmax=45`, changed);
    await one.rest("POST", "/observations", { body: { endpoint: "dev-1", path, attributes: { pmin: 30, pmax: 45 } } });
    await one.world.clock.advance(1_000);
    one.device.asked.length = 0;
    await write(path, { pmax: 600 });
    await one.world.clock.advance(2_000);
    assert.deepEqual(one.device.asked, [
      `PUT ${path}?pmax=600`,
      `GET ${path} observe 1`,
      `PUT ${path}?pmin=30&pmax=45`,
      `GET ${path} observe 0`,
    ]);
    assert.deepEqual((await attributes())[1], { pmin: 30, pmax: 45 });
  });

  test("LwM2M Core 1.2 §6.4.1: what an Observe carries is its own; of what it does not name the written counts", async () => {
    await ready("1.2");
    one.device.answers.set(`GET ${path}?pmax=60`, senmlValue(path, 20.5));
    await carryOut({ kind: "observe", path, attributes: { pmax: 60 } });
    await write(path, { pmin: 5 });
    await write(path, { pmax: 600 });
    assert.deepEqual(await attributes(), [{ pmax: 60 }, { pmin: 5, pmax: 60 }]);
  });
});

describe("attributes of a composite observation", () => {
  const both = content(`[{"n":"${battery}","v":55},{"n":"${path}","v":20.5}]`);
  const observe = (more: Partial<OperationRequest> = {}) =>
    carryOut({ kind: "observeComposite", path: "/", paths: [path, battery], attributes: { pmin: 30, pmax: 45 }, ...more });

  test("LwM2M Core 1.1 §6.4.3, ETS 304: to a 1.1 device by Write-Attributes to each path, then one FETCH without query", async () => {
    await ready();
    one.device.answers.set("FETCH /", both);
    assert.equal((await observe()).status, "succeeded");
    assert.deepEqual(one.device.asked, [`PUT ${path}?pmin=30&pmax=45`, `PUT ${battery}?pmin=30&pmax=45`, "FETCH / observe 0"]);
    assert.deepEqual(await attributes(), [
      { pmin: 30, pmax: 45 },
      { pmin: 30, pmax: 45 },
    ]);
    await write(battery, { pmax: 600 });
    assert.deepEqual((await attributes())[1], { pmin: 30, pmax: 45 }, "the shortest pmax");
  });

  test("one path refuses them: the device is not asked to observe, and its word is shown", async () => {
    await ready();
    one.device.answers.set(`PUT ${battery}?pmin=30&pmax=45`, { code: ResponseCode.methodNotAllowed });
    const operation = await observe();
    assert.deepEqual([operation.status, operation.coapCode], ["failed", "4.05"]);
    assert.equal(one.device.asked.includes("FETCH / observe 0"), false);
  });

  test("LwM2M Core 1.2 §6.4.3: to a 1.2 device in the query; refused there, to each path", async () => {
    await ready("1.2");
    one.device.answers.set("FETCH /?pmin=30&pmax=45", both);
    assert.equal((await observe()).status, "succeeded");
    assert.deepEqual(one.device.asked, ["FETCH /?pmin=30&pmax=45 observe 0"]);
    one.device.asked.length = 0;
    one.device.answers.set("FETCH /?pmin=30&pmax=45", { code: ResponseCode.badOption });
    one.device.answers.set("FETCH /", both);
    assert.equal((await observe()).status, "succeeded");
    assert.deepEqual(one.device.asked, [
      "FETCH /?pmin=30&pmax=45 observe 0",
      `PUT ${path}?pmin=30&pmax=45`,
      `PUT ${battery}?pmin=30&pmax=45`,
      "FETCH / observe 0",
    ]);
  });

  test("a standing one, changed: what holds no more is removed at each path of a 1.1 device", async () => {
    await ready();
    one.device.answers.set("FETCH /", both);
    for (const to of [path, battery]) one.device.answers.set(`PUT ${to}?pmin&pmax=60`, changed);
    const made = await one.rest("POST", "/observations", {
      body: { endpoint: "dev-1", paths: [path, battery], attributes: { pmin: 30, pmax: 45 } },
    });
    await one.world.clock.advance(1_000);
    one.device.asked.length = 0;
    await one.rest("PATCH", `/observations/${String(at(made.body, "id"))}`, { body: { attributes: { pmax: 60 } } });
    await one.world.clock.advance(2_000);
    assert.deepEqual(one.device.asked.slice(1), [`PUT ${path}?pmin&pmax=60`, `PUT ${battery}?pmin&pmax=60`, "FETCH / observe 0"]);
    assert.deepEqual((await attributes())[1], { pmax: 60 });
  });
});
