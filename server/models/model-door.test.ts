import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { aDdf, anItem, anObject } from "@lwm2m/object-registry/testing/ddf-fixtures";
import { aDoor, bodyOf, problemOf } from "../http/door-fixture.ts";
import { openApiDocument } from "../http/openapi.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { modelRoutes } from "./model-http.ts";
import { openModelService } from "./model-service.ts";

const xml = { "content-type": "application/xml; charset=utf-8" };

async function modelDoor(t: TestContext) {
  const world = await ServerWorld.open();
  t.after(() => world.close());
  const routes = modelRoutes({ models: world.server.models, countUsers: async () => 0 });
  return { world, routes, ...(await aDoor(t, routes)) };
}

test("RFC 9110 §15.5.16: a definition file comes as XML; another media type, an encoding or no body is refused", async (t) => {
  const { ask } = await modelDoor(t);
  const post = (headers: Record<string, string>, body: string | null = aDdf()) => ask("/models", { method: "POST", headers, body });
  await problemOf(await post({ "content-type": "application/json" }), 415, "unsupported-media-type");
  await problemOf(await post({ "content-type": "application/xml-dtd" }), 415, "unsupported-media-type");
  await problemOf(await post({ ...xml, "content-encoding": "gzip" }), 415, "unsupported-media-type");
  await problemOf(await post(xml, null), 400, "bad-request");
  const { errors } = await problemOf(await post(xml, "<LWM2M>\n<Object/></LWM2M>"), 422, "model-invalid");
  assert.deepEqual(errors, [{ pointer: "/LWM2M/Object", detail: "line 2: object number 1 of the file: no ObjectID" }]);
  const added = await post({ "content-type": "Text/XML" });
  assert.deepEqual([added.status, added.headers.get("location")], [201, "/api/v1/models/33000/1.0"]);
  assert.equal((await bodyOf(await ask("/models/33000/1.0"))).name, "Tank");
  assert.equal((await ask("/models:validate", { method: "POST", headers: xml, body: aDdf() })).status, 200);
});

test("RFC 9110 §15.5.14: a body of 5 MB is refused with an answer, with and without its length, and the door goes on", async (t) => {
  const { ask } = await modelDoor(t);
  const bytes = new Uint8Array(5_000_000).fill(0x20);
  const stream = new ReadableStream({
    start(controller) {
      for (let start = 0; start < bytes.length; start += 50_000) controller.enqueue(bytes.subarray(start, start + 50_000));
      controller.close();
    },
  });
  await problemOf(await ask("/models", { method: "POST", headers: xml, body: bytes }), 413, "body-too-large");
  const streamed: RequestInit = { method: "POST", body: stream, duplex: "half" };
  await problemOf(await ask("/models:validate", { ...streamed, headers: xml }), 413, "body-too-large");
  assert.equal((await ask("/models?limit=1")).status, 200);
});

test("the OpenAPI document names the media types of an upload", async (t) => {
  const { routes } = await modelDoor(t);
  const document = JSON.parse(JSON.stringify(openApiDocument({ version: "1", routes, openRoutes: [], prefix: "/api/v1" })));
  const { requestBody } = document.paths["/api/v1/models"].post;
  assert.deepEqual(requestBody, { required: true, content: { "application/xml": {}, "text/xml": {} } });
});

test("own models have a bound: versions and resources together; a replacement counts once", async (t) => {
  const { world } = await modelDoor(t);
  const { store, clock } = world;
  const models = await openModelService({ store, clock, catalogue: openCatalogue(), limits: { versions: 2, resources: 4 } });
  const file = (id: number, resources: number): Uint8Array => {
    const items = Array.from({ length: resources }, (_, index) => anItem({ id: String(index) }));
    return new TextEncoder().encode(aDdf([anObject({ id: String(id), items })]));
  };
  const upload = async (id: number, resources: number): Promise<string> => {
    const outcome = await models.upload(file(id, resources), "tester");
    return outcome.ok ? "taken" : outcome.reason;
  };
  assert.equal(await upload(33_000, 5), "full");
  assert.equal(await upload(33_000, 2), "taken");
  assert.equal(await upload(33_001, 2), "taken");
  assert.equal(await upload(33_002, 1), "full");
  assert.equal(await upload(33_000, 2), "taken");
  assert.equal(await upload(33_000, 3), "full");
});

test("an upload the store could not keep is refused and not in force; the next one is taken", async (t) => {
  const { world } = await modelDoor(t);
  const { models } = world.server;
  const file = new TextEncoder().encode(aDdf());
  world.store.fail(new Error("the disk is full"));
  await assert.rejects(models.upload(file, "tester"), /the disk is full/);
  assert.deepEqual([models.registry.versionsOf(33_000), models.find(33_000, "1.0")], [[], undefined]);
  world.store.fail(undefined);
  assert.equal((await models.upload(file, "tester")).ok, true);
  assert.deepEqual(models.registry.versionsOf(33_000), ["1.0"]);
});
