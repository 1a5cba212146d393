import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingResponse, OutgoingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import type { PayloadTolerance } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { RegisterTolerance } from "@lwm2m/protocol/lwm2m/register-payload";
import type { QueryTolerance } from "@lwm2m/protocol/lwm2m/register-query";
import { findInstant } from "@lwm2m/protocol/platform/instant";
import type { AnswerTolerance } from "../operations/answer-values.ts";
import type { DiscoverTolerance } from "../operations/discovered-links.ts";
import type { OperationRequest } from "../operations/operation.ts";
import type { ResponseTolerance } from "../operations/operation-answer.ts";
import type { RegistrationTolerance } from "../registration/registration-coap.ts";
import { at, restOf } from "../testing/rest.ts";
import { bytes, content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

let world: ServerWorld;
let device: ScriptedDevice;

const links = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</5/0>,</6/0>,</3303/0>,</3342/0>';

async function open(strict: boolean): Promise<void> {
  world = await ServerWorld.open({}, strict);
  device = new ScriptedDevice(world, { links });
}

async function close(): Promise<void> {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
}

/** The codes of the device, each with its count and door. */
const tolerated = async (endpoint = "dev-1"): Promise<readonly string[]> => {
  const found = await world.until(world.server.leniency.find(endpoint));
  return [...found].map(([code, { count, door }]) => `${code} ${count} ${door}`).toSorted();
};
const payloadOf = (hexOrText: string): Uint8Array =>
  hexOrText.startsWith("hex ") ? Buffer.from(hexOrText.slice(4).replaceAll(" ", ""), "hex") : bytes(hexOrText);
const answer = (contentFormat: number | undefined, payload: string): OutgoingResponse => ({
  code: ResponseCode.content,
  payload: payloadOf(payload),
  ...(contentFormat === undefined ? {} : { contentFormat }),
});
const { text, tlv, senmlJson, senmlCbor, lwm2mJson, lwm2mCbor } = ContentFormat;

/** An answer to a Read or a notification: what devices send (facts: Eclipse Leshan's issues, see the codecs), and the code it has. */
const answers: readonly (readonly [PayloadTolerance | AnswerTolerance, string, number | undefined, string])[] = [
  ["legacy-content-format", "/3/0/9", 1542, "hex c10964"],
  ["tlv-missing-instance", "/3", tlv, "hex c10964"],
  ["tlv-bare-resource-instance", "/3/0/6", tlv, "hex 410105"],
  ["tlv-boolean-length", "/3342/0/5500", tlv, "hex e4157c00000001"],
  ["single-value-for-multiple", "/3/0/6", text, "5"],
  ["float-for-integer", "/3/0/9", senmlJson, '[{"n":"/3/0/9","v":1.0e2}]'],
  ["time-with-fraction", "/3/0/13", senmlJson, '[{"n":"/3/0/13","v":1600000000.9}]'],
  ["number-for-boolean", "/3342/0/5500", senmlJson, '[{"n":"/3342/0/5500","v":1}]'],
  ["boolean-word", "/3342/0/5500", text, "true"],
  ["text-whitespace", "/3/0/9", text, "100\n"],
  ["text-trailing-nul", "/3/0/9", text, "100\0"],
  ["base64-variant", "/6/0/4", text, "_w"],
  ["objlnk-as-string", "/1/0/10", senmlJson, '[{"n":"/1/0/10","vs":"65:0"}]'],
  ["objlnk-hexadecimal", "/1/0/10", text, "FFFF:FFFF"],
  ["senml-text-label", "/3/0/0", senmlCbor, "hex 81a2616e662f332f302f30613361 61"],
  ["senml-name-without-slash", "/3/0/9", senmlJson, '[{"bn":"3/0/","n":"9","v":100}]'],
  ["senml-trailing-slash", "/3/0/9", senmlJson, '[{"bn":"/3/0/9/","v":100}]'],
  ["json-base-name-without-slash", "/3/0", lwm2mJson, '{"bn":"/3/0","e":[{"n":"9","v":100}]}'],
  ["cbor-relative-keys", "/3/0", lwm2mCbor, "hex a1091864"],
  ["missing-content-format", "/3/0/9", undefined, "100"],
  ["unreadable-value", "/3/0", senmlJson, '[{"bn":"/3/0/","n":"9","v":100},{"n":"13","vs":"yesterday"}]'],
];

/** Of the whole answer to an operation. */
const responses: readonly (readonly [
  PayloadTolerance | AnswerTolerance | ResponseTolerance | DiscoverTolerance,
  OperationRequest,
  string,
  OutgoingResponse,
])[] = [
  ["unexpected-success-code", { kind: "write", path: "/3/0/14", value: "Z" }, "PUT /3/0/14", { code: ResponseCode.created }],
  ["unexpected-success-code", { kind: "execute", path: "/3/0/4" }, "POST /3/0/4", { code: ResponseCode.content }],
  [
    "location-in-one-segment",
    { kind: "create", path: "/3303", value: {} },
    "POST /3303",
    { code: ResponseCode.created, locationPath: ["/3303/7"] },
  ],
  ["relative-target", { kind: "discover", path: "/3/0" }, "GET /3/0", answer(40, "<3/0>,<3/0/9>")],
  [
    "unasked-path",
    { kind: "readComposite", path: "/", paths: ["/3/0/9"] },
    "FETCH /",
    content('[{"n":"/3/0/9","v":1},{"n":"/3/0/0","vs":"A"}]'),
  ],
  ["float-for-integer", { kind: "readComposite", path: "/", paths: ["/3/0/9"] }, "FETCH /", content('[{"n":"/3/0/9","v":1.0e1}]')],
];

const registers: readonly (readonly [QueryTolerance | RegisterTolerance | RegistrationTolerance, Partial<OutgoingRequest>])[] = [
  ["joined-query", { query: ["ep=dev-1&lt=300&lwm2m=1.1&b=U"] }],
  ["missing-version", { query: ["ep=dev-1", "lt=300"] }],
  ["missing-lifetime", { query: ["ep=dev-1", "lwm2m=1.1"] }],
  ["version-with-revision", { query: ["ep=dev-1", "lt=300", "lwm2m=1.0.2"] }],
  ["queue-flag-value", { query: ["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U", "Q=1"] }],
  ["sms-plus", { query: ["ep=dev-1", "lt=300", "lwm2m=1.1", "sms=+4912345"] }],
  ["link-whitespace", { payload: bytes("</1/0>, </3/0>") }],
  ["link-empty-part", { payload: bytes("</1/0>,,</3/0>") }],
  ["link-unquoted-value", { payload: bytes('</>;rt="oma.lwm2m";ct=110 112,</3/0>') }],
  ["link-trailing-nul", { payload: bytes("</1/0>,</3/0>\0") }],
  ["root-without-type", { payload: bytes("</>;ct=110,</3/0>") }],
  ["repeated-content-format", { payload: bytes('</>;rt="oma.lwm2m";ct=110;ct=112,</3/0>') }],
  ["relative-target", { payload: bytes("<1/0>,<3/0>") }],
  ["trailing-slash", { payload: bytes("</1/0/>,</3/0>") }],
  ["hidden-object", { payload: bytes("</0/0>,</3/0>") }],
  ["ignored-link", { payload: bytes("</3/0>,</sensors>") }],
  ["empty-path-segment", { path: ["rd", ""] }],
  ["ignored-parameter", { query: ["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U", "0=x"] }],
  ["non-confirmable", { confirmable: false }],
];

const register: OutgoingRequest = {
  method: Method.post,
  path: ["rd"],
  query: ["ep=dev-1", "lt=300", "lwm2m=1.1", "b=U"],
  contentFormat: 40,
  payload: bytes("</1/0>,</3/0>"),
};
const { contentFormat: _, ...registerWithoutFormat } = register;

const updates: readonly (readonly [QueryTolerance | RegisterTolerance | RegistrationTolerance, Partial<OutgoingRequest>])[] = [
  ["queue-flag-value", { query: ["b=U", "Q=1"] }],
  ["link-whitespace", { contentFormat: 40, payload: bytes("</1/0>, </3/0>") }],
  ["missing-content-format", { payload: bytes("</1/0>,</3/0>") }],
  ["ignored-parameter", { query: ["0=x"] }],
];

const sends: readonly (readonly [PayloadTolerance, number, string])[] = [
  ["legacy-content-format", 1543, '{"bn":"/3/0/9","e":[{"v":100}]}'],
  ["float-for-integer", senmlJson, '[{"n":"/3/0/9","v":1.0e2}]'],
  ["number-for-boolean", senmlJson, '[{"n":"/3342/0/5500","v":1}]'],
  ["objlnk-as-string", senmlJson, '[{"n":"/1/0/10","vs":"65:0"}]'],
  ["base64-variant", lwm2mJson, '{"bn":"/6/0/4","e":[{"sv":"_w"}]}'],
  ["senml-text-label", senmlCbor, "hex 81a2616e662f332f302f3061336161"],
  ["senml-name-without-slash", senmlJson, '[{"bn":"3/0/","n":"9","v":100}]'],
  ["senml-trailing-slash", senmlJson, '[{"bn":"/3/0/9/","v":100}]'],
];

const codeOf = (response: IncomingResponse): string => formatCode(response.code);

describe("field deviations are read and counted for the device", () => {
  beforeEach(() => open(false));
  afterEach(close);

  test("at Register", async () => {
    const cases = [...registers, ["missing-content-format", registerWithoutFormat] as const];
    for (const [index, [code, more]] of cases.entries()) {
      const request = code === "missing-content-format" ? registerWithoutFormat : { ...register, ...more };
      const query = (request.query ?? []).map((item) => item.replace("ep=dev-1", `ep=dev-${index}`));
      assert.equal(codeOf(await device.send({ ...request, query })), "2.01", code);
      assert.ok((await tolerated(`dev-${index}`)).includes(`${code} 1 register`), `${code} of ${await tolerated(`dev-${index}`)}`);
    }
  });

  test("ver on an instance and in quotes are recorded, and no deviation of the specifications' examples", async () => {
    await device.register({ links: '</1/0>;ver=1.1,</3>;ver="1.1",</3/0>' });
    assert.deepEqual(await tolerated(), ["quoted-version 1 register", "version-on-instance 1 register"]);
  });

  test("at Update", async () => {
    await device.register();
    for (const [code, more] of updates) {
      assert.equal(codeOf(await device.send({ method: Method.post, path: device.location, ...more })), "2.04", code);
      assert.ok((await tolerated()).includes(`${code} 1 update`), code);
    }
  });

  test("in answers", async () => {
    await device.register();
    for (const [index, [code, path, contentFormat, payload]] of answers.entries()) {
      device.answers.set(`GET ${path}`, answer(contentFormat, payload));
      const operation = await world.carryOut("dev-1", { kind: "read", path });
      assert.equal(operation.status, "succeeded", `${code}: ${operation.detail}`);
      const times = answers.slice(0, index + 1).filter(([other]) => other === code).length;
      assert.ok((await tolerated()).includes(`${code} ${times} answer`), `${code} of ${await tolerated()}`);
    }
    for (const [code, request, line, response] of responses) {
      device.answers.set(line, response);
      const before = (await world.until(world.server.leniency.find("dev-1"))).get(code)?.count ?? 0;
      const operation = await world.carryOut("dev-1", request);
      assert.equal(operation.status, "succeeded", `${code}: ${operation.detail}`);
      assert.ok((await tolerated()).includes(`${code} ${before + 1} answer`), code);
    }
  });

  test("in notifications", async () => {
    await device.register();
    for (const [code, path, contentFormat, payload] of answers) {
      device.answers.set(`GET ${path}`, senmlValue("/3/0/9", 1));
      await world.carryOut("dev-1", { kind: "observe", path });
      if (!device.observations.has(path)) continue;
      assert.deepEqual(await world.until(device.notify(path, answer(contentFormat, payload))), { ok: true });
      assert.ok(
        (await tolerated()).some((line) => line.startsWith(`${code} `) && line.endsWith(" notify")),
        `${code} of ${await tolerated()}`,
      );
    }
  });

  test("at Send", async () => {
    await device.register();
    for (const [code, contentFormat, payload] of sends) {
      const response = await device.send({ method: Method.post, path: ["dp"], contentFormat, payload: payloadOf(payload) });
      assert.equal(codeOf(response), "2.04", code);
      assert.ok((await tolerated()).includes(`${code} 1 send`), code);
    }
  });
});

describe("STRICT_DEVICES refuses every one of them", () => {
  beforeEach(() => open(true));
  afterEach(close);

  test("at Register, 4.00; what is right is taken", async () => {
    for (const [code, more] of registers) {
      const response = await device.send({ ...register, ...more });
      assert.equal(codeOf(response), "4.00", code);
    }
    assert.equal(codeOf(await device.send(registerWithoutFormat)), "4.00");
    assert.equal(codeOf(await device.register()), "2.01");
    assert.equal(codeOf(await device.register({ links: '</1/0>;ver=1.1,</3>;ver="1.1",</3/0>' })), "2.01");
  });

  test("at Update, 4.00", async () => {
    await device.register();
    for (const [code, more] of updates) {
      assert.equal(codeOf(await device.send({ method: Method.post, path: device.location, ...more })), "4.00", code);
    }
    assert.equal(codeOf(await device.update()), "2.04");
  });

  test("in answers: an invalid response that says why", async () => {
    await device.register();
    for (const [code, path, contentFormat, payload] of answers) {
      device.answers.set(`GET ${path}`, answer(contentFormat, payload));
      const operation = await world.carryOut("dev-1", { kind: "read", path });
      assert.deepEqual([operation.status, operation.reason], ["failed", "invalid-response"], `${code}: ${operation.detail}`);
      if (code !== "unreadable-value") assert.match(operation.detail ?? "", new RegExp(`not accepted in strict mode: ${code}`));
    }
    for (const [code, request, line, response] of responses) {
      device.answers.set(line, response);
      const operation = await world.carryOut("dev-1", request);
      assert.deepEqual([operation.status, operation.reason], ["failed", "invalid-response"], `${code}: ${operation.detail}`);
    }
    assert.deepEqual(await tolerated(), []);
  });

  test("in notifications: acknowledged, not kept, the fault shown", async () => {
    await device.register();
    device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 1));
    await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" });
    for (const [code, path, contentFormat, payload] of answers) {
      if (path !== "/3/0/9") continue;
      assert.deepEqual(await world.until(device.notify(path, answer(contentFormat, payload))), { ok: true });
      await world.clock.advance(10);
      const observation = await world.until(world.server.observations.find("dev-1", path));
      assert.match(observation?.fault?.detail ?? "", new RegExp(code));
      assert.equal((await world.until(world.server.twins.find("dev-1")))?.values[path]?.value, 1);
    }
  });

  test("at Send, 4.00 or 4.15, and nothing is kept", async () => {
    await device.register();
    for (const [code, contentFormat, payload] of sends) {
      const response = await device.send({ method: Method.post, path: ["dp"], contentFormat, payload: payloadOf(payload) });
      assert.equal(codeOf(response), code === "legacy-content-format" ? "4.15" : "4.00", code);
    }
    assert.equal(await world.until(world.server.twins.find("dev-1")), undefined);
  });
});

