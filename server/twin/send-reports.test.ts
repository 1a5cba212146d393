import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatCode, Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Json } from "../storage/collection.ts";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";

const one = oneDevice({ query: ["lt=86400", "lwm2m=1.1", "b=U"], links: '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</11/0>,</3303/0>' });

async function send(payload: string | Uint8Array, contentFormat?: number): Promise<readonly [string, string]> {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const format = contentFormat === undefined ? {} : { contentFormat };
  const { code, payload: diagnostic } = await one.device.send({ method: Method.post, path: ["dp"], payload: bytes, ...format });
  return [formatCode(code), Buffer.from(diagnostic).toString()];
}

const sendJson = (text: string) => send(text, ContentFormat.senmlJson);
const sendCbor = (hex: string) => send(new Uint8Array(Buffer.from(hex, "hex")), ContentFormat.senmlCbor);
const told = async (): Promise<readonly (readonly [string, Json])[]> =>
  (await one.world.eventsOf("dev-1")).filter(({ type }) => type.startsWith("send.")).map(({ type, data }) => [type, data]);
const known = async () => {
  const { values = {} } = (await one.world.until(one.world.server.twins.find("dev-1"))) ?? {};
  return Object.fromEntries(Object.entries(values).map(([path, { type, value }]) => [path, `${type} ${JSON.stringify(value)}`]));
};
const tolerances = async () => at((await one.rest("GET", "/devices/dev-1")).body, "tolerances") as readonly Json[];

describe("LwM2M Core 1.2 §6.4.6: what is not taken of a Send", () => {
  test("a value that its type cannot read is left out and told of; the others are taken", async () => {
    await one.device.register();
    assert.deepEqual(await sendJson('[{"bn":"/3/0/","n":"9","vs":"full"},{"n":"0","vs":"ACME"},{"n":"13","vb":true}]'), ["2.04", ""]);
    assert.deepEqual(await known(), { "/3/0/0": 'string "ACME"' });
    const [[type, data] = ["", null]] = await told();
    assert.deepEqual(
      [type, at(data, "leftOutValues"), at(data, "values", 0, "path"), at(data, "values", 1, "path")],
      ["send.incomplete", 2, "/3/0/9", "/3/0/13"],
    );
    assert.match(String(at(data, "values", 0, "detail")), /integer/);
    assert.deepEqual(
      (await tolerances()).map((each) => [at(each, "code"), at(each, "door")]),
      [["unreadable-value", "send"]],
    );
  });

  test("the same in CBOR, by its bytes (RFC 8428 §6): battery level as text, manufacturer as text", async () => {
    await one.device.register();
    // [{-2: "/3/0/", 0: "9", 3: "full"}, {0: "0", 3: "ACME"}]
    assert.deepEqual(await sendCbor("82a321652f332f302f0061390364 66756c6c a200613003 6441434d45".replaceAll(" ", "")), ["2.04", ""]);
    assert.deepEqual(await known(), { "/3/0/0": 'string "ACME"' });
    assert.deepEqual(
      (await told()).map(([type]) => type),
      ["send.incomplete"],
    );
  });

  test("a resource that no model knows is no error: it is known as what its format says", async () => {
    await one.device.register();
    assert.deepEqual(
      await sendJson('[{"bn":"/3/0/","n":"9999","vs":"x"},{"n":"9998","v":1.5},{"n":"9997","vb":true},{"n":"9996","vd":"AQI"}]'),
      ["2.04", ""],
    );
    assert.deepEqual(await known(), {
      "/3/0/9999": 'string "x"',
      "/3/0/9998": "float 1.5",
      "/3/0/9997": "boolean true",
      "/3/0/9996": 'opaque "AQI="',
    });
    assert.deepEqual(await told(), []);
  });

  const refusals: readonly (readonly [string, () => Promise<readonly [string, string]>, string, RegExp])[] = [
    ["bytes that are no SenML", () => sendJson('[{"n":"/3/0/9"'), "4.00", /./],
    ["CBOR cut short", () => sendCbor("82a321652f33"), "4.00", /./],
    ["a name that is no path", () => sendJson('[{"n":"/3/x","v":1}]'), "4.00", /./],
    ["no format", () => send("[]"), "4.00", /Content-Format/],
    ["a format that names no paths", () => send("5", ContentFormat.text), "4.00", /path/],
    ["a format that is none", () => send("5", 999), "4.15", /999/],
    ["nothing that can be read", () => sendJson('[{"n":"/3/0/9","vs":"full"}]'), "4.00", /\/3\/0\/9: .*integer/],
    [
      "an instance that is not registered",
      () => sendJson('[{"n":"/3/0/9","v":1},{"n":"/3303/7/5700","v":1}]'),
      "4.04",
      /\/3303\/7\/5700: the device has not registered/,
    ],
    ["the same, unreadable", () => sendJson('[{"n":"/3/0/9","v":1},{"n":"/3303/7/5700","vs":"x"}]'), "4.04", /\/3303\/7\/5700/],
    [
      "a device behind a gateway",
      () => sendJson('[{"n":"/d01/3/0/9","v":5}]'),
      "4.04",
      /no device behind the gateway is known by the prefix d01/,
    ],
  ];
  for (const [name, act, code, detail] of refusals) {
    test(`${name}: ${code}, nothing is taken, the device and the events hear why`, async () => {
      await one.device.register();
      const [answered, diagnostic] = await act();
      assert.equal(answered, code);
      assert.match(diagnostic, detail);
      assert.deepEqual(await known(), {});
      assert.deepEqual(await told(), [["send.refused", { coapCode: code, detail: diagnostic }]]);
    });
  }

  test("what nobody is to see is in no event, and in no answer", async () => {
    await one.device.register();
    const secret = "apn-passw0rd";
    // /11/0/6 is the Secret of an APN, a string.
    const hidden = Buffer.from(secret).toString("base64url");
    await sendJson(`[{"n":"/3/0/0","vs":"ACME"},{"n":"/11/0/6","vd":"${hidden}"}]`);
    const refused = await sendJson(`[{"n":"/11/0/6","vd":"${hidden}"}]`);
    const all = JSON.stringify([refused, await told()]);
    assert.ok(!all.includes(secret) && !all.includes(hidden), all);
    assert.ok(all.includes("/11/0/6: the value does not fit the resource"), all);
  });

  test("a device that is wrong all the time is told of six times a minute, and how often it was not", async () => {
    await one.device.register();
    for (let time = 0; time < 10; time += 1) await sendJson("[{]");
    assert.equal((await told()).length, 6);
    await one.world.clock.advance(60_000);
    await sendJson("[{]");
    const [, last] = (await told()).at(-1) ?? [];
    assert.equal(at(last ?? null, "leftOut"), 4);
  });
});
