import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { Json } from "../storage/collection.ts";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";
import { bytes, content } from "../testing/scripted-device.ts";

const one = oneDevice();

beforeEach(() => one.device.register());

const changed = { code: ResponseCode.changed };
const operate = (body: { readonly [field: string]: Json }, key?: string) =>
  one.rest("POST", "/devices/dev-1/operations", { body, ...(key === undefined ? {} : { key }) });

test("readComposite: names and ids as paths; the answer names values and what is missing", async () => {
  one.device.answers.set("FETCH /", content('[{"n":"/3/0/9","v":55}]'));
  const { status, body } = await operate({ kind: "readComposite", paths: ["device/0/batteryLevel", "3/0/9", "/3303/0/5700"] });
  assert.deepEqual([status, at(body, "status"), at(body, "path")], [200, "succeeded", "/"]);
  assert.deepEqual(at(body, "paths"), ["/3/0/9", "/3303/0/5700"]);
  assert.deepEqual(at(body, "result"), {
    kind: "values",
    values: [{ path: "/3/0/9", name: "device/0/batteryLevel", type: "integer", value: 55 }],
    missing: ["/3303/0/5700"],
  });
});

test("writeComposite by name; observeComposite, its observation, its end", async () => {
  one.device.answers.set("IPATCH /", changed);
  one.device.answers.set("FETCH /", content('[{"n":"/3/0/9","v":55},{"n":"/3303/0/5700","v":20}]'));
  const written = await operate({ kind: "writeComposite", values: { "device/0/utcOffset": "+02:00", "/1/0/1": 600 } });
  assert.deepEqual([at(written.body, "status"), at(written.body, "values")], ["succeeded", { "/3/0/14": "+02:00", "/1/0/1": 600 }]);
  const paths = ["/3303/0/5700", "/3/0/9"];
  assert.equal(at((await operate({ kind: "observeComposite", paths })).body, "status"), "succeeded");
  const listed = await one.rest("GET", "/observations?endpoint=dev-1");
  const id = "/3/0/9,/3303/0/5700@dev-1";
  assert.deepEqual([at(listed.body, "items", 0, "id"), at(listed.body, "items", 0, "paths")], [id, paths]);
  const address = `/observations/${encodeURIComponent("/3303/0/5700,/3/0/9@dev-1")}`;
  assert.equal(at((await one.rest("GET", address)).body, "state"), "active", "the paths in any order");
  assert.equal(at((await one.rest("DELETE", address)).body, "status"), "succeeded");
  assert.equal(at((await one.rest("GET", address)).body, "state"), "ended");
  assert.equal(at((await operate({ kind: "cancelObserve", paths })).body, "reason"), "not-observing");
});

test("what a kind needs and what it does not take, with pointers", async () => {
  const cases: readonly (readonly [{ readonly [field: string]: Json }, string])[] = [
    [{ kind: "read" }, "/path"],
    [{ kind: "readComposite" }, "/paths"],
    [{ kind: "readComposite", paths: ["/3/0/9"], path: "/3" }, "/path"],
    [{ kind: "readComposite", paths: [] }, "/paths"],
    [{ kind: "readComposite", paths: ["/3/0/9"], values: {} }, "/values"],
    [{ kind: "writeComposite" }, "/values"],
    [{ kind: "writeComposite", values: {} }, "/values"],
    [{ kind: "read", path: "/3/0/9", paths: ["/3/0/9"] }, "/paths"],
    [{ kind: "cancelObserve", path: "/3/0/9", paths: ["/3/0/9"] }, "/paths"],
    [{ kind: "cancelObserve" }, "/paths"],
    [{ kind: "read", path: "/3/0/9", depth: 1 }, "/depth"],
    [{ kind: "discover", path: "/3/0", depth: 4 }, "/depth"],
    [{ kind: "writeAttributes", path: "/3/0/9", attributes: { pmin: "5" } }, "/attributes/pmin"],
  ];
  for (const [body, pointer] of cases) {
    const { status, body: problem } = await operate(body);
    assert.deepEqual([status, at(problem, "errors", 0, "pointer")], ["bad-request", pointer], JSON.stringify(body));
  }
  assert.equal((await operate({ kind: "read", path: "/" })).status, "path-not-in-model");
  assert.equal((await operate({ kind: "readComposite", paths: ["device/0/noSuchThing"] })).status, "path-not-in-model");
  const twice = await operate({ kind: "writeComposite", values: { "device/0/utcOffset": "a", "/3/0/14": "b" } });
  assert.equal(twice.status, "bad-request");
  const misfit = await operate({ kind: "writeComposite", values: { "/3/0/14": 5 } });
  assert.deepEqual([misfit.status, at(misfit.body, "errors", 0, "pointer")], ["value-type-mismatch", "/values/~13~10~114"]);
});

