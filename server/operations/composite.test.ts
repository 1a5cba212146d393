import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { oneDevice } from "../testing/one-device.ts";
import { bytes, content, senmlValue } from "../testing/scripted-device.ts";
import type { Operation, OperationRequest } from "./operation.ts";

const links = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>';
const version = (number: string): readonly string[] => ["lt=86400", `lwm2m=${number}`, "b=U"];
const changed: OutgoingResponse = { code: ResponseCode.changed };
const temperature = "/3303/0/5700";
const battery = "/3/0/9";

const one = oneDevice({ query: version("1.1"), links });

beforeEach(() => one.device.register());

const carryOut = (request: Omit<OperationRequest, "path"> & { readonly path?: string }): Promise<Operation> =>
  one.world.carryOut("dev-1", { path: "/", ...request });
const refusal = async (request: OperationRequest): Promise<string> => {
  const outcome = await one.world.create("dev-1", request);
  assert.ok(!outcome.ok, `${request.kind} was accepted`);
  return `${outcome.refusal.reason}: ${outcome.refusal.detail}`;
};
const valuesOf = ({ result }: Operation): readonly string[] =>
  result?.kind === "values" ? result.values.map(({ path, value }) => `${path} ${JSON.stringify(value)}`) : [];
const missingOf = ({ result }: Operation): readonly string[] => (result?.kind === "values" ? (result.missing ?? []) : []);
const payloads = (): readonly string[] => one.device.requests.map(({ payload }) => Buffer.from(payload).toString("latin1"));
const hexOf = (index: number): string => Buffer.from(one.device.requests[index]?.payload ?? []).toString("hex");
const formats = (): readonly (number | undefined)[] => one.device.requests.map(({ contentFormat }) => contentFormat);
const known = async (path: string): Promise<unknown> => (await one.world.until(one.world.server.twins.find("dev-1")))?.values[path]?.value;

