import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { bytes, content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { Operation, OperationRequest } from "./operation.ts";

const links = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>';
const version = (number: string): readonly string[] => ["lt=86400", `lwm2m=${number}`, "b=U"];
const changed: OutgoingResponse = { code: ResponseCode.changed };
const temperature = "/3303/0/5700";
const battery = "/3/0/9";

let world: ServerWorld;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world, { query: version("1.1"), links });
  await device.register();
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

const carryOut = (request: Omit<OperationRequest, "path"> & { readonly path?: string }): Promise<Operation> =>
  world.carryOut("dev-1", { path: "/", ...request });
const refusal = async (request: OperationRequest): Promise<string> => {
  const outcome = await world.create("dev-1", request);
  assert.ok(!outcome.ok, `${request.kind} was accepted`);
  return `${outcome.refusal.reason}: ${outcome.refusal.detail}`;
};
const valuesOf = ({ result }: Operation): readonly string[] =>
  result?.kind === "values" ? result.values.map(({ path, value }) => `${path} ${JSON.stringify(value)}`) : [];
const missingOf = ({ result }: Operation): readonly string[] => (result?.kind === "values" ? (result.missing ?? []) : []);
const payloads = (): readonly string[] => device.requests.map(({ payload }) => Buffer.from(payload).toString("latin1"));
const hexOf = (index: number): string => Buffer.from(device.requests[index]?.payload ?? []).toString("hex");
const formats = (): readonly (number | undefined)[] => device.requests.map(({ contentFormat }) => contentFormat);
const known = async (path: string): Promise<unknown> => (await world.until(world.server.twins.find("dev-1")))?.values[path]?.value;

