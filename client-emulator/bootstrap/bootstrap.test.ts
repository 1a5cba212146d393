import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { ClientSettings, Lwm2mClientOptions } from "../client-options.ts";
import { openWorld, type World } from "../testing/world.ts";
import { type BootstrapEvent, type BootstrapState, step } from "./bootstrap-machine.ts";

/** The scripted peer plays bootstrap server and, at the same address, the server it configures. */
const bootstrapUri = "coap://192.0.2.1:5683";
const links = { accept: ContentFormat.linkFormat };

async function openBootstrapping(settings: Partial<ClientSettings> = {}, options: Partial<Lwm2mClientOptions> = {}): Promise<World> {
  const world = openWorld();
  await world.open(settings, { serverUri: undefined, bootstrapUri, ...options });
  return world;
}

const senml = (records: readonly object[]) => ({
  contentFormat: ContentFormat.senmlJson,
  payload: new TextEncoder().encode(JSON.stringify(records)),
});

const securityInstance = senml([
  { bn: "/0/0/", n: "0", vs: "coap://192.0.2.1:5683" },
  { n: "1", vb: false },
  { n: "2", v: 3 },
  { n: "10", v: 101 },
]);
const serverInstance = senml([
  { bn: "/1/0/", n: "0", v: 101 },
  { n: "1", v: 600 },
  { n: "6", vb: true },
  { n: "7", vs: "U" },
]);

test("LightweightM2M-1.1-int-0: request, writes, discover, finish, registration", async () => {
  const world = await openBootstrapping();
  const { server } = world;
  assert.deepEqual(server.seen, ["0s POST /bs?ep=dev&pct=0"]);
  assert.equal(await server.ask(Method.put, "/0/0", securityInstance), "2.04");
  assert.equal(await server.ask(Method.put, "/1/0", serverInstance), "2.04");
  assert.equal(
    await server.ask(Method.get, "/", links),
    '2.05 </>;lwm2m=1.1,</0>;ver=1.1,</0/0>;ssid=101;uri="coap://192.0.2.1:5683",</0/1>;uri="coap://192.0.2.1:5683",' +
      "</1>;ver=1.1,</1/0>;ssid=101,</3>;ver=1.1,</3/0>,</4>;ver=1.2,</4/0>,</5>;ver=1.1,</5/0>,</3303/0>",
  );
  assert.equal(await server.ask(Method.post, "/bs"), "2.04");
  await world.clock.advance(1_000);
  assert.match(server.seen.at(-1) ?? "", /POST \/rd\?ep=dev&lwm2m=1\.1&lt=600&b=U$/);
  await world.close();
});

test("LwM2M 1.0 §5.2: a 1.0 client names no format and takes TLV", async () => {
  const world = await openBootstrapping({ lwm2mVersion: "1.0", preferredFormat: ContentFormat.tlv });
  const { server } = world;
  assert.deepEqual(server.seen, ["0s POST /bs?ep=dev"]);
  // 0: "coap://192.0.2.1", 1: false, 2: 3, 10: 101; 0: 101, 1: 600, 6: true, 7: "U".
  const uri = Buffer.from("coap://192.0.2.1");
  const security = Uint8Array.from([0xc8, 0, uri.length, ...uri, 0xc1, 1, 0, 0xc1, 2, 3, 0xc1, 10, 101]);
  const account = Uint8Array.from([0xc1, 0, 101, 0xc2, 1, 0x02, 0x58, 0xc1, 6, 1, 0xc1, 7, 0x55]);
  assert.equal(await server.ask(Method.put, "/0/0", { contentFormat: ContentFormat.tlv, payload: security }), "2.04");
  assert.equal(await server.ask(Method.put, "/1/0", { contentFormat: ContentFormat.tlv, payload: account }), "2.04");
  assert.equal(await server.ask(Method.post, "/bs"), "2.04");
  await world.clock.advance(1_000);
  assert.match(server.seen.at(-1) ?? "", /POST \/rd\?ep=dev&lwm2m=1\.0&lt=600&b=U$/);
  await world.close();
});

test("LightweightM2M-1.1-int-9: Finish without a usable server account is 4.06, and may be sent again", async () => {
  const world = await openBootstrapping();
  const { server } = world;
  assert.equal(
    await server.ask(Method.put, "/1/0/5", { contentFormat: ContentFormat.text, payload: new TextEncoder().encode("60") }),
    "2.04",
  );
  assert.equal(await server.ask(Method.post, "/bs"), "4.06 no server account in /0");
  await server.ask(Method.put, "/0/0", securityInstance);
  assert.equal(await server.ask(Method.post, "/bs"), "4.06 /0/0: no instance of /1 has short server id 101");
  await server.ask(Method.put, "/1/0", serverInstance);
  assert.equal(await server.ask(Method.post, "/bs"), "2.04");
  await world.close();
});