describe("LwM2M Core 1.1 §6.3.8: Read-Composite", () => {
  const both = content(`[{"n":"${battery}","v":55},{"n":"${temperature}","v":20.5}]`);

  test("the list goes out in one FETCH on the root; values become typed, and known", async () => {
    one.device.answers.set("FETCH /", both);
    const operation = await carryOut({ kind: "readComposite", paths: [battery, temperature] });
    assert.equal(operation.status, "succeeded", String(operation.detail));
    assert.deepEqual(one.device.asked, ["FETCH /"]);
    assert.deepEqual(payloads(), [`[{"n":"${battery}"},{"n":"${temperature}"}]`]);
    assert.deepEqual([one.device.requests[0]?.contentFormat, one.device.requests[0]?.accept], [110, 110]);
    assert.deepEqual(valuesOf(operation), [`${battery} 55`, `${temperature} 20.5`]);
    assert.deepEqual(missingOf(operation), []);
    assert.equal(await known(temperature), 20.5);
  });

  test("what the device leaves out is named, and no longer known; what was not asked for is left out and told", async () => {
    one.device.answers.set("FETCH /", both);
    await carryOut({ kind: "readComposite", paths: [battery, temperature] });
    one.device.answers.set("FETCH /", content(`[{"n":"${battery}","v":54},{"n":"/3/0/0","vs":"ACME"}]`));
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
    one.device.answers.set("FETCH /", content("[]"));
    const operation = await carryOut({ kind: "readComposite", paths: [battery] });
    assert.deepEqual([operation.status, missingOf(operation)], ["succeeded", [battery]]);
  });

  test("the whole tree is /", async () => {
    one.device.answers.set("FETCH /", both);
    const operation = await carryOut({ kind: "readComposite", paths: ["/"] });
    assert.deepEqual(payloads(), ['[{"n":"/"}]']);
    assert.deepEqual([valuesOf(operation).length, missingOf(operation)], [2, []]);
  });

  test("LwM2M Core 1.2 §7.4.5: a 1.2 client gets SenML-ETCH, and plain SenML where it refuses that; the next one at once", async () => {
    await one.device.register({ query: version("1.2"), links: "</>;rt=oma.lwm2m,</1/0>,</3/0>" });
    one.device.answers.set("FETCH /", ({ contentFormat }) =>
      contentFormat === ContentFormat.senmlCbor ? senmlValue(battery, 55) : { code: ResponseCode.unsupportedContentFormat },
    );
    assert.deepEqual(valuesOf(await carryOut({ kind: "readComposite", paths: [battery] })), [`${battery} 55`]);
    assert.deepEqual(formats(), [322, 320, 112]);
    assert.equal(hexOf(0), "81a100662f332f302f39");
    assert.equal(one.device.requests[0]?.accept, 112);
    await carryOut({ kind: "readComposite", paths: [battery] });
    assert.deepEqual(formats(), [322, 320, 112, 112]);
  });

  test("RFC 7252 §5.10.4: a list refused for its Accept is asked for without", async () => {
    one.device.answers.set("FETCH /", ({ accept }) => (accept === undefined ? both : { code: ResponseCode.notAcceptable }));
    assert.equal((await carryOut({ kind: "readComposite", paths: [battery, temperature] })).status, "succeeded");
    assert.deepEqual(
      [one.device.requests.length, one.device.requests[1]?.contentFormat, one.device.requests[1]?.accept],
      [2, 110, undefined],
    );
  });

  test("LwM2M CBOR answers a 1.2 client's FETCH", async () => {
    await one.device.register({ query: version("1.2"), links: '</>;rt=oma.lwm2m;ct="320 11544",</1/0>,</3/0>' });
    const payload = Buffer.from("a103a100a1091837", "hex");
    one.device.answers.set("FETCH /", { code: ResponseCode.content, contentFormat: ContentFormat.lwm2mCbor, payload });
    assert.deepEqual(valuesOf(await carryOut({ kind: "readComposite", paths: [battery] })), [`${battery} 55`]);
    assert.deepEqual([one.device.requests[0]?.contentFormat, one.device.requests[0]?.accept], [320, 11_544]);
  });

  for (const code of [ResponseCode.methodNotAllowed, ResponseCode.notImplemented, ResponseCode.notFound]) {
    test(`a device that answers ${code >> 5}.${String(code & 31).padStart(2, "0")} is read path by path, what it refuses is missing`, async () => {
      one.device.answers.set("FETCH /", { code });
      one.device.answers.set(`GET ${battery}`, senmlValue(battery, 55));
      const operation = await carryOut({ kind: "readComposite", paths: [battery, temperature] });
      assert.equal(operation.status, "succeeded");
      assert.deepEqual(one.device.asked, ["FETCH /", `GET ${battery}`, `GET ${temperature}`]);
      assert.deepEqual([valuesOf(operation), missingOf(operation)], [[`${battery} 55`], [temperature]]);
      assert.match(operation.detail ?? "", /one by one; \/3303\/0\/5700: 4\.04/);
      one.device.asked.length = 0;
      await carryOut({ kind: "readComposite", paths: [battery] });
      const remembered = code !== ResponseCode.notFound;
      assert.deepEqual(one.device.asked, remembered ? [`GET ${battery}`] : ["FETCH /", `GET ${battery}`]);
    });
  }

  test("LwM2M 1.0 has no FETCH: it is read path by path from the first", async () => {
    await one.device.register({ query: version("1.0") });
    one.device.answers.set(`GET ${battery}`, {
      code: ResponseCode.content,
      contentFormat: ContentFormat.tlv,
      payload: Buffer.from("c10937", "hex"),
    });
    one.device.answers.set(`GET ${temperature}`, senmlValue(temperature, 20.5));
    const operation = await carryOut({ kind: "readComposite", paths: [battery, temperature] });
    assert.deepEqual([operation.status, valuesOf(operation)], ["succeeded", [`${battery} 55`, `${temperature} 20.5`]]);
    assert.deepEqual(one.device.asked, [`GET ${battery}`, `GET ${temperature}`]);
    assert.equal(operation.attempts.length, 1);
    assert.deepEqual((await carryOut({ kind: "readComposite", paths: ["/"] })).status, "succeeded");
    assert.deepEqual(one.device.asked.slice(2), ["GET /1", "GET /3", "GET /3303"]);
  });

  test("what the model does not allow never leaves", async () => {
    assert.match(await refusal({ kind: "readComposite", path: "/", paths: [battery, "/3/0/4"] }), /^operation-not-allowed: \/3\/0\/4/);
    assert.match(await refusal({ kind: "readComposite", path: "/", paths: ["/0/0"] }), /^operation-not-allowed/);
    assert.match(
      await refusal({ kind: "readComposite", path: "/", paths: ["/6/0"] }),
      /^path-not-in-model: the device has not registered object 6/,
    );
    assert.deepEqual(one.device.asked, []);
  });
});

