import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { bytes, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { Operation, OperationRequest } from "./operation.ts";

let world: ServerWorld;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world, { links: '</>;rt="oma.lwm2m",</1/0>,</3/0>,</5/0>,</6/0>,</3303/0>' });
  await device.register();
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

const carryOut = (request: OperationRequest): Promise<Operation> => world.carryOut("dev-1", request);
const payloadOf = (hexOrText: string): Uint8Array =>
  hexOrText.startsWith("hex ") ? Buffer.from(hexOrText.slice(4).replaceAll(" ", ""), "hex") : bytes(hexOrText);
/** 2.05 as it stands: without a Content-Format unless one is given. */
const answer = (payload: string, contentFormat?: number): OutgoingResponse => ({
  code: ResponseCode.content,
  payload: payloadOf(payload),
  ...(contentFormat === undefined ? {} : { contentFormat }),
});
const valuesOf = ({ result }: Operation): readonly string[] =>
  result?.kind === "values" ? result.values.map(({ path, value }) => `${path} ${JSON.stringify(value)}`) : [];

describe("RFC 7252 §5.5.1: an answer without Content-Format is read as what it most likely is", () => {
  const answers: readonly { what: string; path: string; payload: string; values: readonly string[] }[] = [
    { what: "text", path: "/3/0/0", payload: "ACME", values: ['/3/0/0 "ACME"'] },
    { what: "text that would pass for a lenient TLV", path: "/3/0/0", payload: "ABC", values: ['/3/0/0 "ABC"'] },
    { what: "a number as text", path: "/3/0/9", payload: "50", values: ["/3/0/9 50"] },
    { what: "the TLV that was asked for", path: "/3/0/0", payload: "hex c4 00 41 43 4d 45", values: ['/3/0/0 "ACME"'] },
    { what: "an instance in TLV", path: "/3/0", payload: "hex c1 09 32", values: ["/3/0/9 50"] },
    { what: "an instance in SenML JSON", path: "/3/0", payload: '[{"bn":"/3/0/","n":"9","v":50}]', values: ["/3/0/9 50"] },
    { what: "raw bytes of an opaque resource", path: "/6/0/4", payload: "hex 41 42", values: ['/6/0/4 "QUI="'] },
    { what: "nothing, of a string", path: "/3/0/0", payload: "", values: ['/3/0/0 ""'] },
    { what: "nothing, of an instance", path: "/3/0", payload: "", values: [] },
  ];
  for (const { what, path, payload, values } of answers) {
    test(what, async () => {
      device.answers.set(`GET ${path}`, answer(payload));
      const operation = await carryOut({ kind: "read", path });
      assert.equal(operation.status, "succeeded", String(operation.detail));
      assert.deepEqual(valuesOf(operation), values);
    });
  }

  test("what fits nothing is an invalid response", async () => {
    device.answers.set("GET /3/0", answer("ACME"));
    const operation = await carryOut({ kind: "read", path: "/3/0" });
    assert.equal(operation.reason, "invalid-response");
    assert.match(operation.detail ?? "", /without a Content-Format/);
  });

  test("a notification too", async () => {
    const path = "/3303/0/5700";
    device.answers.set(`GET ${path}`, answer(`[{"n":"${path}","v":20}]`, ContentFormat.senmlJson));
    await carryOut({ kind: "observe", path });
    assert.deepEqual(await world.until(device.notify(path, answer("21.5"))), { ok: true });
    assert.equal((await world.until(world.server.twins.find("dev-1")))?.values[path]?.value, 21.5);
  });
});

describe("LwM2M Core 1.1 §7.4: a refused format is not the last word", () => {
  const formats = (): readonly (number | undefined)[] => device.requests.map(({ accept, contentFormat }) => accept ?? contentFormat);
  const only =
    (wanted: number | undefined, code: number, then: OutgoingResponse) =>
    ({ accept, contentFormat }: IncomingRequest): OutgoingResponse =>
      (accept ?? contentFormat) === wanted ? then : { code };

  test("RFC 7252 §5.10.4: a read refused for its Accept is asked without, and later ones at once", async () => {
    for (const code of [ResponseCode.notAcceptable, ResponseCode.unsupportedContentFormat, ResponseCode.badOption]) {
      device.requests.length = 0;
      await device.register();
      device.answers.set("GET /3/0/0", only(undefined, code, answer("ACME", ContentFormat.text)));
      assert.deepEqual(valuesOf(await carryOut({ kind: "read", path: "/3/0/0" })), ['/3/0/0 "ACME"']);
      assert.deepEqual(valuesOf(await carryOut({ kind: "read", path: "/3/0/0" })), ['/3/0/0 "ACME"']);
      assert.deepEqual(formats(), [ContentFormat.tlv, undefined, undefined]);
    }
  });

  test("an observation refused for its Accept is granted without, and its attributes are written once", async () => {
    const path = "/3303/0/5700";
    device.answers.set(`PUT ${path}?pmin=5`, { code: ResponseCode.changed });
    device.answers.set(`GET ${path}`, only(undefined, ResponseCode.notAcceptable, answer("20.5", ContentFormat.text)));
    const operation = await carryOut({ kind: "observe", path, attributes: { pmin: 5 } });
    assert.equal(operation.status, "succeeded", String(operation.detail));
    assert.deepEqual(device.asked, [`PUT ${path}?pmin=5`, `GET ${path} observe 0`, `GET ${path} observe 0`]);
  });

  test("a write goes through the formats that can carry it, and the next one begins with what was taken", async () => {
    const path = "/3/0/14";
    device.answers.set(`PUT ${path}`, only(ContentFormat.text, ResponseCode.unsupportedContentFormat, { code: ResponseCode.changed }));
    assert.equal((await carryOut({ kind: "write", path, value: "+02:00" })).status, "succeeded");
    const { tlv, senmlCbor, senmlJson, cbor, text } = ContentFormat;
    assert.deepEqual(formats(), [tlv, senmlCbor, senmlJson, cbor, text]);
    assert.equal(Buffer.from(device.requests.at(-1)?.payload ?? []).toString(), "+02:00");
    device.requests.length = 0;
    assert.equal((await carryOut({ kind: "write", path, value: "+03:00" })).status, "succeeded");
    assert.deepEqual(formats(), [text]);
  });

  test("a device that takes none of them has the last word: its refusal is the outcome", async () => {
    device.answers.set("PUT /3/0/14", { code: ResponseCode.unsupportedContentFormat });
    const operation = await carryOut({ kind: "write", path: "/3/0/14", value: "+02:00" });
    assert.deepEqual([operation.status, operation.reason, operation.coapCode], ["failed", "device-rejected", "4.15"]);
    assert.equal(device.requests.length, 5);
  });

  test("other refusals are not repeated", async () => {
    device.answers.set("GET /3/0/0", { code: ResponseCode.badRequest });
    await carryOut({ kind: "read", path: "/3/0/0" });
    assert.equal(device.requests.length, 1);
  });
});