describe("LwM2M Core 1.1 §6.3.8: Read-Composite", () => {
  const both = content(`[{"n":"${battery}","v":55},{"n":"${temperature}","v":20.5}]`);

  test("the list goes out in one FETCH on the root; values become typed, and known", async () => {
    device.answers.set("FETCH /", both);
    const operation = await carryOut({ kind: "readComposite", paths: [battery, temperature] });
    assert.equal(operation.status, "succeeded", String(operation.detail));
    assert.deepEqual(device.asked, ["FETCH /"]);
    assert.deepEqual(payloads(), [`[{"n":"${battery}"},{"n":"${temperature}"}]`]);
    assert.deepEqual([device.requests[0]?.contentFormat, device.requests[0]?.accept], [110, 110]);
    assert.deepEqual(valuesOf(operation), [`${battery} 55`, `${temperature} 20.5`]);
    assert.deepEqual(missingOf(operation), []);
    assert.equal(await known(temperature), 20.5);
  });

  test("what the device leaves out is named, and no longer known; what was not asked for is left out and told", async () => {
    device.answers.set("FETCH /", both);
    await carryOut({ kind: "readComposite", paths: [battery, temperature] });
    device.answers.set("FETCH /", content(`[{"n":"${battery}","v":54},{"n":"/3/0/0","vs":"ACME"}]`));
    const operation = await carryOut({ kind: "readComposite", paths: [battery, temperature] });
    assert.equal(operation.status, "succeeded");
    assert.deepEqual(valuesOf(operation), [`${battery} 54`]);
    assert.deepEqual(missingOf(operation), [temperature]);
    assert.match(operation.detail ?? "", /\/3\/0\/0: was not asked for/);
    assert.equal(await known(temperature), undefined);
    assert.equal(await known(battery), 54);
    assert.equal(await known("/3/0/0"), undefined);
  });

  test("an empty pack is an answer: nothing is there", async () => {
    device.answers.set("FETCH /", content("[]"));
    const operation = await carryOut({ kind: "readComposite", paths: [battery] });
    assert.deepEqual([operation.status, missingOf(operation)], ["succeeded", [battery]]);
  });

  test("the whole tree is /", async () => {
    device.answers.set("FETCH /", both);
    const operation = await carryOut({ kind: "readComposite", paths: ["/"] });
    assert.deepEqual(payloads(), ['[{"n":"/"}]']);
    assert.deepEqual([valuesOf(operation).length, missingOf(operation)], [2, []]);
  });

  test("LwM2M Core 1.2 §7.4.5: a 1.2 client gets SenML-ETCH, and plain SenML where it refuses that; the next one at once", async () => {
    await device.register({ query: version("1.2"), links: "</>;rt=oma.lwm2m,</1/0>,</3/0>" });
    device.answers.set("FETCH /", ({ contentFormat }) =>
      contentFormat === ContentFormat.senmlCbor ? senmlValue(battery, 55) : { code: ResponseCode.unsupportedContentFormat },
    );
    assert.deepEqual(valuesOf(await carryOut({ kind: "readComposite", paths: [battery] })), [`${battery} 55`]);
    assert.deepEqual(formats(), [322, 320, 112]);
    assert.equal(hexOf(0), "81a100662f332f302f39");
    assert.equal(device.requests[0]?.accept, 112);
    await carryOut({ kind: "readComposite", paths: [battery] });
    assert.deepEqual(formats(), [322, 320, 112, 112]);
  });

  test("RFC 7252 §5.10.4: a list refused for its Accept is asked for without", async () => {
    device.answers.set("FETCH /", ({ accept }) => (accept === undefined ? both : { code: ResponseCode.notAcceptable }));
    assert.equal((await carryOut({ kind: "readComposite", paths: [battery, temperature] })).status, "succeeded");
    assert.deepEqual([device.requests.length, device.requests[1]?.contentFormat, device.requests[1]?.accept], [2, 110, undefined]);
  });

  test("LwM2M CBOR answers a 1.2 client's FETCH", async () => {
    await device.register({ query: version("1.2"), links: '</>;rt=oma.lwm2m;ct="320 11544",</1/0>,</3/0>' });
    const payload = Buffer.from("a103a100a1091837", "hex");
    device.answers.set("FETCH /", { code: ResponseCode.content, contentFormat: ContentFormat.lwm2mCbor, payload });
    assert.deepEqual(valuesOf(await carryOut({ kind: "readComposite", paths: [battery] })), [`${battery} 55`]);
    assert.deepEqual([device.requests[0]?.contentFormat, device.requests[0]?.accept], [320, 11_544]);
  });

  for (const code of [ResponseCode.methodNotAllowed, ResponseCode.notImplemented, ResponseCode.notFound]) {
    test(`a device that answers ${code >> 5}.${String(code & 31).padStart(2, "0")} is read path by path, what it refuses is missing`, async () => {
      device.answers.set("FETCH /", { code });
      device.answers.set(`GET ${battery}`, senmlValue(battery, 55));
      const operation = await carryOut({ kind: "readComposite", paths: [battery, temperature] });
      assert.equal(operation.status, "succeeded");
      assert.deepEqual(device.asked, ["FETCH /", `GET ${battery}`, `GET ${temperature}`]);
      assert.deepEqual([valuesOf(operation), missingOf(operation)], [[`${battery} 55`], [temperature]]);
      assert.match(operation.detail ?? "", /one by one; \/3303\/0\/5700: 4\.04/);
      device.asked.length = 0;
      await carryOut({ kind: "readComposite", paths: [battery] });
      const remembered = code !== ResponseCode.notFound;
      assert.deepEqual(device.asked, remembered ? [`GET ${battery}`] : ["FETCH /", `GET ${battery}`]);
    });
  }

  test("LwM2M 1.0 has no FETCH: it is read path by path from the first", async () => {
    await device.register({ query: version("1.0") });
    device.answers.set(`GET ${battery}`, {
      code: ResponseCode.content,
      contentFormat: ContentFormat.tlv,
      payload: Buffer.from("c10937", "hex"),
    });
    device.answers.set(`GET ${temperature}`, senmlValue(temperature, 20.5));
    const operation = await carryOut({ kind: "readComposite", paths: [battery, temperature] });
    assert.deepEqual([operation.status, valuesOf(operation)], ["succeeded", [`${battery} 55`, `${temperature} 20.5`]]);
    assert.deepEqual(device.asked, [`GET ${battery}`, `GET ${temperature}`]);
    assert.equal(operation.attempts.length, 1);
    assert.deepEqual((await carryOut({ kind: "readComposite", paths: ["/"] })).status, "succeeded");
    assert.deepEqual(device.asked.slice(2), ["GET /1", "GET /3", "GET /3303"]);
  });

  test("what the model does not allow never leaves", async () => {
    assert.match(await refusal({ kind: "readComposite", path: "/", paths: [battery, "/3/0/4"] }), /^operation-not-allowed: \/3\/0\/4/);
    assert.match(await refusal({ kind: "readComposite", path: "/", paths: ["/0/0"] }), /^operation-not-allowed/);
    assert.match(
      await refusal({ kind: "readComposite", path: "/", paths: ["/6/0"] }),
      /^path-not-in-model: the device has not registered object 6/,
    );
    assert.deepEqual(device.asked, []);
  });
});

