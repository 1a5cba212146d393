import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { bytes, content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { Operation, OperationRequest } from "./operation.ts";

type Version = "1.0" | "1.1" | "1.2";

const changed: OutgoingResponse = { code: ResponseCode.changed };
const linkFormat = (text: string): OutgoingResponse => ({ code: ResponseCode.content, contentFormat: 40, payload: bytes(text) });

let world: ServerWorld;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world, { links: '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</16/0>,</3303/0>,</3342/0>' });
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
});

const register = (version: Version) => device.register({ query: ["lt=86400", `lwm2m=${version}`, "b=U"] });
const carryOut = (request: OperationRequest): Promise<Operation> => world.carryOut("dev-1", request);

/** `needs` of a feature: the version without it is refused by name, the first with it gets the request. */
const gated: readonly { readonly needs: Version; readonly what: string; readonly request: OperationRequest; readonly asked: string }[] = [
  { needs: "1.1", what: "read of a resource instance", request: { kind: "read", path: "/16/0/0/1" }, asked: "GET /16/0/0/1" },
  { needs: "1.1", what: "write of a resource instance", request: { kind: "write", path: "/16/0/0/1", value: "a" }, asked: "PUT /16/0/0/1" },
  {
    needs: "1.1",
    what: "observe of a resource instance",
    request: { kind: "observe", path: "/16/0/0/1" },
    asked: "GET /16/0/0/1 observe 0",
  },
  {
    needs: "1.1",
    what: "observeComposite (a 1.0 device is observed path by path)",
    request: { kind: "observeComposite", path: "/", paths: ["/3/0/9"] },
    asked: "FETCH / observe 0",
  },
  {
    needs: "1.1",
    what: "writeAttributes with the attribute epmin",
    request: { kind: "writeAttributes", path: "/3303/0/5700", attributes: { epmin: 1, epmax: 5 } },
    asked: "PUT /3303/0/5700?epmin=1&epmax=5",
  },
  { needs: "1.2", what: "delete of a resource instance", request: { kind: "delete", path: "/16/0/0/1" }, asked: "DELETE /16/0/0/1" },
  {
    needs: "1.2",
    what: "writeAttributes with the attribute con",
    request: { kind: "writeAttributes", path: "/3303/0/5700", attributes: { con: 1 } },
    asked: "PUT /3303/0/5700?con=1",
  },
  {
    needs: "1.2",
    what: "writeAttributes with the attribute hqmax",
    request: { kind: "writeAttributes", path: "/3303/0/5700", attributes: { hqmax: 5 } },
    asked: "PUT /3303/0/5700?hqmax=5",
  },
  {
    needs: "1.2",
    what: "writeAttributes with the attribute edge",
    request: { kind: "writeAttributes", path: "/3342/0/5500", attributes: { edge: 1 } },
    asked: "PUT /3342/0/5500?edge=1",
  },
  {
    needs: "1.2",
    what: "observeComposite of / with attributes",
    request: { kind: "observeComposite", path: "/", paths: ["/"], attributes: { pmin: 1 } },
    asked: "FETCH /?pmin=1 observe 0",
  },
  { needs: "1.2", what: "discover with depth 3", request: { kind: "discover", path: "/16", depth: 3 }, asked: "GET /16?depth=3" },
];

describe("LwM2M Core 1.2 §5.2.1: what a client's version has not got is refused by name and never sent", () => {
  for (const { needs, what, request, asked } of gated) {
    test(`${what}: ${needs}`, async () => {
      const before = needs === "1.1" ? "1.0" : "1.1";
      await register(before);
      const outcome = await world.create("dev-1", request);
      assert.ok(!outcome.ok);
      const detail = `${what} needs LwM2M ${needs}; the device registered with ${before}`;
      assert.deepEqual(outcome.refusal, { reason: "not-in-device-version", detail });
      assert.deepEqual(device.asked, []);
      await register(needs);
      await carryOut(request);
      assert.deepEqual(device.asked.slice(0, 1), [asked]);
    });
  }

  test("an operation that waited is refused when the device comes back with an older version", async () => {
    await device.register({ query: ["lt=86400", "lwm2m=1.2", "b=U", "Q"] });
    await world.clock.advance(94_000);
    const created = await world.create("dev-1", { kind: "delete", path: "/16/0/0/1" });
    assert.ok(created.ok);
    await register("1.1");
    const operation = await world.until(world.server.operations.waitFor(created.operation._id, 1_000));
    assert.deepEqual([operation?.status, operation?.reason], ["failed", "not-in-device-version"]);
    assert.deepEqual(device.asked, []);
  });

  test("LwM2M 1.0 TS §5.4.3: part of a multi-instance resource is updated through its instance, which 1.0 has", async () => {
    await register("1.0");
    device.answers.set("POST /16/0", changed);
    const request: OperationRequest = { kind: "write", path: "/16/0/0", value: { "1": "a" }, mode: "update" };
    assert.equal((await carryOut(request)).status, "succeeded");
    assert.equal(Buffer.from(device.requests[0]?.payload ?? []).toString("hex"), "830041" + "0161");
    await register("1.1");
    device.answers.set("POST /16/0/0", changed);
    assert.equal((await carryOut(request)).status, "succeeded");
    assert.deepEqual(device.asked, ["POST /16/0", "POST /16/0/0"]);
  });
});

