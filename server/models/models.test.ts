import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { aDdf, anItem, anObject, type ObjectFixture } from "@lwm2m/object-registry/testing/ddf-fixtures";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { type Answered, at, type Rest, restOf } from "../testing/rest.ts";
import { ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

let world: ServerWorld;
let device: ScriptedDevice;
let rest: Rest;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world, { query: ["lt=86400", "lwm2m=1.0", "b=U"], links: "</3/0>,</32999>;ver=1.0,</32999/0>" });
  rest = restOf(world);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const post = (xml: string, address = "/models"): Promise<Answered> => rest("POST", address, { upload: [bytes(xml)] });
const ofVersion = (version: string): Pick<ObjectFixture, "urn" | "versions"> => ({
  urn: `urn:oma:lwm2m:x:32999:${version}`,
  versions: `<ObjectVersion>${version}</ObjectVersion>`,
});
const tank = (version = "1.0", more: ObjectFixture = {}): string => anObject({ id: "32999", name: "Tank", ...ofVersion(version), ...more });
const silo = anObject({ id: "32998", name: "Silo" });

const items = [
  anItem({ id: "0", name: "Serial Number", operations: "R", type: "Unsigned Integer", range: "0..18446744073709551615" }),
  anItem({ id: "1", name: "Fill Level", operations: "R", type: "Float", units: "m3" }),
  anItem({ id: "2", name: "Mode", type: "Integer", range: "0: off 1: on 255: unknown" }),
  anItem({ id: "3", name: "Balance", type: "Integer", range: "-9223372036854775808..9223372036854775807" }),
  anItem({ id: "4", name: "Drain", operations: "E", type: "" }),
];

/** LwM2M Core 1.0 §6.4.3: Serial Number 2^64-1, Fill Level 12.5, Mode 1. */
const tlv = new Uint8Array([0xc8, 0, 8, ...Array(8).fill(0xff), 0xc4, 1, 0x41, 0x48, 0, 0, 0xc1, 2, 1]);

async function readTank(): Promise<Answered> {
  device.answers.set("GET /32999/0", { code: ResponseCode.content, contentFormat: ContentFormat.tlv, payload: tlv });
  return rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/32999/0" } });
}

const namesAndValues = (body: Answered["body"]): unknown => {
  const values = at(body, "result", "values");
  assert.ok(Array.isArray(values));
  return values.map((value) => [at(value, "name"), at(value, "value")]);
};

const listed = async (search: string): Promise<unknown> => {
  const items = at((await rest("GET", `/models?${search}`)).body, "items");
  assert.ok(Array.isArray(items));
  return items.map((item) => `${at(item, "id")}/${at(item, "version")} ${at(item, "source")}`);
};