test("LightweightM2M-1.1-int-4: Delete spares the bootstrap account and the device", async () => {
  const world = await openBootstrapping();
  const { server } = world;
  await server.ask(Method.put, "/0/0", securityInstance);
  await server.ask(Method.put, "/1/0", serverInstance);
  assert.equal(await server.ask(Method.delete, "/0"), "2.02");
  assert.equal(await server.ask(Method.delete, "/1"), "2.02");
  assert.equal(await server.ask(Method.get, "/0", links), '2.05 </>;lwm2m=1.1,</0>;ver=1.1,</0/1>;uri="coap://192.0.2.1:5683"');
  assert.equal(await server.ask(Method.get, "/1", links), "2.05 </>;lwm2m=1.1,</1>;ver=1.1");
  assert.equal(await server.ask(Method.delete, "/"), "2.02");
  assert.match(await server.ask(Method.get, "/", links), /<\/0\/1>.*<\/3\/0>,.*<\/5\/0>,<\/3303>$/);
  await world.close();
});

test("LightweightM2M-1.1-int-8: Bootstrap-Read shows /1 and nothing of /0", async () => {
  const world = await openBootstrapping();
  const { server } = world;
  await server.ask(Method.put, "/1/0", serverInstance);
  assert.match(await server.ask(Method.get, "/1", { accept: ContentFormat.senmlJson }), /^2\.05 \[.*600/);
  assert.match(await server.ask(Method.get, "/0", { accept: ContentFormat.senmlJson }), /^4\.05/);
  await world.close();
});

test("LightweightM2M-1.1-int-5: a registered client goes back to its bootstrap server on demand", async () => {
  const world = openWorld();
  const client = await world.open({}, { serverUri: undefined, bootstrapUri });
  const { server } = world;
  await server.ask(Method.put, "/0/0", securityInstance);
  await server.ask(Method.put, "/1/0", serverInstance);
  await server.ask(Method.post, "/bs");
  await world.clock.advance(1_000);
  await server.observe("/3/0/9", { accept: ContentFormat.text });
  assert.equal(client.observationCount(), 1);
  assert.equal(await server.ask(Method.post, "/1/0/9"), "2.04");
  await world.clock.advance(1_000);
  assert.equal(client.observationCount(), 0);
  assert.match(server.seen.at(-1) ?? "", /POST \/bs\?ep=dev&pct=0$/);
  assert.equal(await server.ask(Method.post, "/bs"), "2.04");
  await world.clock.advance(1_000);
  assert.match(server.seen.at(-1) ?? "", /POST \/rd\?ep=dev/);
  await world.close();
});

test("LightweightM2M-1.1-int-7: falls back to bootstrap when registration fails for good", async () => {
  const world = openWorld();
  world.server.answer = (request) => (request.path[0] === "rd" ? { code: ResponseCode.forbidden } : undefined);
  await world.open({}, { bootstrapUri });
  // Four delays of 60, 120, 240 and 480 s between five attempts.
  await world.clock.advance(905_000);
  assert.equal(world.server.seen.filter((line) => line.includes("/rd?")).length, 5);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/bs\?ep=dev&pct=0$/);
  await world.close();
});

test("LwM2M Core 1.1 §6.1.7.7: without Finish within EXCHANGE_LIFETIME what was written is undone and the device asks again", async () => {
  const world = await openBootstrapping();
  await world.server.ask(Method.put, "/0/0", securityInstance);
  await world.clock.advance(246_000);
  assert.equal(world.server.seen.length, 1);
  await world.clock.advance(8_000);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/bs\?ep=dev&pct=0$/);
  assert.doesNotMatch(await world.server.ask(Method.get, "/0", links), /<\/0\/0>/);
  await world.close();
});

test("LwM2M Core 1.1 §6.1: what was written before a device was stopped in mid-session is undone", () => {
  const kinds = (state: BootstrapState) => step(state, { kind: "stop" })[1].map((effect) => effect.kind);
  assert.deepEqual(kinds({ kind: "configuring", attempt: 1 }), ["arm", "restore"]);
  assert.deepEqual(kinds({ kind: "requesting", attempt: 1 }), ["arm"]);
});

test("LwM2M Core 1.1 §6.1: the bootstrap machine asks again at growing intervals", () => {
  let state: BootstrapState = { kind: "off" };
  const delays: (number | undefined)[] = [];
  const play = (event: BootstrapEvent): void => {
    const [next, effects] = step(state, event);
    state = next;
    for (const effect of effects) if (effect.kind === "arm" && effect.delayMs !== undefined) delays.push(effect.delayMs);
  };
  play({ kind: "start" });
  for (let attempt = 0; attempt < 8; attempt += 1) {
    play({ kind: "refused" });
    play({ kind: "due" });
  }
  assert.deepEqual(delays, [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});