test("a device that restarts at each request is asked five times, not for ever", async () => {
  world.network.filter = () => false;
  const outcome = await world.create("dev-1", { kind: "read", path: "/3/0/0" });
  assert.ok(outcome.ok);
  for (let restart = 1; restart <= 6; restart += 1) {
    await world.clock.advance(500);
    world.network.filter = () => true;
    await device.restart();
    // The request that follows the reply crashes it again, before it can answer.
    device.answers.set("GET /3/0/0", () => {
      world.network.filter = () => false;
      return answer("ACME", ContentFormat.text);
    });
    await device.register();
  }
  world.network.filter = () => true;
  await world.clock.advance(1_000);
  const operation = await world.until(world.server.operations.find(outcome.operation._id));
  assert.deepEqual([operation?.status, operation?.reason], ["failed", "no-answer"]);
  assert.equal(operation?.detail, "the device registered anew while it was under way, as it was 5 times");
  assert.equal(operation?.attempts.length, 5);
});

describe("answers that are only partly right", () => {
  test("LwM2M Core 1.1 §7.1: a resource of the wrong type is left out and named, the others are known", async () => {
    device.answers.set("GET /3/0", answer('[{"bn":"/3/0/","n":"9","vs":"full"},{"n":"0","vs":"ACME"}]', ContentFormat.senmlJson));
    const operation = await carryOut({ kind: "read", path: "/3/0" });
    assert.equal(operation.status, "succeeded");
    assert.deepEqual(valuesOf(operation), ['/3/0/0 "ACME"']);
    assert.equal(operation.detail, 'left out: /3/0/9: expected integer, got text "full"');
  });

  test("a notification with one: the others are known, the fault is shown, the relation stays", async () => {
    device.answers.set("GET /3/0", answer('[{"n":"/3/0/9","v":50}]', ContentFormat.senmlJson));
    await carryOut({ kind: "observe", path: "/3/0" });
    const partly = answer('[{"bn":"/3/0/","n":"9","v":49},{"n":"13","vs":"noon"}]', ContentFormat.senmlJson);
    assert.deepEqual(await world.until(device.notify("/3/0", partly)), { ok: true });
    assert.equal((await world.until(world.server.twins.find("dev-1")))?.values["/3/0/9"]?.value, 49);
    const observation = await world.until(world.server.observations.find("dev-1", "/3/0"));
    assert.equal(observation?.state, "active");
    assert.equal(observation.fault?.detail, 'left out: /3/0/13: expected time, got text "noon"');
  });

  test("nothing readable is an invalid response", async () => {
    device.answers.set("GET /3/0/9", answer('[{"n":"/3/0/9","vs":"full"}]', ContentFormat.senmlJson));
    const operation = await carryOut({ kind: "read", path: "/3/0/9" });
    assert.deepEqual([operation.status, operation.reason], ["failed", "invalid-response"]);
  });

  test("LwM2M Transport 1.1 §6.4: a read answered 2.04 is no read, and what was known stays", async () => {
    device.answers.set("GET /3/0/9", answer('[{"n":"/3/0/9","v":50}]', ContentFormat.senmlJson));
    await carryOut({ kind: "read", path: "/3/0/9" });
    device.answers.set("GET /3/0/9", { code: ResponseCode.changed });
    const operation = await carryOut({ kind: "read", path: "/3/0/9" });
    assert.deepEqual([operation.status, operation.reason], ["failed", "invalid-response"]);
    assert.equal((await world.until(world.server.twins.find("dev-1")))?.values["/3/0/9"]?.value, 50);
  });

  test("a location sent as one segment, links without their first slash", async () => {
    device.answers.set("POST /3303", { code: ResponseCode.created, locationPath: ["/3303/7"] });
    const created = await carryOut({ kind: "create", path: "/3303", value: { 5700: 1.5 } });
    assert.deepEqual(created.result, { kind: "created", path: "/3303/7" });
    device.answers.set("GET /3/0", answer("<3/0/0>,<3/0/9>;pmin=1", ContentFormat.linkFormat));
    const discovered = await carryOut({ kind: "discover", path: "/3/0" });
    assert.ok(discovered.result?.kind === "links");
    assert.deepEqual(
      discovered.result.links.map(({ path, attributes }) => [path, attributes]),
      [
        ["/3/0/0", {}],
        ["/3/0/9", { pmin: "1" }],
      ],
    );
  });
});