describe("POST /models", () => {
  test("LwM2M Core 1.1 §7.2: a device that registers /32999;ver=1.0 is read with names and types of an own model, at once", async () => {
    await device.register();
    const before = await readTank();
    assert.notDeepEqual(at(before.body, "result", "values", 1, "value"), 12.5);
    const added = await post(aDdf([tank("1.0", { items })]));
    assert.deepEqual([added.status, added.headers["location"]], [201, "/api/v1/models/32999/1.0"]);
    assert.deepEqual([at(added.body, "models", 0, "change"), at(added.body, "models", 0, "resourceCount")], ["added", 5]);
    const expected = [
      ["tank/0/serialNumber", "18446744073709551615"],
      ["tank/0/fillLevel", 12.5],
      ["tank/0/mode", 1],
    ];
    assert.deepEqual(namesAndValues((await readTank()).body), expected);
    await world.stop();
    await world.start();
    rest = restOf(world);
    await device.register();
    assert.deepEqual(namesAndValues((await readTank()).body), expected);
  });

  test("LwM2M Core 1.1 appendix D.1: what the model does not allow is refused before it leaves: range, 64 bits exact, operation", async () => {
    await post(aDdf([tank("1.0", { items })]));
    await device.register();
    device.answers.set("PUT /32999/0/2", { code: ResponseCode.changed });
    device.answers.set("PUT /32999/0/3", { code: ResponseCode.changed });
    device.answers.set("POST /32999/0/4", { code: ResponseCode.changed });
    const statusOf = async (body: { readonly [field: string]: string | number }): Promise<unknown> => {
      const reply = await rest("POST", "/devices/dev-1/operations", { body });
      return reply.status === 200 ? at(reply.body, "status") : reply.status;
    };
    assert.equal(await statusOf({ kind: "write", path: "tank/0/mode", value: 255 }), "succeeded");
    assert.equal(await statusOf({ kind: "write", path: "tank/0/mode", value: 2 }), "value-type-mismatch");
    assert.equal(await statusOf({ kind: "write", path: "tank/0/balance", value: "-9223372036854775808" }), "succeeded");
    assert.equal(await statusOf({ kind: "write", path: "tank/0/balance", value: "9223372036854775808" }), "value-type-mismatch");
    assert.equal(await statusOf({ kind: "write", path: "tank/0/fillLevel", value: 1 }), "operation-not-allowed");
    assert.equal(await statusOf({ kind: "execute", path: "tank/0/drain" }), "succeeded");
  });

  test("a faulty file is refused as a whole, each fault with its line and element; nothing is taken", async () => {
    const bad = [anItem({ id: "0", type: "Foo" }), anItem({ id: "1" }), anItem({ id: "2", operations: "X" })];
    for (const address of ["/models", "/models:validate"]) {
      const { status, body } = await post(aDdf([silo, tank("1.0", { items: bad })]), address);
      assert.equal(status, "model-invalid");
      assert.equal(at(body, "errors", 0, "pointer"), "/LWM2M/Object[2]/Resources/Item[1]/Type");
      assert.equal(at(body, "errors", 1, "pointer"), "/LWM2M/Object[2]/Resources/Item[3]/Operations");
      assert.match(
        String(at(body, "detail")),
        /^line \d+: object 32999, resource 0: Type "Foo" is not one of .* \(and 1 more, see errors\)$/,
      );
    }
    assert.deepEqual(await listed("source=own"), []);
  });

  test("an object version twice in one file is refused", async () => {
    const { status, body } = await post(aDdf([tank(), silo, tank()]));
    assert.equal(status, "model-invalid");
    assert.match(String(at(body, "errors", 0, "detail")), /object 32999: version 1.0 is defined twice/);
    assert.equal(at(body, "errors", 0, "pointer"), "/LWM2M/Object[3]");
  });

  test("an own version is replaced, for devices that have registered it too; who made it first is kept", async () => {
    await post(aDdf([tank("1.0", { items })]));
    await device.register();
    const renamed = items.with(1, anItem({ id: "1", name: "Volume", operations: "R", type: "Float" }));
    const first = (await rest("GET", "/models/32999/1.0")).body;
    await world.clock.advance(60_000);
    const replaced = await post(aDdf([tank("1.0", { items: renamed })]));
    assert.deepEqual([replaced.status, at(replaced.body, "models", 0, "change")], [200, "replaced"]);
    assert.equal(at(replaced.body, "models", 0, "createdAt"), at(first, "createdAt"));
    assert.notEqual(at(replaced.body, "models", 0, "updatedAt"), at(first, "updatedAt"));
    assert.deepEqual(at((await readTank()).body, "result", "values", 1, "name"), "tank/0/volume");
    await world.stop();
    await world.start();
    rest = restOf(world);
    assert.deepEqual((await rest("GET", "/models?source=own")).body, { items: [onlySummary(replaced)], next: null });
  });

  test("a published version cannot be replaced, and what came with it is not taken; a version nobody published can be added", async () => {
    const device12 = anObject({ id: "3", name: "Device", urn: "urn:oma:lwm2m:oma:3:1.2", versions: "<ObjectVersion>1.2</ObjectVersion>" });
    for (const address of ["/models", "/models:validate"]) {
      const { status, body } = await post(aDdf([silo, device12]), address);
      assert.equal(status, "conflict");
      assert.match(String(at(body, "detail")), /^3\/1\.2: /);
    }
    assert.deepEqual(await listed("source=own"), []);
    assert.equal((await post(aDdf([device12.replaceAll("1.2", "1.77")]))).status, 201);
    assert.deepEqual(await listed("id=3&source=own"), ["3/1.77 own"]);
  });

  test("a file that was only looked at changes nothing and names what the model does not keep", async () => {
    const xml = aDdf([tank("1.0", { items: [anItem({ range: "as you like" })] })]);
    const { status, body } = await post(xml, "/models:validate");
    assert.deepEqual([status, at(body, "models", 0, "change"), at(body, "warnings", 0, "pointer")], [200, "added", rangePath]);
    assert.equal((await rest("GET", "/models/32999")).status, "model-unknown");
    const { body: uploaded } = await post(xml);
    assert.deepEqual(at(uploaded, "warnings"), at(body, "warnings"));
    assert.equal(at((await post(xml, "/models:validate")).body, "models", 0, "change"), "replaced");
  });

  test("a name that an object loses to an own model is a warning, and the path by id goes on", async () => {
    const { body } = await post(aDdf([anObject({ id: "30", name: "Temperature" })]));
    assert.equal(
      at(body, "warnings", 0, "detail"),
      "paths of object 3303 that begin with temperature begin with temperature_3303 from then on",
    );
    assert.equal(at((await rest("GET", "/models/3303/1.0")).body, "pathName"), "temperature_3303");
    assert.equal((await rest("DELETE", "/models/30/1.0")).status, 204);
    assert.equal(at((await rest("GET", "/models/3303/1.0")).body, "pathName"), "temperature");
  });

  test("concurrent uploads: every one is durable, of one version the last one asked for counts", async () => {
    const named = (name: string): string => aDdf([tank("1.0", { name }), anObject({ id: "32990", name })]);
    const others = Array.from({ length: 20 }, (_, index) => aDdf([anObject({ id: String(33_100 + index) })]));
    const replies = await Promise.all([named("First"), ...others, named("Last")].map((xml) => post(xml)));
    assert.deepEqual(
      replies.map(({ status }) => status),
      [...Array(21).fill(201), 200],
    );
    const check = async (): Promise<void> => {
      assert.equal(((await listed("source=own")) as readonly string[]).length, 22);
      for (const id of [32990, 32999]) assert.equal(at((await rest("GET", `/models/${id}/1.0`)).body, "name"), "Last");
    };
    await check();
    await world.kill();
    await world.start();
    rest = restOf(world);
    await check();
  });

  test("XML 1.0 §4: a file with a DOCTYPE, of other bytes than UTF-8, or of no XML at all is refused with the reason", async () => {
    const bomb = `<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><LWM2M>&b;</LWM2M>`;
    const refused = async (upload: readonly Uint8Array[], detail: RegExp): Promise<void> => {
      const { status, body } = await rest("POST", "/models", { upload });
      assert.equal(status, "model-invalid");
      assert.match(String(at(body, "errors", 0, "detail")), detail);
    };
    await refused([bytes(bomb)], /DOCTYPE/);
    await refused([Uint8Array.of(0xff, 0xfe, 0x3c, 0)], /not UTF-8/);
    await refused([bytes('{"models":[]}')], /./);
    await refused([bytes(`<LWM2M>${"<a>".repeat(1_000)}`)], /./);
    await refused([bytes(" ".repeat(600_000))], /the file has 600000 characters, at most 500000/);
    const large = await rest("POST", "/models", { upload: Array.from({ length: 50 }, () => new Uint8Array(100_000)) });
    assert.equal(large.status, "body-too-large");
    assert.equal((await rest("POST", "/models", { upload: [] })).status, "bad-request");
  });
});