describe("LwM2M Core 1.1 §6.3.9: Write-Composite", () => {
  test("values of several objects go out in one iPATCH and are known when it succeeds", async () => {
    one.device.answers.set("IPATCH /", changed);
    const operation = await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00", "/1/0/1": 600, "/1/0": { "2": 5 } } });
    assert.equal(operation.status, "succeeded", String(operation.detail));
    assert.deepEqual(one.device.asked, ["IPATCH /"]);
    assert.deepEqual(JSON.parse(payloads()[0] ?? ""), [
      { bn: "/", n: "3/0/14", vs: "+02:00" },
      { n: "1/0/1", v: 600 },
      { n: "1/0/2", v: 5 },
    ]);
    assert.deepEqual([await known("/3/0/14"), await known("/1/0/1"), await known("/1/0/2")], ["+02:00", 600, 5]);
  });

  test("all or nothing: a refusal writes nothing", async () => {
    one.device.answers.set("IPATCH /", { code: ResponseCode.badRequest, payload: bytes("no") });
    const operation = await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00", "/1/0/1": 600 } });
    assert.deepEqual(
      [operation.status, operation.reason, operation.coapCode, operation.detail],
      ["failed", "device-rejected", "4.00", "no"],
    );
    assert.equal(await known("/1/0/1"), undefined);
  });

  test("LwM2M Core 1.2 §7.4.5: null removes a resource instance, in SenML-ETCH only; the twin forgets it", async () => {
    const path = "/1/0/7";
    await one.device.register({ query: version("1.2"), links: '</>;rt=oma.lwm2m;ct="112 11544",</1/0>,</3/0>,</6/0>,</4/0>' });
    one.device.answers.set("FETCH /", content('[{"n":"/4/0/4/0","vs":"10.0.0.2"},{"n":"/4/0/4/1","vs":"10.0.0.3"}]'));
    await carryOut({ kind: "readComposite", paths: ["/4/0/4"] });
    assert.match(await refusal({ kind: "writeComposite", path: "/", values: { "/4/0/4/1": null } }), /operation-not-allowed/, "read-only");
    assert.match(await refusal({ kind: "writeComposite", path: "/", values: { [path]: null } }), /value-type-mismatch.*null removes/);
  });

  test("1.1 clients cannot remove: the refusal names version and operation", async () => {
    await one.device.register({ links: "</>;rt=oma.lwm2m;ct=112,</1/0>,</16/0>" });
    assert.equal(
      await refusal({ kind: "writeComposite", path: "/", values: { "/16/0/0/3": null } }),
      "not-in-device-version: writeComposite that removes a resource instance (null) needs LwM2M 1.2; the device registered with 1.1",
    );
    await one.device.register({ query: version("1.2"), links: "</>;rt=oma.lwm2m;ct=112,</1/0>,</16/0>" });
    one.device.answers.set("IPATCH /", changed);
    one.device.answers.set("GET /16/0/0", content('[{"bn":"/16/0/0/","n":"0","vs":"a"},{"n":"3","vs":"b"}]'));
    await carryOut({ kind: "read", path: "/16/0/0" });
    const operation = await carryOut({ kind: "writeComposite", values: { "/16/0/0/3": null, "/16/0/0/4": "c" } });
    assert.equal(operation.status, "succeeded", String(operation.detail));
    assert.deepEqual([formats().at(-1), hexOf(one.device.requests.length - 1)], [322, "82a321682f31362f302f302f006134036163a200613302f6"]);
    assert.deepEqual([await known("/16/0/0/0"), await known("/16/0/0/3"), await known("/16/0/0/4")], ["a", undefined, "c"]);
  });

  test("LwM2M 1.0 writes a single value by a plain Write, which is the same; several are refused at once", async () => {
    await one.device.register({ query: version("1.0") });
    one.device.answers.set("PUT /3/0/14", changed);
    const operation = await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00" } });
    assert.deepEqual([operation.status, one.device.asked], ["succeeded", ["PUT /3/0/14"]]);
    assert.match(
      await refusal({ kind: "writeComposite", path: "/", values: { "/3/0/14": "+02:00", "/1/0/1": 600 } }),
      /^not-in-device-version: writeComposite needs LwM2M 1\.1; the device registered with 1\.0/,
    );
  });

  test("a 1.1 client without iPATCH gets a single value by a plain Write; of several the refusal stands", async () => {
    one.device.answers.set("IPATCH /", { code: ResponseCode.methodNotAllowed });
    one.device.answers.set("PUT /3/0/14", changed);
    assert.equal((await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00" } })).status, "succeeded");
    assert.deepEqual(one.device.asked, ["IPATCH /", "PUT /3/0/14"]);
    const several = await carryOut({ kind: "writeComposite", values: { "/3/0/14": "+02:00", "/1/0/1": 600 } });
    assert.deepEqual([several.status, several.coapCode], ["failed", "4.05"]);
  });

  test("values are checked each at its place", async () => {
    const values = (given: OperationRequest["values"]) => refusal({ kind: "writeComposite", path: "/", values: given ?? {} });
    assert.match(await values({ "/3/0/14": 12 }), /^value-type-mismatch: \/values\/~13~10~114: expected a string, got 12/);
    assert.match(await values({ "/3/0/14": "a", "/3/0": { "14": "b" } }), /\/3\/0\/14 is written twice/);
    assert.match(await values({ "/3/0/0": "ACME" }), /^operation-not-allowed/);
    assert.match(await values({}), /at least one value/);
    assert.deepEqual(one.device.asked, []);
  });
});
