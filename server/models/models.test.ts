import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { aDdf } from "@lwm2m/object-registry/testing/ddf-fixtures";
import { type Answered, at } from "../testing/rest.ts";
import { ScriptedDevice } from "../testing/scripted-device.ts";
import { items, modelsOfOne, silo, tank } from "./models-fixture.ts";

const { one, post, listed } = modelsOfOne();

describe("GET /models", () => {
  test("catalogue and own, by id and then version, page by page, each once", async () => {
    await post(aDdf([tank("1.10"), silo]));
    await post(aDdf([tank("1.9"), tank("1.0")]));
    assert.deepEqual(await listed("source=own"), ["32998/1.0 own", "32999/1.0 own", "32999/1.9 own", "32999/1.10 own"]);
    assert.deepEqual(await listed("id=3&source=own"), []);
    assert.deepEqual(await listed("id=32999&source=catalogue"), []);
    const seen: string[] = [];
    for (let after = ""; ; ) {
      const { body } = await one.rest("GET", `/models?limit=100${after}`);
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
      assert.equal((await one.rest("GET", `/models?${search}`)).status, "bad-request", search);
    }
  });

  test("one object: its versions, the definition with the names its paths have, and its JSON Schema", async () => {
    await post(aDdf([tank("1.0", { items })]));
    await post(aDdf([tank("1.1")]));
    const { body: versions } = await one.rest("GET", "/models/32999");
    assert.deepEqual([at(versions, "versions", 0, "version"), at(versions, "versions", 1, "version")], ["1.0", "1.1"]);
    const { body } = await one.rest("GET", "/models/32999/1.0");
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
    const schema = await one.rest("GET", "/models/32999/1.0/schema");
    assert.equal(schema.headers["content-type"], "application/schema+json");
    assert.deepEqual(at(schema.body, "properties", "fillLevel", "x-unit"), "m3");
    assert.equal(at((await one.rest("GET", "/models/3/1.1")).body, "source"), "catalogue");
  });

  test("objects and versions nobody described are unknown", async () => {
    for (const path of ["/models/64000", "/models/abc", "/models/03", "/models/3/9.9", "/models/3/9.9/schema"]) {
      assert.equal((await one.rest("GET", path)).status, "model-unknown", path);
    }
  });
});

async function allVersions(): Promise<readonly string[]> {
  return one.world.registry.list().flatMap(({ id }) => one.world.registry.versionsOf(id).map((version) => `${id}/${version}`));
}

describe("DELETE /models/{id}/{version}", () => {
  const deletion = (path = "/models/32999/1.0"): Promise<Answered> => one.rest("DELETE", path);

  test("a version that a registered device uses stays, asleep or awake; when the device is gone it goes, also over a restart", async () => {
    await post(aDdf([tank("1.0", { items })]));
    await one.device.register({ query: ["lt=86400", "lwm2m=1.0", "b=UQ"] });
    await one.world.clock.advance(3_600_000);
    const refused = await deletion();
    assert.deepEqual([refused.status, at(refused.body, "detail")], ["conflict", "1 registered device uses object 32999 version 1.0"]);
    await one.device.deregister();
    assert.equal((await deletion()).status, 204);
    assert.equal((await deletion()).status, "model-unknown");
    assert.equal(one.world.registry.find(32999), undefined);
    await one.world.stop();
    await one.world.start();
    assert.equal((await one.rest("GET", "/models/32999")).status, "model-unknown");
  });

  test("LwM2M Core 1.1 §7.2: the version nearest to the registered one is in use, another is not", async () => {
    await post(aDdf([tank("1.1"), tank("1.2"), tank("2.0")]));
    await one.device.register();
    const others = new ScriptedDevice(one.world, {
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