const rangePath = "/LWM2M/Object/Resources/Item/RangeEnumeration";

function onlySummary(reply: Answered): unknown {
  const { change: _, ...summary } = at(reply.body, "models", 0) as { readonly [member: string]: unknown };
  return summary;
}

describe("GET /models", () => {
  test("catalogue and own, by id and then version, page by page, each once", async () => {
    await post(aDdf([tank("1.10"), silo]));
    await post(aDdf([tank("1.9"), tank("1.0")]));
    assert.deepEqual(await listed("source=own"), ["32998/1.0 own", "32999/1.0 own", "32999/1.9 own", "32999/1.10 own"]);
    assert.deepEqual(await listed("id=3&source=own"), []);
    assert.deepEqual(await listed("id=32999&source=catalogue"), []);
    const seen: string[] = [];
    for (let after = ""; ; ) {
      const { body } = await rest("GET", `/models?limit=100${after}`);
      const items = at(body, "items");
      assert.ok(Array.isArray(items) && items.length <= 100);
      seen.push(...items.map((item) => `${at(item, "id")}/${at(item, "version")}`));
      const next = at(body, "next");
      if (typeof next !== "string") break;
      after = `&after=${next}`;
    }
    assert.ok(seen.length > 400);
    assert.equal(new Set(seen).size, seen.length);
    assert.deepEqual(seen, await allVersions());
  });

  test("queries that mean nothing are refused", async () => {
    for (const search of ["id=x", "id=65535", "source=mine", "limit=0", "limit=1001", "after=32999", "after=1%2F1.0%2F2"]) {
      assert.equal((await rest("GET", `/models?${search}`)).status, "bad-request", search);
    }
  });

  test("one object: its versions, the definition with the names its paths have, and its JSON Schema", async () => {
    await post(aDdf([tank("1.0", { items })]));
    await post(aDdf([tank("1.1")]));
    const { body: versions } = await rest("GET", "/models/32999");
    assert.deepEqual([at(versions, "versions", 0, "version"), at(versions, "versions", 1, "version")], ["1.0", "1.1"]);
    const { body } = await rest("GET", "/models/32999/1.0");
    assert.deepEqual([at(body, "pathName"), at(body, "source"), at(body, "createdBy")], ["tank", "own", "tester"]);
    assert.deepEqual(at(body, "resources", 0), {
      id: 0,
      name: "Serial Number",
      pathName: "serialNumber",
      operations: "R",
      multiple: false,
      mandatory: false,
      type: "unsigned",
      range: "0..18446744073709551615",
      unit: null,
    });
    assert.deepEqual([at(body, "resources", 2, "range"), at(body, "resources", 4, "type")], ["0,1,255", null]);
    const schema = await rest("GET", "/models/32999/1.0/schema");
    assert.equal(schema.headers["content-type"], "application/schema+json");
    assert.deepEqual(at(schema.body, "properties", "fillLevel", "x-unit"), "m3");
    assert.equal(at((await rest("GET", "/models/3/1.1")).body, "source"), "catalogue");
  });

  test("objects and versions nobody described are unknown", async () => {
    for (const path of ["/models/64000", "/models/abc", "/models/03", "/models/3/9.9", "/models/3/9.9/schema"]) {
      assert.equal((await rest("GET", path)).status, "model-unknown", path);
    }
  });
});

