/** Operations over REST: made, waited for, cancelled, listed, and their path-shaped shortcuts. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";
import { senmlValue } from "../testing/scripted-device.ts";

const changed = { code: ResponseCode.changed };
const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];

const one = oneDevice();

beforeEach(() => {
  one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  one.device.answers.set("PUT /3/0/15", changed);
});

describe("POST /devices/{endpoint}/operations", () => {
  test("RFC 7240 §4.3: awake, no preference: the final operation in the same call; names and ids in the answer", async () => {
    await one.device.register();
    const { status, body } = await one.rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "device/0/batteryLevel" } });
    assert.equal(status, 200);
    assert.deepEqual([at(body, "path"), at(body, "name"), at(body, "status")], ["/3/0/9", "device/0/batteryLevel", "succeeded"]);
    assert.equal(at(body, "result", "values", 0, "value"), 87);
    assert.equal(at(body, "outbox"), undefined);
  });

  test("asleep: 202 at once with Location and the time of the next contact; a held reply comes with the wake-up", async () => {
    await one.device.register({ query: sleepy });
    await one.world.clock.advance(94_000);
    const { status, body, headers } = await one.rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/9" } });
    assert.equal(status, 202);
    assert.equal(headers["Location"], `/api/v1/operations/${at(body, "id")}`);
    assert.equal(headers["Retry-After"], "3600");
    assert.deepEqual([at(body, "status"), at(body, "awake")], ["queued", false]);
    assert.match(String(at(body, "nextExpectedContact")), /^\d{4}-/);
    assert.deepEqual(at((await one.rest("GET", "/devices/dev-1/queue")).body, "items", 0, "id"), at(body, "id"));
    await one.device.update();
    const held = await one.rest("GET", `/operations/${at(body, "id")}`, { waitMs: 10_000 });
    assert.equal(at(held.body, "status"), "succeeded");
  });

  test("what the device refuses is still 200 here: the operation is final, its status says failed", async () => {
    await one.device.register();
    const { status, body } = await one.rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/13" } });
    assert.deepEqual([status, at(body, "status"), at(body, "coapCode")], [200, "failed", "4.04"]);
  });

  test("refusals: unknown device, wrong type with its pointer, path not in the model, body that is no operation", async () => {
    await one.device.register();
    const post = (body: { readonly [field: string]: string | number }, endpoint = "dev-1") =>
      one.rest("POST", `/devices/${endpoint}/operations`, { body });
    assert.equal((await post({ kind: "read", path: "/3/0/9" }, "nobody")).status, "device-unknown");
    const wrong = await post({ kind: "write", path: "/1/0/1", value: "long" });
    assert.deepEqual([wrong.status, at(wrong.body, "errors", 0, "pointer")], ["value-type-mismatch", "/value"]);
    assert.equal((await post({ kind: "read", path: "/5/0/3" })).status, "path-not-in-model");
    assert.equal((await post({ kind: "read", path: "device/0/noSuchThing" })).status, "path-not-in-model");
    assert.equal((await post({ kind: "dance", path: "/3/0/9" })).status, "bad-request");
    assert.equal((await post({ kind: "read", path: "/3/0/9", expiresAt: "soon" })).status, "bad-request");
    assert.equal((await post({ kind: "read", path: "/3/0/9", surplus: 1 })).status, "bad-request");
  });

  test("Idempotency-Key: the same request gets the same operation, another one is refused; a refused one may be mended", async () => {
    await one.device.register({ query: sleepy });
    await one.world.clock.advance(94_000);
    const body = { kind: "read", path: "/3/0/9" };
    const first = await one.rest("POST", "/devices/dev-1/operations", { body, key: "k1" });
    const second = await one.rest("POST", "/devices/dev-1/operations", { body, key: "k1" });
    assert.equal(at(first.body, "id"), at(second.body, "id"));
    const other = await one.rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/13" }, key: "k1" });
    assert.equal(other.status, "idempotency-mismatch");
    assert.equal(
      (await one.rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/9/0" }, key: "k2" })).status,
      "path-not-in-model",
    );
    assert.equal((await one.rest("POST", "/devices/dev-1/operations", { body, key: "k2" })).status, 202);
    await one.world.clock.advance(86_400_001);
    const later = await one.rest("POST", "/devices/dev-1/operations", { body, key: "k1" });
    assert.notEqual(at(later.body, "id"), at(first.body, "id"));
  });

  test("cancel and retry", async () => {
    await one.device.register({ query: sleepy });
    await one.world.clock.advance(94_000);
    const { body } = await one.rest("POST", "/devices/dev-1/operations", { body: { kind: "write", path: "/3/0/15", value: "UTC" } });
    const id = String(at(body, "id"));
    assert.equal((await one.rest("POST", `/operations/${id}:retry`)).status, "conflict");
    assert.equal(at((await one.rest("POST", `/operations/${id}:cancel`)).body, "status"), "cancelled");
    assert.equal((await one.rest("POST", `/operations/${id}:cancel`)).status, "conflict");
    const again = await one.rest("POST", `/operations/${id}:retry`);
    assert.equal(again.status, 202);
    assert.notEqual(at(again.body, "id"), id);
    assert.equal(at(again.body, "value"), "UTC");
    assert.equal((await one.rest("POST", "/operations/none:cancel")).status, "operation-unknown");
    assert.equal((await one.rest("GET", "/operations/none")).status, "operation-unknown");
  });

  test("the list pages newest first, whole and without repetition, filtered or not", async () => {
    await one.device.register({ query: sleepy });
    await one.world.clock.advance(94_000);
    for (let i = 0; i < 5; i += 1) await one.rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/3/0/9" } });
    for (const filter of ["", "&endpoint=dev-1", "&open=true", "&endpoint=dev-1&open=true"]) {
      const seen: string[] = [];
      let after: string | null = "";
      while (after !== null) {
        const page = await one.rest("GET", `/operations?limit=2${filter}${after === "" ? "" : `&after=${after}`}`);
        const items = at(page.body, "items");
        assert.ok(Array.isArray(items));
        seen.push(...items.map((item) => String(at(item, "id"))));
        const next = at(page.body, "next");
        after = typeof next === "string" ? next : null;
      }
      assert.equal(seen.length, 5, filter);
      assert.deepEqual(seen, seen.toSorted().toReversed());
    }
    assert.deepEqual(at((await one.rest("GET", "/operations?open=false")).body, "items"), []);
  });
});

describe("path-shaped shortcuts", () => {
  beforeEach(() => one.device.register());

  test("PUT writes, POST creates and updates, DELETE deletes, the verbs execute and discover", async () => {
    one.device.answers.set("POST /3303", { code: ResponseCode.created, locationPath: ["3303", "9"] });
    one.device.answers.set("POST /3/0", changed);
    one.device.answers.set("POST /3/0/4", changed);
    one.device.answers.set("DELETE /3303/9", { code: ResponseCode.deleted });
    one.device.answers.set("GET /3/0", { code: ResponseCode.content, contentFormat: 40, payload: new TextEncoder().encode("</3/0>") });
    const base = "/devices/dev-1/resources";
    assert.equal((await one.rest("PUT", `${base}/device/0/timezone`, { body: { value: "UTC" } })).status, 200);
    const created = await one.rest("POST", `${base}/3303`, { body: { value: { "5701": "Cel" } } });
    assert.equal(at(created.body, "result", "path"), "/3303/9");
    assert.equal(at((await one.rest("POST", `${base}/3/0`, { body: { value: { "15": "UTC" } } })).body, "mode"), "update");
    assert.equal((await one.rest("POST", `${base}/3/0/4:execute`)).status, 200);
    assert.equal((await one.rest("DELETE", `${base}/3303/9`)).status, 200);
    assert.equal(at((await one.rest("GET", `${base}/3/0:discover`)).body, "result", "links", 0, "path"), "/3/0");
    assert.deepEqual(one.device.asked, ["PUT /3/0/15", "POST /3303", "POST /3/0", "POST /3/0/4", "DELETE /3303/9", "GET /3/0"]);
  });

  test("what the device refuses is a problem with its code; no answer is 504", async () => {
    const refused = await one.rest("PUT", "/devices/dev-1/resources/3/0/14", { body: { value: "+02:00" } });
    assert.deepEqual([refused.status, at(refused.body, "coapCode")], ["device-rejected", "4.04"]);
    one.world.network.filter = ({ from }) => from.port !== 5_683;
    const body = { value: "UTC", onOffline: "fail" };
    const silent = await one.rest("PUT", "/devices/dev-1/resources/3/0/15", { body, waitMs: 100_000 });
    assert.equal(silent.status, "operation-timeout");
  });

  test("observe and cancel; the list of observations tells", async () => {
    const address = "/devices/dev-1/resources/3303/0/5700/observation";
    one.device.answers.set("GET /3303/0/5700", senmlValue("/3303/0/5700", 20));
    assert.equal((await one.rest("PUT", address)).status, 200);
    assert.equal(at((await one.rest("GET", "/observations?endpoint=dev-1")).body, "items", 0, "state"), "active");
    assert.equal((await one.rest("DELETE", address)).status, 200);
    assert.equal(at((await one.rest("GET", "/observations?endpoint=dev-1")).body, "items", 0, "state"), "ended");
    assert.equal((await one.rest("DELETE", address)).status, "conflict");
  });
});
