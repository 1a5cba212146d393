import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import type { ClientSettings, StoredDevice } from "../client-options.ts";
import { openWorld, type World } from "../testing/world.ts";
import { makePackage } from "./package-format.ts";

const plain = { accept: ContentFormat.text };
const text = (value: string) => ({ contentFormat: ContentFormat.text, payload: new TextEncoder().encode(value) });
const opaque = (payload: Uint8Array) => ({ contentFormat: ContentFormat.opaque, payload });
const packageUri = "coap://192.0.2.1:5683/fw/app";
const firmware = makePackage("app", "2.0.0", seededRandom(5).bytes(100_000));

function offer(world: World, bytes: Uint8Array): void {
  world.server.answer = (request) =>
    request.path[0] === "fw" && request.path[1] === "app"
      ? { code: ResponseCode.content, contentFormat: ContentFormat.opaque, payload: bytes }
      : request.path[0] === "fw"
        ? { code: ResponseCode.notFound }
        : undefined;
}

/** State, result, package version and running version. */
async function facts(world: World): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const path of ["/5/0/3", "/5/0/5", "/5/0/7", "/3/0/3"])
    answers.push((await world.server.ask(Method.get, path, plain)).replace("2.05", "").trim());
  return answers;
}

test("LightweightM2M-1.0-int-771: 100 kB pulled over a link that loses every tenth datagram, verified, installed", async () => {
  const world = openWorld(3, { loss: 0.1, delayMs: 50 });
  const stored: StoredDevice[] = [];
  const client = await world.open({}, { store: (state) => stored.push(state) });
  await world.clock.advance(30_000);
  offer(world, firmware);
  const { values } = await world.server.observe("/5/0/3", plain);
  assert.equal(await world.server.ask(Method.put, "/5/0/1", text(packageUri)), "2.04");
  for (let minute = 0; minute < 30 && values.at(-1)?.[1] !== "2.05 2"; minute += 1) await world.clock.advance(60_000);
  assert.deepEqual(await facts(world), ["2", "0", "2.0.0", "1.0.0"]);
  world.network.conditions = { ...world.network.conditions, loss: 0 };
  assert.equal(await world.server.ask(Method.post, "/5/0/2"), "2.04");
  await world.clock.advance(1_500);
  assert.equal(values.at(-1)?.[1], "2.05 3", "the server sees State 3 before the silence");
  assert.equal(client.isRegistered(), false);
  await world.clock.advance(4_000);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/rd\?ep=dev/);
  assert.deepEqual(await facts(world), ["0", "1", "2.0.0", "2.0.0"]);
  assert.deepEqual(stored, [{ firmwareName: "app", firmwareVersion: "2.0.0" }]);
  await world.close();
});

test("LightweightM2M-1.0-int-770: pushed by Block1, after a reset by a package of one NUL", async () => {
  const world = openWorld();
  await world.open();
  assert.equal(await world.server.ask(Method.put, "/5/0/0", opaque(new Uint8Array(1))), "2.04");
  assert.equal(await world.server.ask(Method.put, "/5/0/0", opaque(firmware)), "2.04");
  assert.deepEqual(await facts(world), ["2", "0", "2.0.0", "1.0.0"]);
  await world.server.ask(Method.post, "/5/0/2");
  await world.clock.advance(5_000);
  assert.deepEqual(await facts(world), ["0", "1", "2.0.0", "2.0.0"]);
  await world.close();
});

test("LwM2M object 5: the version survives a power cut", async () => {
  const world = openWorld();
  await world.open({}, { stored: { firmwareName: "app", firmwareVersion: "2.0.0" } });
  assert.deepEqual(await facts(world), ["0", "1", "2.0.0", "2.0.0"]);
  await world.close();
});

const corrupt = Uint8Array.from(firmware);
corrupt[50_000] = (corrupt[50_000] ?? 0) ^ 1;

const failures: readonly (readonly [string, string, Uint8Array, Partial<ClientSettings["firmware"]>, string])[] = [
  ["773: flash too small", packageUri, firmware, { flashBytes: 50_000 }, "2"],
  ["776: integrity", packageUri, corrupt, {}, "5"],
  ["777: unknown package type", packageUri, firmware.subarray(10), {}, "6"],
  ["778: nothing behind the URI", "coap://192.0.2.1/fw/none", firmware, {}, "7"],
  ["778: a host that is not there", "coap://nowhere.example/fw", firmware, {}, "7"],
  ["778: no URI", "hello", firmware, {}, "7"],
  ["775: nobody answers", "coap://192.0.2.99/fw", firmware, {}, "4"],
  ["780: scheme", "https://192.0.2.1/fw/app", firmware, {}, "9"],
  ["774: injected", packageUri, firmware, { failDownload: 3 }, "3"],
];

for (const [title, uri, bytes, settings, result] of failures) {
  test(`LightweightM2M-1.0-int-${title} ends in Idle with result ${result}`, async () => {
    const world = openWorld();
    await world.open({ firmware: { flashBytes: 1_000_000, failUpdate: undefined, failDownload: undefined, ...settings } });
    offer(world, bytes);
    assert.equal(await world.server.ask(Method.put, "/5/0/1", text(uri)), "2.04");
    await world.clock.advance(150_000);
    assert.deepEqual((await facts(world)).slice(0, 2), ["0", result]);
    await world.close();
  });
}

test("LightweightM2M-1.0-int-779: a failed update keeps the package and the old version", async () => {
  const world = openWorld();
  await world.open({ firmware: { flashBytes: 1_000_000, failUpdate: 8, failDownload: undefined } });
  await world.server.ask(Method.put, "/5/0/0", opaque(firmware));
  await world.server.ask(Method.post, "/5/0/2");
  await world.clock.advance(5_000);
  assert.deepEqual(await facts(world), ["2", "8", "2.0.0", "1.0.0"]);
  await world.close();
});

test("LwM2M object 5: an empty URI stops a download under way", async () => {
  const world = openWorld(1, { delayMs: 500 });
  await world.open();
  offer(world, firmware);
  await world.server.ask(Method.put, "/5/0/1", text(packageUri));
  await world.clock.advance(5_000);
  assert.deepEqual((await facts(world)).slice(0, 2), ["1", "0"]);
  assert.equal(await world.server.ask(Method.put, "/5/0/1", text("")), "2.04");
  await world.clock.advance(200_000);
  assert.deepEqual((await facts(world)).slice(0, 2), ["0", "0"]);
  await world.close();
});

test("LwM2M object 5 v1.1: Cancel ends with result 10", async () => {
  const world = openWorld();
  await world.open();
  await world.server.ask(Method.put, "/5/0/0", opaque(firmware));
  assert.equal(await world.server.ask(Method.post, "/5/0/10"), "2.04");
  assert.deepEqual((await facts(world)).slice(0, 2), ["0", "10"]);
  await world.close();
});