test("RFC 9457: what the version has not got is 422 not-in-device-version, named", async () => {
  const { status, body } = await operate({ kind: "delete", path: "/3/0/7/1" });
  assert.equal(status, "operation-not-allowed", "the model comes first");
  const gated = await operate({ kind: "writeAttributes", path: "/3303/0/5700", attributes: { con: 1 } });
  assert.equal(gated.status, "not-in-device-version");
  assert.match(String(at(gated.body, "detail")), /attribute con needs LwM2M 1\.2; the device registered with 1\.1/);
  assert.ok(body !== null);
});

test("execute: arguments as list and text, by both addresses; an Idempotency-Key keeps them apart", async () => {
  one.device.answers.set("POST /3/0/4", changed);
  const list = [{ digit: 0, value: "U" }, { digit: 1 }];
  assert.equal(at((await operate({ kind: "execute", path: "/3/0/4", arguments: list }, "k")).body, "status"), "succeeded");
  assert.equal((await operate({ kind: "execute", path: "/3/0/4", arguments: "0='U'" }, "k")).status, "idempotency-mismatch");
  await one.rest("POST", "/devices/dev-1/resources/3/0/4:execute", { body: { arguments: list } });
  await one.rest("POST", "/devices/dev-1/resources/3/0/4:execute", { body: { arguments: "2" } });
  assert.deepEqual(
    one.device.requests.map(({ payload }) => Buffer.from(payload).toString()),
    ["0='U',1", "0='U',1", "2"],
  );
  for (const wrong of [[{ digit: 10 }], [{ value: "U" }], [{ digit: 0, text: "U" }], 5]) {
    assert.equal((await operate({ kind: "execute", path: "/3/0/4", arguments: wrong })).status, "bad-request", JSON.stringify(wrong));
  }
  const refused = await operate({ kind: "execute", path: "/3/0/4", arguments: [{ digit: 0 }, { digit: 0 }] });
  assert.deepEqual([refused.status, at(refused.body, "errors", 0, "pointer")], ["value-type-mismatch", "/arguments"]);
});

test("discover with depth by its path; attributes typed, as written and in effect", async () => {
  const payload = bytes("</3>;ver=1.1,</3/0>;pmin=10,</3/0/9>;gt=50.5");
  one.device.answers.set("GET /3", { code: ResponseCode.content, contentFormat: 40, payload });
  const { status, body } = await one.rest("GET", "/devices/dev-1/resources/3:discover?depth=2");
  assert.equal(status, 200);
  assert.deepEqual(at(body, "result", "links", 2), {
    path: "/3/0/9",
    name: "device/0/batteryLevel",
    attributes: { gt: "50.5" },
    attached: { notification: { gt: 50.5 } },
    effective: { pmin: 10, gt: 50.5 },
  });
  assert.equal((await one.rest("GET", "/devices/dev-1/resources/3:discover?depth=3")).status, "not-in-device-version");
});

test("a failed composite operation is tried again as it was", async () => {
  one.device.answers.set("FETCH /", { code: ResponseCode.badRequest });
  const failed = await operate({ kind: "readComposite", paths: ["/3/0/9", "/3303/0/5700"] });
  assert.deepEqual([at(failed.body, "status"), at(failed.body, "coapCode")], ["failed", "4.00"]);
  one.device.answers.set("FETCH /", content('[{"n":"/3/0/9","v":55}]'));
  const again = await one.rest("POST", `/operations/${at(failed.body, "id")}:retry`);
  assert.deepEqual([at(again.body, "status"), at(again.body, "paths")], ["succeeded", ["/3/0/9", "/3303/0/5700"]]);
});