describe("LwM2M Core 1.1 §6.3: resource instances of 1.1 and 1.2", () => {
  test("read, written, replaced as a whole, updated in part, deleted", async () => {
    await register("1.2");
    device.answers.set("GET /16/0/0/1", senmlValue("/16/0/0/1", "a"));
    for (const line of ["PUT /16/0/0/1", "PUT /16/0/0", "POST /16/0/0"]) device.answers.set(line, changed);
    device.answers.set("DELETE /16/0/0/1", { code: ResponseCode.deleted });
    const known = async () =>
      Object.entries((await world.until(world.server.twins.find("dev-1")))?.values ?? {}).map(([path, { value }]) => `${path} ${value}`);
    assert.equal((await carryOut({ kind: "read", path: "/16/0/0/1" })).status, "succeeded");
    assert.deepEqual(await known(), ["/16/0/0/1 a"]);
    await carryOut({ kind: "write", path: "/16/0/0/1", value: "b" });
    assert.equal(Buffer.from(device.requests.at(-1)?.payload ?? []).toString(), '[{"bn":"/16/0/0/1","vs":"b"}]');
    await carryOut({ kind: "write", path: "/16/0/0", value: { "2": "c" }, mode: "update" });
    assert.deepEqual((await known()).toSorted(), ["/16/0/0/1 b", "/16/0/0/2 c"]);
    await carryOut({ kind: "write", path: "/16/0/0", value: { "3": "d" } });
    assert.deepEqual(await known(), ["/16/0/0/3 d"], "LwM2M Core 1.1 §6.3.3: a replacement takes the others away");
    await carryOut({ kind: "write", path: "/16/0/0/1", value: "e" });
    assert.equal((await carryOut({ kind: "delete", path: "/16/0/0/1" })).status, "succeeded");
    assert.deepEqual(await known(), ["/16/0/0/3 d"]);
  });
});

describe("LwM2M Core 1.2 §5.1.2: attributes fit the resource", () => {
  const cases: readonly (readonly [string, NonNullable<OperationRequest["attributes"]>, RegExp])[] = [
    ["/3/0/0", { gt: 5 }, /gt does not apply to \/3\/0\/0, which is of type string/],
    ["/3303/0/5700", { edge: 1 }, /edge does not apply to \/3303\/0\/5700, which is of type float/],
    ["/3342/0/5500", { st: 1 }, /st does not apply to \/3342\/0\/5500, which is of type boolean/],
    ["/3303/0", { gt: 5 }, /not-at-this-level/],
    ["/3303/0/5700", { gt: 5, lt: 6 }, /lt>=gt/],
    ["/3303/0/5700", { gt: 5, lt: 3, st: 1 }, /lt\+2\*st>=gt/],
    ["/3303/0/5700", { epmin: 5, epmax: 5 }, /epmin>=epmax/],
    ["/3303/0/5700", { con: 2 }, /con/],
    ["/3303/0/5700", { pmin: -1 }, /pmin/],
    ["/3303/0/5700", { dim: 1 }, /"dim" is no notification attribute/],
    ["/3303/0/5700", {}, /at least one attribute/],
  ];
  for (const [path, attributes, why] of cases) {
    test(`${path} ${JSON.stringify(attributes)}`, async () => {
      await register("1.2");
      const outcome = await world.create("dev-1", { kind: "writeAttributes", path, attributes });
      assert.ok(!outcome.ok);
      assert.match(outcome.refusal.detail, why);
      assert.deepEqual(device.asked, []);
    });
  }

  test("a pmax below pmin is no contradiction: it is sent, and has no effect", async () => {
    await register("1.1");
    device.answers.set("PUT /3303/0/5700?pmin=10&pmax=5", changed);
    const attributes = { pmin: 10, pmax: 5 };
    assert.equal((await carryOut({ kind: "writeAttributes", path: "/3303/0/5700", attributes })).status, "succeeded");
  });

  test("of a composite observation: pmin, pmax, epmin, epmax and con, and nothing to remove", async () => {
    await register("1.2");
    for (const attributes of [{ st: 1 }, { pmin: null }, { hqmax: 1 }]) {
      const outcome = await world.create("dev-1", { kind: "observeComposite", path: "/", paths: ["/3/0/9"], attributes });
      assert.ok(!outcome.ok && /a composite observation takes values of/.test(outcome.refusal.detail));
    }
  });
});

