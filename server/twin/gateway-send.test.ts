import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatCode, Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";
import { content, ScriptedDevice } from "../testing/scripted-device.ts";
import { findGatewayDevice } from "./gateway-devices.ts";

const links = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</25>;ver=2.0,</25/0>,</25/1>';
const one = oneDevice({ endpoint: "gw", query: ["lt=86400", "lwm2m=1.2", "b=U"], links });
/** Two devices; the second one's id has a slash in it. */
const object25 =
  '[{"bn":"/25/","n":"0/0","vs":"urn:dev:os:1"},{"n":"0/1","vs":"d01"},{"n":"0/3","vs":"</3/0>,</3303/0>"},{"n":"1/0","vs":"line/2"},{"n":"1/1","vs":"d02"}]';

async function send(contentFormat: number, payload: Uint8Array | string): Promise<readonly [string, string]> {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const { code, payload: diagnostic } = await one.device.send({ method: Method.post, path: ["dp"], contentFormat, payload: bytes });
  return [formatCode(code), Buffer.from(diagnostic).toString()];
}
const sendJson = (text: string) => send(ContentFormat.senmlJson, text);
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
const known = async (endpoint: string) => {
  const twin = await one.world.until(one.world.server.twins.find(endpoint));
  return twin && Object.fromEntries(Object.entries(twin.values).map(([path, { value }]) => [path, value]));
};
async function registered(): Promise<void> {
  one.device.answers.set("GET /25", content(object25));
  await one.device.register();
  assert.equal((await one.world.carryOut("gw", { kind: "read", path: "/25" })).status, "succeeded");
}
const [first, second] = ["gw/urn:dev:os:1", "gw/line/2"];