describe("LwM2M Core 1.1 §6.3.9: Write-Composite", () => {
  test("values of several objects go out in one iPATCH and are known when it succeeds", async () => {
    device.answers.set("IPATCH /", changed);
    const operation = await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00", "/1/0/1": 600, "/1/0": { "2": 5 } } });
    assert.equal(operation.status, "succeeded", String(operation.detail));
    assert.deepEqual(device.asked, ["IPATCH /"]);
    assert.deepEqual(JSON.parse(payloads()[0] ?? ""), [
      { bn: "/", n: "3/0/14", vs: "+02:00" },
      { n: "1/0/1", v: 600 },
      { n: "1/0/2", v: 5 },
    ]);
    assert.deepEqual([await known("/3/0/14"), await known("/1/0/1"), await known("/1/0/2")], ["+02:00", 600, 5]);
  });

  test("all or nothing: a refusal writes nothing", async () => {
    device.answers.set("IPATCH /", { code: ResponseCode.badRequest, payload: bytes("no") });
    const operation = await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00", "/1/0/1": 600 } });
    assert.deepEqual(
      [operation.status, operation.reason, operation.coapCode, operation.detail],
      ["failed", "device-rejected", "4.00", "no"],
    );
    assert.equal(await known("/1/0/1"), undefined);
  });

  test("LwM2M Core 1.2 §7.4.5: null removes a resource instance, in SenML-ETCH only; the twin forgets it", async () => {
    const path = "/1/0/7";
    await device.register({ query: version("1.2"), links: '</>;rt=oma.lwm2m;ct="112 11544",</1/0>,</3/0>,</6/0>,</4/0>' });
    device.answers.set("FETCH /", content('[{"n":"/4/0/4/0","vs":"10.0.0.2"},{"n":"/4/0/4/1","vs":"10.0.0.3"}]'));
    await carryOut({ kind: "readComposite", paths: ["/4/0/4"] });
    assert.match(await refusal({ kind: "writeComposite", path: "/", values: { "/4/0/4/1": null } }), /operation-not-allowed/, "read-only");
    assert.match(await refusal({ kind: "writeComposite", path: "/", values: { [path]: null } }), /value-type-mismatch.*null removes/);
  });

  test("1.1 clients cannot remove: the refusal names version and operation", async () => {
    await device.register({ links: "</>;rt=oma.lwm2m;ct=112,</1/0>,</16/0>" });
    assert.equal(
      await refusal({ kind: "writeComposite", path: "/", values: { "/16/0/0/3": null } }),
      "not-in-device-version: writeComposite that removes a resource instance (null) needs LwM2M 1.2; the device registered with 1.1",
    );
    await device.register({ query: version("1.2"), links: "</>;rt=oma.lwm2m;ct=112,</1/0>,</16/0>" });
    device.answers.set("IPATCH /", changed);
    device.answers.set("GET /16/0/0", content('[{"bn":"/16/0/0/","n":"0","vs":"a"},{"n":"3","vs":"b"}]'));
    await carryOut({ kind: "read", path: "/16/0/0" });
    const operation = await carryOut({ kind: "writeComposite", values: { "/16/0/0/3": null, "/16/0/0/4": "c" } });
    assert.equal(operation.status, "succeeded", String(operation.detail));
    assert.deepEqual([formats().at(-1), hexOf(device.requests.length - 1)], [322, "82a321682f31362f302f302f006134036163a200613302f6"]);
    assert.deepEqual([await known("/16/0/0/0"), await known("/16/0/0/3"), await known("/16/0/0/4")], ["a", undefined, "c"]);
  });

  test("LwM2M 1.0 writes a single value by a plain Write, which is the same; several are refused at once", async () => {
    await device.register({ query: version("1.0") });
    device.answers.set("PUT /3/0/14", changed);
    const operation = await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00" } });
    assert.deepEqual([operation.status, device.asked], ["succeeded", ["PUT /3/0/14"]]);
    assert.match(
      await refusal({ kind: "writeComposite", path: "/", values: { "/3/0/14": "+02:00", "/1/0/1": 600 } }),
      /^not-in-device-version: writeComposite needs LwM2M 1\.1; the device registered with 1\.0/,
    );
  });

  test("a 1.1 client without iPATCH gets a single value by a plain Write; of several the refusal stands", async () => {
    device.answers.set("IPATCH /", { code: ResponseCode.methodNotAllowed });
    device.answers.set("PUT /3/0/14", changed);
    assert.equal((await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00" } })).status, "succeeded");
    assert.deepEqual(device.asked, ["IPATCH /", "PUT /3/0/14"]);
    const several = await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00", "/1/0/1": 600 } });
    assert.deepEqual([several.status, several.coapCode], ["failed", "4.05"]);
  });

  test("values are checked each at its place", async () => {
    const values = (given: OperationRequest["values"]) => refusal({ kind: "writeComposite", path: "/", values: given ?? {} });
    assert.match(await values({ "/3/0/14": 12 }), /^value-type-mismatch: \/values\/~13~10~114: expected a string, got 12/);
    assert.match(await values({ "/3/0/14": "a", "/3/0": { "14": "b" } }), /\/3\/0\/14 is written twice/);
    assert.match(await values({ "/3/0/0": "ACME" }), /^operation-not-allowed/);
    assert.match(await values({}), /at least one value/);
    assert.deepEqual(device.asked, []);
  });
});

describe("LwM2M Core 1.1 §6.2.1: the alternate root stands before the address and the names of every operation", () => {
  const root = '</lwm2m>;rt="oma.lwm2m";ct=110,</lwm2m/1/0>,</lwm2m/3/0>,</lwm2m/3303/0>';
  const at = (path: string): string => `/lwm2m${path}`;
  const linkFormat = (text: string): OutgoingResponse => ({ code: ResponseCode.content, contentFormat: 40, payload: bytes(text) });

  const operations: readonly {
    readonly request: Omit<OperationRequest, "path"> & { readonly path?: string };
    readonly asked: string;
    readonly answer: OutgoingResponse;
    readonly payload?: string;
  }[] = [
    { request: { kind: "read", path: battery }, asked: `GET ${at(battery)}`, answer: senmlValue(at(battery), 55) },
    {
      request: { kind: "write", path: "/3/0/14", value: "Z" },
      asked: `PUT ${at("/3/0/14")}`,
      answer: changed,
      payload: '[{"bn":"/lwm2m/3/0/14","vs":"Z"}]',
    },
    { request: { kind: "write", path: "/3/0", value: { "14": "Z" }, mode: "update" }, asked: "POST /lwm2m/3/0", answer: changed },
    { request: { kind: "execute", path: "/3/0/4" }, asked: "POST /lwm2m/3/0/4", answer: changed },
    {
      request: { kind: "create", path: "/3303", instanceId: 2, value: {} },
      asked: "POST /lwm2m/3303",
      answer: { code: ResponseCode.created, locationPath: ["lwm2m", "3303", "2"] },
    },
    { request: { kind: "delete", path: "/3303/2" }, asked: "DELETE /lwm2m/3303/2", answer: { code: ResponseCode.deleted } },
    { request: { kind: "discover", path: "/3/0" }, asked: "GET /lwm2m/3/0", answer: linkFormat("</lwm2m/3/0>,</lwm2m/3/0/9>;pmin=3") },
    { request: { kind: "writeAttributes", path: battery, attributes: { pmin: 1 } }, asked: `PUT ${at(battery)}?pmin=1`, answer: changed },
    { request: { kind: "observe", path: battery }, asked: `GET ${at(battery)} observe 0`, answer: senmlValue(at(battery), 55) },
    {
      request: { kind: "readComposite", paths: [battery] },
      asked: "FETCH /lwm2m",
      answer: senmlValue(at(battery), 55),
      payload: `[{"n":"${at(battery)}"}]`,
    },
    {
      request: { kind: "observeComposite", paths: ["/"] },
      asked: "FETCH /lwm2m observe 0",
      answer: senmlValue(at(battery), 55),
      payload: '[{"n":"/lwm2m"}]',
    },
    {
      request: { kind: "writeComposite", values: { "/3/0/14": "Z" } },
      asked: "IPATCH /lwm2m",
      answer: changed,
      payload: '[{"bn":"/lwm2m/3/0/14","vs":"Z"}]',
    },
  ];
  for (const { request, asked, answer, payload } of operations) {
    test(request.kind, async () => {
      await device.register({ links: root });
      device.answers.set(asked.replace(/ observe.*/, ""), answer);
      const operation = await carryOut(request);
      assert.equal(operation.status, "succeeded", String(operation.detail));
      assert.deepEqual(device.asked, [asked]);
      if (payload !== undefined) assert.deepEqual(payloads(), [payload]);
      if (operation.result?.kind === "values") assert.deepEqual(valuesOf(operation), [`${battery} 55`]);
      if (operation.result?.kind === "created") assert.equal(operation.result.path, "/3303/2");
      if (operation.result?.kind === "links")
        assert.deepEqual(
          operation.result.links.map(({ path }) => path),
          ["/3/0", battery],
        );
    });
  }
});