describe("LwM2M Core 1.1 §6.3.2: Discover", () => {
  const object =
    "</3303>;ver=1.1;pmax=300,</3303/0>;pmin=10,</3303/0/5700>;st=0.5;pmax=5,</3303/0/5701>,</3303/0/6000>;dim=2;con=1,</3303/0/6000/0>,</3303/0/6000/1>;pmin=3";

  test("attributes are typed where they are attached, and inherited RI > R > OI > O; a pmax below pmin has no effect", async () => {
    await register("1.2");
    device.answers.set("GET /3303?depth=3", linkFormat(object));
    const { result } = await carryOut({ kind: "discover", path: "/3303", depth: 3 });
    assert.ok(result?.kind === "links");
    assert.deepEqual(
      result.links.map(({ path, attached, effective }) => [path, attached, effective]),
      [
        ["/3303", { notification: { pmax: 300 }, version: "1.1" }, { pmax: 300 }],
        ["/3303/0", { notification: { pmin: 10 } }, { pmin: 10, pmax: 300 }],
        ["/3303/0/5700", { notification: { pmax: 5, st: 0.5 } }, { pmin: 10, st: 0.5 }],
        ["/3303/0/5701", { notification: {} }, { pmin: 10, pmax: 300 }],
        ["/3303/0/6000", { notification: { con: 1 }, dimension: 2 }, { pmin: 10, pmax: 300, con: 1 }],
        ["/3303/0/6000/0", { notification: {} }, { pmin: 10, pmax: 300, con: 1 }],
        ["/3303/0/6000/1", { notification: { pmin: 3 } }, { pmin: 3, pmax: 300, con: 1 }],
      ],
    );
    assert.equal(result.links[2]?.name, "temperature/0/sensorValue");
    assert.deepEqual(result.links[2]?.attributes, { st: "0.5", pmax: "5" });
  });

  for (const [version, depth, asked, paths] of [
    ["1.2", 0, "GET /3303?depth=0", ["/3303"]],
    ["1.2", 1, "GET /3303?depth=1", ["/3303", "/3303/0"]],
    ["1.2", 2, "GET /3303", ["/3303", "/3303/0", "/3303/0/5700", "/3303/0/5701", "/3303/0/6000"]],
    ["1.1", 1, "GET /3303", ["/3303", "/3303/0"]],
    ["1.0", 0, "GET /3303", ["/3303"]],
  ] as const) {
    test(`LwM2M Core 1.2 §6.3.3: depth ${depth} of a ${version} client, also where it says more`, async () => {
      await register(version);
      device.answers.set(asked, linkFormat(object));
      const { result } = await carryOut({ kind: "discover", path: "/3303", depth });
      assert.ok(result?.kind === "links");
      assert.deepEqual(device.asked, [asked]);
      assert.deepEqual(
        result.links.map(({ path }) => path),
        paths,
      );
    });
  }
});

describe("LwM2M Core 1.1 §6.3.5: Execute arguments", () => {
  test("one by one, and as text", async () => {
    await register("1.1");
    device.answers.set("POST /3/0/4", changed);
    const payload = (): string => Buffer.from(device.requests.at(-1)?.payload ?? []).toString();
    await carryOut({ kind: "execute", path: "/3/0/4", arguments: [{ digit: 0, value: "U" }, { digit: 5 }] });
    assert.deepEqual([payload(), device.requests.at(-1)?.contentFormat], ["0='U',5", 0]);
    await carryOut({ kind: "execute", path: "/3/0/4", arguments: "1='a',2" });
    assert.equal(payload(), "1='a',2");
    await carryOut({ kind: "execute", path: "/3/0/4", arguments: [] });
    assert.deepEqual([payload(), device.requests.at(-1)?.contentFormat], ["", undefined]);
  });

  for (const [given, why] of [
    [[{ digit: 1 }, { digit: 1 }], /each digit may be given once/],
    [[{ digit: 10 }], /expected a digit, got 10/],
    [[{ digit: 1, value: "a b" }], /printable ASCII without space/],
    ["1,1", /given twice/],
    ["a", /expected digit/],
  ] as const) {
    test(`${JSON.stringify(given)} is refused`, async () => {
      await register("1.1");
      const outcome = await world.create("dev-1", { kind: "execute", path: "/3/0/4", arguments: given });
      assert.ok(!outcome.ok && why.test(outcome.refusal.detail));
    });
  }
});

test("LwM2M Core 1.2.1 §7.4.6: LwM2M CBOR for a 1.2 client that lists it: read, written, created without an instance id", async () => {
  await device.register({ query: ["lt=86400", "lwm2m=1.2", "b=U"], links: '</>;rt=oma.lwm2m;ct="110 112 11544",</3/0>,</3303/0>' });
  device.answers.set("PUT /3/0/14", changed);
  device.answers.set("POST /3303", { code: ResponseCode.created, locationPath: ["3303", "4"] });
  device.answers.set("GET /3303/0/5700", content('[{"n":"/3303/0/5700","v":20}]'));
  await carryOut({ kind: "write", path: "/3/0/14", value: "Z" });
  await carryOut({ kind: "create", path: "/3303", value: { "5701": "Cel" } });
  await carryOut({ kind: "read", path: "/3303/0/5700" });
  await carryOut({ kind: "observe", path: "/3303/0/5700" });
  assert.deepEqual(
    device.requests.map(({ contentFormat, accept, payload }) => [contentFormat ?? accept, Buffer.from(payload).toString("hex")]),
    [
      [11_544, "a103a100a10e615a"],
      [11_544, "a1190ce7a119ffffa11916456343656c"],
      [11_544, ""],
      [112, ""],
    ],
  );
});