describe("LwM2M Gateway 1.1 §6, §8.3.3: a Send of a gateway", () => {
  test("values with a prefix are those of the device that has it, of objects nobody registered too; those without are its own", async () => {
    await registered();
    const pack = '[{"n":"/3/0/9","v":80},{"n":"/d01/3303/0/5700","v":21.5},{"n":"/d02/3303/0/5700","v":19},{"n":"/d01/3/0/9","v":55}]';
    assert.deepEqual(await sendJson(pack), ["2.04", ""]);
    assert.deepEqual(
      [await known(first), await known(second), (await known("gw"))?.["/3/0/9"]],
      [{ "/3303/0/5700": 21.5, "/3/0/9": 55 }, { "/3303/0/5700": 19 }, 80],
    );
    const shown = await one.rest("GET", `/devices/${encodeURIComponent(second)}/resources/3303/0/5700`);
    assert.deepEqual([shown.status, at(shown.body, "endpoint"), at(shown.body, "value")], [200, second, 19]);
    assert.deepEqual(await one.world.eventTypes(first), ["device.created", "resource.changed"]);
    const toMs = one.world.clock.now() + 1;
    const points = await one.world.until(one.world.server.twins.history({ endpoint: first, path: "/3/0/9", fromMs: 0, toMs, limit: 9 }));
    assert.deepEqual(
      points.map(({ value }) => value),
      [55],
    );
  });

  test('§10, LwM2M CBOR by its bytes: { ["d01", 3, 0]: { 0: "Company A", 9: 100 } }', async () => {
    await registered();
    const bytes = hex("a1 83 63643031 03 00 a2 00 69 436f6d70616e792041 09 1864");
    assert.deepEqual(await send(ContentFormat.lwm2mCbor, bytes), ["2.04", ""]);
    assert.deepEqual(await known(first), { "/3/0/0": "Company A", "/3/0/9": 100 });
  });

  test("SenML CBOR by its bytes, with a time: it is the time of the value", async () => {
    await registered();
    // [{-2: "/d02/3/0/", -3: 1700000000, 0: "9", 2: 7}]
    assert.deepEqual(await send(ContentFormat.senmlCbor, hex("81 a4 21 69 2f6430322f332f302f 22 1a6553f100 00 61 39 02 07")), ["2.04", ""]);
    const twin = await one.world.until(one.world.server.twins.find(second));
    assert.deepEqual([twin?.values["/3/0/9"]?.value, twin?.values["/3/0/9"]?.observedAt], [7, 1_700_000_000_000]);
  });

  test("another prefix for the same device: it is the same device", async () => {
    await registered();
    await sendJson('[{"n":"/d01/3/0/9","v":5}]');
    one.device.answers.set("GET /25", content(object25.replace('"d01"', '"d07"')));
    await one.world.carryOut("gw", { kind: "read", path: "/25" });
    assert.deepEqual(await sendJson('[{"n":"/d07/3/0/9","v":6}]'), ["2.04", ""]);
    assert.deepEqual(await known(first), { "/3/0/9": 6 });
    assert.equal((await sendJson('[{"n":"/d01/3/0/9","v":5}]'))[0], "4.04");
  });

  const refusals: readonly (readonly [string, string, string, RegExp])[] = [
    ["a prefix that nobody has", '[{"n":"/3/0/9","v":1},{"n":"/d01/3/0/9","v":5},{"n":"/d09/3/0/9","v":5}]', "4.04", /prefix d09/],
    [
      "an own instance that is not registered",
      '[{"n":"/d01/3/0/9","v":5},{"n":"/3303/0/5700","v":5}]',
      "4.04",
      /\/3303\/0\/5700: the device has not registered/,
    ],
    ["a value its type cannot read", '[{"n":"/d01/3/0/9","vs":"full"}]', "4.00", /./],
    ["no prefix", '[{"n":"/x y/3/0/9","v":5}]', "4.00", /./],
  ];
  for (const [name, pack, code, detail] of refusals) {
    test(`${name}: ${code}, and nothing of it becomes known of anybody`, async () => {
      await registered();
      const before = await known("gw");
      const [answered, diagnostic] = await sendJson(pack);
      assert.equal(answered, code);
      assert.match(diagnostic, detail);
      assert.deepEqual([await known("gw"), await known(first), await known("gw/d09")], [before, undefined, undefined]);
      assert.equal((await one.rest("GET", `/devices/${encodeURIComponent(first)}`)).status, "device-unknown");
      assert.ok((await one.world.eventTypes("gw")).includes("send.refused"));
    });
  }

  test("object 25 was never read: 4.04", async () => {
    await one.device.register();
    assert.deepEqual((await sendJson('[{"n":"/d01/3/0/9","v":5}]'))[0], "4.04");
  });

  test("a device that has registered by itself under that name: no gateway speaks for it", async () => {
    await registered();
    const other = new ScriptedDevice(one.world, { endpoint: first, address: { address: "10.0.0.99", port: 40_000 } });
    await other.register();
    const [code, diagnostic] = await sendJson('[{"n":"/d01/3/0/9","v":5}]');
    assert.deepEqual([code, diagnostic], ["4.04", `${first} has registered by itself: no gateway speaks for it`]);
    assert.equal(await known(first), undefined);
    await other.close();
  });

  test("a gateway without ids, or with another type in their place, tells of no device", () => {
    const value = (given: string | number) => ({ type: "string", value: given, source: "read" as const, observedAt: 1, receivedAt: 1 });
    assert.equal(findGatewayDevice("gw", { "/25/0/1": value("d01") }, "d01"), undefined);
    assert.equal(findGatewayDevice("gw", { "/25/0/1": value("d01"), "/25/0/0": value("") }, "d01"), undefined);
    assert.equal(findGatewayDevice("gw", { "/25/0/1": value("d01"), "/25/0/0": value(5) }, "d01"), undefined);
    assert.equal(findGatewayDevice("gw", { "/25/0/1": value("d01"), "/25/1/0": value("x"), "/125/0/1": value("d01") }, "d01"), undefined);
    assert.equal(findGatewayDevice("gw", { "/25/0/1": value("d01"), "/25/0/0": value("x") }, "d01"), "gw/x");
  });
});
