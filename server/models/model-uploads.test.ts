import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { aDdf, anItem, anObject } from "@lwm2m/object-registry/testing/ddf-fixtures";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { at } from "../testing/rest.ts";
import { bytes, items, modelsOfOne, namesAndValues, onlySummary, silo, tank } from "./models-fixture.ts";

const { one, post, readTank, listed } = modelsOfOne();

const rangePath = "/LWM2M/Object/Resources/Item/RangeEnumeration";

describe("POST /models", () => {
  test("LwM2M Core 1.1 §7.2: a device that registers /32999;ver=1.0 is read with names and types of an own model, at once", async () => {
    await one.device.register();
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
    await one.world.stop();
    await one.world.start();
    await one.device.register();
    assert.deepEqual(namesAndValues((await readTank()).body), expected);
  });

  test("LwM2M Core 1.1 appendix D.1: what the model does not allow is refused before it leaves: range, 64 bits exact, operation", async () => {
    await post(aDdf([tank("1.0", { items })]));
    await one.device.register();
    one.device.answers.set("PUT /32999/0/2", { code: ResponseCode.changed });
    one.device.answers.set("PUT /32999/0/3", { code: ResponseCode.changed });
    one.device.answers.set("POST /32999/0/4", { code: ResponseCode.changed });
    const statusOf = async (body: { readonly [field: string]: string | number }): Promise<unknown> => {
      const reply = await one.rest("POST", "/devices/dev-1/operations", { body });
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
    await one.device.register();
    const renamed = items.with(1, anItem({ id: "1", name: "Volume", operations: "R", type: "Float" }));
    const first = (await one.rest("GET", "/models/32999/1.0")).body;
    await one.world.clock.advance(60_000);
    const replaced = await post(aDdf([tank("1.0", { items: renamed })]));
    assert.deepEqual([replaced.status, at(replaced.body, "models", 0, "change")], [200, "replaced"]);
    assert.equal(at(replaced.body, "models", 0, "createdAt"), at(first, "createdAt"));
    assert.notEqual(at(replaced.body, "models", 0, "updatedAt"), at(first, "updatedAt"));
    assert.deepEqual(at((await readTank()).body, "result", "values", 1, "name"), "tank/0/volume");
    await one.world.stop();
    await one.world.start();
    assert.deepEqual((await one.rest("GET", "/models?source=own")).body, { items: [onlySummary(replaced)], next: null });
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
    assert.equal((await one.rest("GET", "/models/32999")).status, "model-unknown");
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
    assert.equal(at((await one.rest("GET", "/models/3303/1.0")).body, "pathName"), "temperature_3303");
    assert.equal((await one.rest("DELETE", "/models/30/1.0")).status, 204);
    assert.equal(at((await one.rest("GET", "/models/3303/1.0")).body, "pathName"), "temperature");
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
      for (const id of [32990, 32999]) assert.equal(at((await one.rest("GET", `/models/${id}/1.0`)).body, "name"), "Last");
    };
    await check();
    await one.world.kill();
    await one.world.start();
    await check();
  });

  test("XML 1.0 §4: a file with a DOCTYPE, of other bytes than UTF-8, or of no XML at all is refused with the reason", async () => {
    const bomb = `<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><LWM2M>&b;</LWM2M>`;
    const refused = async (upload: readonly Uint8Array[], detail: RegExp): Promise<void> => {
      const { status, body } = await one.rest("POST", "/models", { upload });
      assert.equal(status, "model-invalid");
      assert.match(String(at(body, "errors", 0, "detail")), detail);
    };
    await refused([bytes(bomb)], /DOCTYPE/);
    await refused([Uint8Array.of(0xff, 0xfe, 0x3c, 0)], /not UTF-8/);
    await refused([bytes('{"models":[]}')], /./);
    await refused([bytes(`<LWM2M>${"<a>".repeat(1_000)}`)], /./);
    await refused([bytes(" ".repeat(600_000))], /the file has 600000 characters, at most 500000/);
    const large = await one.rest("POST", "/models", { upload: Array.from({ length: 50 }, () => new Uint8Array(100_000)) });
    assert.equal(large.status, "body-too-large");
    assert.equal((await one.rest("POST", "/models", { upload: [] })).status, "bad-request");
  });
});
