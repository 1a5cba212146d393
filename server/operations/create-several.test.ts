import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Json } from "../storage/collection.ts";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";

const one = oneDevice();
const address = "/devices/dev-1/operations";
const created = { code: ResponseCode.created } as const;
const sent = (): readonly [number | undefined, string] | undefined => {
  const last = one.device.requests.at(-1);
  return last && [last.contentFormat, Buffer.from(last.payload).toString("hex")];
};
const registered = (version: string, formats: string): Promise<unknown> =>
  one.device.register({
    query: ["lt=86400", ...(version === "1.0" ? [] : [`lwm2m=${version}`]), "b=U"],
    links: `</>;rt="oma.lwm2m"${formats},</1/0>,</2/0>,</3/0>,</16>`,
  });
const create = async (body: { readonly [field: string]: Json }) =>
  (await one.rest("POST", address, { body: { kind: "create", path: "/16", ...body } })).body;

describe("LwM2M Core 1.1 §6.3.5: several instances in one Create", () => {
  test("LwM2M 1.0 TS §6.4.3: the two access controls of its example, in its bytes; known afterwards", async () => {
    await registered("1.0", "");
    one.device.answers.set("POST /2", created);
    const instances = { 0: { 0: 1, 1: 0, 2: { 127: 7 }, 3: 127 }, 1: { 0: 3, 1: 0, 2: { 127: 7, 310: 1 }, 3: 127 } };
    const body = await create({ path: "/2", instances });
    assert.equal(at(body, "status"), "succeeded", JSON.stringify(body));
    const [first, second] = ["08000ec10001c101008302417f07c1037f", "080112c10003c101008702417f0761013601c1037f"];
    assert.deepEqual(sent(), [ContentFormat.tlv, `${first}${second}`]);
    assert.deepEqual(at(body, "result"), { kind: "created", path: "/2/0", paths: ["/2/0", "/2/1"] });
    assert.deepEqual(one.device.asked, ["POST /2"]);
    const { values } = (await one.world.until(one.world.server.twins.find("dev-1"))) ?? {};
    assert.deepEqual([values?.["/2/0/3"]?.value, values?.["/2/1/2/310"]?.value, values?.["/2/1/0"]?.source], [127, 1, "write"]);
  });

  const both = { 0: { 0: { 0: "aa" } }, 7: { identity: { 0: "bb" } } };
  const forms: readonly (readonly [string, string, string, number, string])[] = [
    ["TLV, of a client that names no format", "1.1", "", ContentFormat.tlv, "06008400420061610607840042006262"],
    [
      "SenML JSON",
      "1.1",
      ";ct=110",
      ContentFormat.senmlJson,
      Buffer.from('[{"bn":"/16/","n":"0/0/0","vs":"aa"},{"n":"7/0/0","vs":"bb"}]').toString("hex"),
    ],
    [
      "SenML CBOR (RFC 8428 §6: bn -2, n 0, vs 3)",
      "1.1",
      ";ct=112",
      ContentFormat.senmlCbor,
      "82a321642f31362f0065302f302f3003626161a20065372f302f3003626262",
    ],
    ["LwM2M CBOR (LwM2M Core 1.2.1 §7.4.6)", "1.2", ";ct=11544", ContentFormat.lwm2mCbor, "a110a200a100a10062616107a100a100626262"],
  ];
  for (const [name, version, formats, contentFormat, hex] of forms) {
    test(name, async () => {
      await registered(version, formats);
      one.device.answers.set("POST /16", created);
      const body = await create({ instances: both });
      assert.equal(at(body, "status"), "succeeded", JSON.stringify(body));
      assert.deepEqual(sent(), [contentFormat, hex]);
      assert.deepEqual(at(body, "result", "paths"), ["/16/0", "/16/7"]);
    });
  }

  test("one whose resources are all left to the device is a mandatory resource short: nothing is sent, and it is said of which", async () => {
    await registered("1.1", "");
    const body = await create({ instances: { 0: { 0: { 0: "aa" } }, 3: {} } });
    assert.deepEqual([at(body, "type"), at(body, "errors", 0, "pointer")], ["value-type-mismatch", "/instances/3"]);
    assert.match(String(at(body, "detail")), /mandatory resources are missing: 0 \(Identity\)/);
    assert.deepEqual(one.device.asked, []);
  });

  test("refused as a whole: nothing is known, and the device's word is shown", async () => {
    await registered("1.1", "");
    one.device.answers.set("POST /16", { code: ResponseCode.badRequest, payload: new TextEncoder().encode("/16/7 exists already") });
    const body = await create({ instances: both });
    assert.deepEqual(
      [at(body, "status"), at(body, "reason"), at(body, "coapCode"), at(body, "detail")],
      ["failed", "device-rejected", "4.00", "/16/7 exists already"],
    );
    assert.deepEqual(one.device.asked, ["POST /16"]);
    assert.equal(await one.world.until(one.world.server.twins.find("dev-1")), undefined);
  });

  const faults: readonly (readonly [string, { readonly [field: string]: Json }, string, RegExp])[] = [
    ["an id that is none", { instances: { "01": {} } }, "value-type-mismatch", /\/instances\/01: expected an instance id/],
    ["the reserved id", { instances: { 65535: { 0: { 0: "aa" } } } }, "value-type-mismatch", /\/instances\/65535/],
    ["no instance", { instances: {} }, "bad-request", /\/instances/],
    ["a value beside", { instances: both, value: {} }, "bad-request", /\/value: instances says all/],
    ["an id beside", { instances: both, instanceId: 3 }, "bad-request", /\/instanceId: instances says all/],
    [
      "a wrong value in the second",
      { instances: { 0: { 0: { 0: "aa" } }, 1: { 0: { 0: 5 } } } },
      "value-type-mismatch",
      /\/instances\/1\/0\/0/,
    ],
    ["an object that has one instance", { path: "/3", instances: { 0: {} } }, "operation-not-allowed", /exactly one|one instance/],
    ["another kind", { kind: "write", path: "/16/0", instances: both }, "bad-request", /\/instances: write does not take it/],
  ];
  for (const [name, body, code, detail] of faults) {
    test(`refused before anything is stored: ${name}`, async () => {
      await registered("1.1", "");
      const answered = await create(body);
      assert.equal(at(answered, "type"), code, JSON.stringify(answered));
      assert.match(String(at(answered, "detail")), detail);
      assert.deepEqual(one.device.asked, []);
    });
  }

  test("by the path-shaped address, and again by a retry", async () => {
    await registered("1.1", "");
    one.device.answers.set("POST /16", { code: ResponseCode.internalServerError });
    const made = await one.rest("POST", "/devices/dev-1/resources/16", { body: { instances: both } });
    assert.equal(made.status, "device-rejected");
    one.device.answers.set("POST /16", created);
    const listed = await one.rest("GET", address);
    const again = await one.rest("POST", `/operations/${at(listed.body, "items", 0, "id")}:retry`);
    assert.deepEqual(at(again.body, "result", "paths"), ["/16/0", "/16/7"]);
    const missing = await one.rest("POST", "/devices/dev-1/resources/16", { body: { priority: 3 } });
    assert.deepEqual([missing.status, at(missing.body, "errors", 0, "pointer")], ["bad-request", "/value"]);
    const misplaced = await one.rest("POST", "/devices/dev-1/resources/16/0", { body: { value: {}, instances: both } });
    assert.deepEqual([misplaced.status, at(misplaced.body, "errors", 0, "pointer")], ["bad-request", "/instances"]);
  });
});