describe("GET /devices/{endpoint}", () => {
  beforeEach(() => open(false));
  afterEach(close);

  test("shows code, door, count, first and last time; over a restart; gone with the device", async () => {
    await device.register();
    device.answers.set("GET /3/0/9", answer(undefined, "100"));
    await world.carryOut("dev-1", { kind: "read", path: "/3/0/9" });
    await world.clock.advance(30_000);
    await world.carryOut("dev-1", { kind: "read", path: "/3/0/9" });
    const [shown] = [at((await restOf(world)("GET", "/devices/dev-1")).body, "tolerances", 0)];
    assert.ok(shown !== undefined);
    assert.deepEqual([at(shown, "code"), at(shown, "door"), at(shown, "count")], ["missing-content-format", "answer", 2]);
    const instantOf = (field: string): number => findInstant(String(at(shown, field))) ?? 0;
    const apartMs = instantOf("lastAt") - instantOf("firstAt");
    assert.ok(apartMs >= 30_000 && apartMs < 31_000, String(apartMs));
    await world.stop();
    await world.start();
    const after = await restOf(world)("GET", "/devices/dev-1");
    assert.deepEqual(at(after.body, "tolerances", 0), shown);
    assert.equal((await restOf(world)("DELETE", "/devices/dev-1")).status, 204);
    assert.deepEqual(await tolerated(), []);
  });

  test("a device that deviates in every message writes once a minute at most", async () => {
    await device.register();
    device.answers.set("GET /3/0/9", answer(undefined, "100"));
    for (let i = 0; i < 10; i += 1) await world.carryOut("dev-1", { kind: "read", path: "/3/0/9" });
    await world.kill();
    await world.start();
    assert.deepEqual(await tolerated(), ["missing-content-format 1 answer"]);
  });
});