async function allVersions(): Promise<readonly string[]> {
  return world.registry.list().flatMap(({ id }) => world.registry.versionsOf(id).map((version) => `${id}/${version}`));
}

describe("DELETE /models/{id}/{version}", () => {
  const deletion = (path = "/models/32999/1.0"): Promise<Answered> => rest("DELETE", path);

  test("a version that a registered device uses stays, asleep or awake; when the device is gone it goes, also over a restart", async () => {
    await post(aDdf([tank("1.0", { items })]));
    await device.register({ query: ["lt=86400", "lwm2m=1.0", "b=UQ"] });
    await world.clock.advance(3_600_000);
    const refused = await deletion();
    assert.deepEqual([refused.status, at(refused.body, "detail")], ["conflict", "1 registered device uses object 32999 version 1.0"]);
    await device.deregister();
    assert.equal((await deletion()).status, 204);
    assert.equal((await deletion()).status, "model-unknown");
    assert.equal(world.registry.find(32999), undefined);
    await world.stop();
    await world.start();
    rest = restOf(world);
    assert.equal((await rest("GET", "/models/32999")).status, "model-unknown");
  });

  test("LwM2M Core 1.1 §7.2: the version nearest to the registered one is in use, another is not", async () => {
    await post(aDdf([tank("1.1"), tank("1.2"), tank("2.0")]));
    await device.register();
    const others = new ScriptedDevice(world, {
      endpoint: "dev-2",
      address: { address: "10.0.0.3", port: 56_830 },
      links: "</32999>;ver=1.5",
    });
    await others.register();
    assert.equal((await deletion("/models/32999/2.0")).status, 204);
    assert.equal((await deletion("/models/32999/1.1")).status, 204);
    assert.match(String(at((await deletion("/models/32999/1.2")).body, "detail")), /^2 registered devices use/);
    await others.close();
  });

  test("the catalogue stays", async () => {
    assert.equal((await deletion("/models/3/1.1")).status, "conflict");
    assert.equal((await deletion("/models/3/9.9")).status, "model-unknown");
    assert.equal((await deletion("/models/x/1.0")).status, "model-unknown");
  });
});
