import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { formatCode, Method } from "@lwm2m/protocol/coap/codes";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import { findInstant } from "@lwm2m/protocol/platform/instant";
import { at, restOf } from "../testing/rest.ts";
import { ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import {
  answer,
  answers,
  payloadOf,
  register,
  registers,
  registerWithoutFormat,
  responses,
  sends,
  updates,
} from "../testing/tolerance-vectors.ts";

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
