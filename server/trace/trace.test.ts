import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Json } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { bytes, codeOf, content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

let world: ServerWorld;
let device: ScriptedDevice;
let rest: Rest;
const trace = "/devices/dev-1/trace";

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new ScriptedDevice(world);
  rest = restOf(world);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  world.server.traces.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

async function items(): Promise<readonly { readonly [field: string]: Json }[]> {
  return at((await rest("GET", trace)).body, "items") as never;
}

function optionsOf(item: { readonly [field: string]: Json } | undefined): readonly { readonly name: string; readonly value: Json }[] {
  return (item?.["options"] ?? []) as never;
}

/** `in CON POST rd`, `out ACK 2.01`. */
async function lines(): Promise<readonly string[]> {
  return (await items()).map((item) => {
    const path = optionsOf(item)
      .filter(({ name }) => name === "Uri-Path")
      .map(({ value }) => String(value));
    return [item["direction"], item["type"], item["method"] ?? item["code"], ...path].join(" ");
  });
}

test("a traced device: every message both ways, decoded by the object model; nothing of it before or after", async () => {
  assert.equal((await rest("GET", trace)).status, "device-unknown");
  await device.register();
  assert.deepEqual(await items(), []);
  assert.equal((await rest("PUT", trace)).status, 204);
  device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  const startedAt = world.clock.now();
  await world.carryOut("dev-1", { kind: "read", path: "/3/0/9" });
  const [request, response] = await items();
  const token = request?.["token"];
  assert.match(String(token), /^[0-9a-f]{16}$/);
  const common = { door: "coap", address: "10.0.0.2", port: 56_830, token, messageId: request?.["messageId"] };
  const path = ["3", "0", "9"].map((value) => ({ number: 11, name: "Uri-Path", value }));
  assert.deepEqual(request, {
    ...{ ...common, at: formatInstant(startedAt), direction: "out", sizeBytes: request?.["sizeBytes"] },
    ...{ type: "CON", code: "0.01", method: "GET", payload: null },
    options: [...path, { number: 17, name: "Accept", value: 110 }],
  });
  assert.deepEqual(response, {
    ...{ ...common, at: response?.["at"], direction: "in", sizeBytes: response?.["sizeBytes"], type: "ACK", code: "2.05" },
    options: [{ number: 12, name: "Content-Format", value: 110 }],
    payload: {
      sizeBytes: 23,
      values: [{ path: "/3/0/9", name: "device/0/batteryLevel", type: "integer", value: 87 }],
    },
  });
  assert.equal(at((await rest("GET", "/devices/dev-1")).body, "traced"), true);
  assert.equal((await rest("DELETE", trace)).status, 204);
  await device.update();
  assert.deepEqual((await rest("GET", trace)).body, { endpoint: "dev-1", on: false, items: [] });
});

test("a device that was never heard can be chosen; what it said before it registered is there; other devices are not", async () => {
  await rest("PUT", trace);
  const other = new ScriptedDevice(world, { endpoint: "dev-2", address: { address: "10.0.0.3", port: 1 } });
  await other.register();
  // A register that is refused, and a message of a device nobody knows.
  assert.equal(codeOf(await device.send({ method: Method.post, path: ["rd"], query: ["ep=dev-1", "lt=60"], payload: bytes("<") })), "4.00");
  assert.equal(codeOf(await device.send({ method: Method.post, path: ["dp"] })), "4.04");
  await device.register();
  assert.deepEqual(await lines(), ["in CON POST rd", "out ACK 4.00", "in CON POST dp", "out ACK 4.04", "in CON POST rd", "out ACK 2.01"]);
  await other.close();
});

test("the trace follows the device to a new address and over a kill of the server", async () => {
  await device.register();
  await rest("PUT", trace);
  const moved = new ScriptedDevice(world, { address: { address: "10.0.0.77", port: 40_000 } });
  await moved.send({ method: Method.post, path: ["dp"] });
  await moved.send({ method: Method.post, path: device.location });
  const seen = await items();
  assert.deepEqual(await lines(), ["in CON POST dp", "out ACK 4.04", "in CON POST rd (hidden)", "out ACK 2.04"]);
  assert.deepEqual([...new Set(seen.map(({ address }) => address))], ["10.0.0.77"]);
  await world.kill();
  await world.start();
  rest = restOf(world);
  await moved.send({ method: Method.post, path: device.location });
  assert.deepEqual(await lines(), ["in CON POST rd (hidden)", "out ACK 2.04"]);
  await moved.close();
});

test("secrets are not shown: the location of the registration, Security values, what a device only takes", async () => {
  await rest("PUT", trace);
  const created = await device.register({ links: '</>;rt="oma.lwm2m";ct=110,</0/0>,</1/0>,</3/0>,</5/0>' });
  device.answers.set("PUT /5/0/0", { code: ResponseCode.changed });
  const firmware = Buffer.from("a package that is a secret").toString("base64");
  await world.carryOut("dev-1", { kind: "write", path: "/5/0/0", value: firmware });
  // A device that answers with its keys: as values, and as bytes that cannot be read.
  const key = "c2VjcmV0LWtleQ";
  device.answers.set("GET /3/0", content(JSON.stringify([{ bn: "/0/0/", n: "5", vd: key }])));
  await world.carryOut("dev-1", { kind: "read", path: "/3/0" });
  device.answers.set("GET /5/0", {
    code: ResponseCode.content,
    contentFormat: ContentFormat.text,
    payload: bytes("a package that is a secret"),
  });
  await world.carryOut("dev-1", { kind: "read", path: "/5/0" });
  const { body } = await rest("GET", trace);
  const shown = JSON.stringify(body);
  for (const secret of [
    created.locationPath[1] ?? "",
    firmware,
    key,
    "a package that is",
    Buffer.from("a package that is").toString("hex"),
  ]) {
    assert.equal(shown.includes(secret), false, secret);
  }
  assert.match(shown, /"name":"Location-Path","value":"\(hidden\)"/);
  assert.match(shown, /"path":"\/5\/0\/0","name":"[^"]*","type":"opaque","hidden":/);
});

test("blocks, errors, malformed and empty messages are shown as what they are", async () => {
  await device.register();
  await rest("PUT", trace);
  const text = "x".repeat(1_500);
  device.answers.set("GET /3/0/0", { code: ResponseCode.content, contentFormat: ContentFormat.text, payload: bytes(text) });
  device.answers.set("GET /3/0/1", { code: ResponseCode.badRequest, payload: bytes("no such thing") });
  await world.carryOut("dev-1", { kind: "read", path: "/3/0/0" });
  await world.carryOut("dev-1", { kind: "read", path: "/3/0/1" });
  const [, first, , second, , refused] = await items();
  assert.deepEqual(at(first?.["payload"] ?? null, "sizeBytes"), 1_024);
  assert.deepEqual(at(second?.["payload"] ?? null, "text"), "x".repeat(476));
  const block = optionsOf(second).find(({ name }) => name === "Block2");
  assert.deepEqual(block?.value, { number: 1, more: false, sizeBytes: 1_024 });
  assert.deepEqual(refused?.["payload"], { sizeBytes: 13, text: "no such thing" });
  const { address } = device;
  await device.close();
  const raw = world.network.socket(address);
  raw.send(Buffer.from("40010001ff", "hex"), world.server.coap.local);
  raw.send(Buffer.from("40000002", "hex"), world.server.coap.local);
  await world.clock.advance(100);
  await raw.close();
  const tail = (await items()).slice(-4);
  assert.deepEqual(
    tail.map(({ direction, type, code, malformed }) => [direction, type ?? malformed, code]),
    [
      ["in", "payload marker without a payload", undefined],
      ["out", "RST", "0.00"],
      ["in", "CON", "0.00"],
      ["out", "RST", "0.00"],
    ],
  );
});
