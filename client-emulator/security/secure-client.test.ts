import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { makePackage } from "../firmware/package-format.ts";
import { anIdentity, openSecureWorld, pskRealm, secureUri, theKey } from "../testing/secure-world.ts";
import { deviceAddress } from "../testing/world.ts";
import { usualDtls } from "./dtls-client-settings.ts";
import { type SecurityCredential, SecurityMode } from "./security-credential.ts";

const plain = { accept: ContentFormat.text };
const none = new Uint8Array(0);
const psk = (secret = theKey): SecurityCredential => ({
  mode: SecurityMode.psk,
  identity: new TextEncoder().encode("dev"),
  serverKey: none,
  secret,
});
const withPsk = { serverUri: secureUri, serverCredential: psk() };
const withIds = { ...withPsk, dtls: { ...usualDtls, connectionIdBytes: 0 } };
const registrations = (seen: readonly string[]) => seen.filter((line) => line.includes("POST /rd?ep=")).length;

test("LwM2M Transport 1.1 §5.2.8.1: registers, is read and de-registers over a PSK session", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  const client = await world.open({}, withPsk);
  assert.deepEqual(world.server.seen, ["0s POST /rd?ep=dev&lwm2m=1.1&lt=300&b=U"]);
  assert.equal(await world.server.ask(Method.get, "/3/0/0", plain), "2.05 LwM2M emulator");
  assert.deepEqual(world.server.client.identity, { kind: "psk", identity: new TextEncoder().encode("dev") });
  await world.clock.until(client.close());
  await world.clock.advance(1_000);
  assert.match(world.server.seen.at(-1) ?? "", /DELETE \/rd\/a1$/);
  assert.deepEqual(world.secure.story, ["connected", "closed: close-notify"]);
  await world.close();
});

test("LwM2M Core 1.1 §6.2.1.1: with a wrong key it tries again as the registration retries say", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  const client = await world.open({}, { ...withPsk, serverCredential: psk(theKey.toReversed()) });
  await world.clock.advance(400_000);
  assert.equal(client.isRegistered(), false);
  assert.equal(world.server.seen.length, 0);
  const attempts = world.log.filter((line) => line.startsWith("dtls: no connection")).length;
  assert.ok(attempts >= 2 && attempts <= 4, `${attempts} attempts`);
  assert.equal(world.log.filter((line) => line.startsWith("waiting")).length, attempts);
  await world.close();
});

for (const seed of [1, 2, 3]) {
  test(`RFC 6347 §4.2.4: registers over a link that loses a quarter and repeats some, seed ${seed}`, async () => {
    const world = await openSecureWorld(pskRealm("dev"), { loss: 0.25, duplication: 0.1, reordering: 0.1 }, seed);
    const client = await world.open({}, withPsk);
    await world.clock.advance(300_000);
    assert.equal(client.isRegistered(), true);
    await world.close();
  });
}

test("RFC 5246 §F.1.4: after close_notify the session is resumed and the device registers again", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  await world.open({}, withPsk);
  await world.clock.advance(61_000);
  world.secure.dtls.disconnectWhere(() => true);
  await world.clock.advance(2_000);
  assert.deepEqual(world.secure.story, ["connected", "closed: credential-removed", "resumed"]);
  assert.equal(registrations(world.server.seen), 2);
  assert.equal(await world.server.ask(Method.get, "/3/0/0", plain), "2.05 LwM2M emulator");
  await world.close();
});

test("LwM2M Core 1.1 §6.2.1.1: a session that is ended again and again is not made again at once", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  world.secure.dtls.onNews((news) => {
    if (news.kind !== "connected") return;
    world.clock.after(500, () => world.secure.dtls.disconnectWhere(() => true));
  });
  await world.open({}, withPsk);
  await world.clock.advance(600_000);
  const connected = world.secure.story.filter((each) => each === "connected" || each === "resumed").length;
  assert.ok(connected >= 5 && connected <= 11, `${connected} sessions in ten minutes`);
  await world.close();
});

test("a server that has lost its memory: silence for MAX_TRANSMIT_WAIT, then a handshake and a registration", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  const client = await world.open({ lifetimeSeconds: 300 }, withPsk);
  const restarted = await world.restart();
  // The Update is due 207 s after the registration.
  await world.clock.advance(207_000 + 93_000 + 10_000);
  assert.deepEqual(restarted.story, ["connected"]);
  assert.equal(registrations(restarted.scripted.seen), 1);
  assert.equal(client.isRegistered(), true);
  await world.close();
});

test("RFC 9146: with a connection id the device is found after its address has changed, without a new handshake", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  await world.open({ lifetimeSeconds: 300 }, withIds);
  const port = world.network.traffic[0]?.from.port ?? 0;
  world.network.rebind({ address: deviceAddress, port }, { address: "203.0.113.50", port: 1_234 });
  await world.clock.advance(208_000);
  assert.equal(await world.server.ask(Method.get, "/3/0/0", plain), "2.05 LwM2M emulator");
  assert.deepEqual(world.secure.story, ["connected", "address-changed"]);
  assert.equal(registrations(world.server.seen), 1);
  await world.close();
});

test("without a connection id a changed address ends in a new handshake", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  const client = await world.open({ lifetimeSeconds: 300 }, withPsk);
  const port = world.network.traffic[0]?.from.port ?? 0;
  world.network.rebind({ address: deviceAddress, port }, { address: "203.0.113.50", port: 1_234 });
  await world.clock.advance(320_000);
  assert.equal(client.isRegistered(), true);
  assert.equal(registrations(world.server.seen), 2);
  assert.deepEqual(world.secure.story.slice(0, 2), ["connected", "resumed"]);
  await world.close();
});

test("queue mode: ten sleeps of an hour on one handshake", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  const client = await world.open({ queueMode: true, awakeSeconds: 10, sleepSeconds: 3_600, lifetimeSeconds: 86_400 }, withIds);
  await world.clock.advance(30_000);
  assert.equal(client.isAwake(), false);
  await world.clock.advance(36_000_000);
  assert.deepEqual(world.secure.story, ["connected"]);
  assert.equal(client.statistics().updates, 10);
  await world.close();
});

test("LwM2M object 3: a reboot forgets the session's keys; the next session is resumed", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  await world.open({}, withPsk);
  assert.equal(await world.server.ask(Method.post, "/3/0/4"), "2.04");
  await world.clock.advance(5_000);
  assert.deepEqual(world.secure.story.slice(0, 2), ["connected", "resumed"]);
  assert.equal(registrations(world.server.seen), 2);
  await world.close();
});

test("LwM2M object 5: a package at the server's coaps address comes over the session there is; elsewhere it is refused", async () => {
  const world = await openSecureWorld(pskRealm("dev"));
  const image = makePackage("app", "2.0.0", seededRandom(5).bytes(5_000));
  world.server.answer = (request) => (request.path[0] === "fw" ? { code: ResponseCode.content, payload: image } : undefined);
  await world.open({}, withIds);
  const firmware = async (uri: string): Promise<readonly string[]> => {
    const written = { contentFormat: ContentFormat.text, payload: new TextEncoder().encode(uri) };
    assert.equal(await world.server.ask(Method.put, "/5/0/1", written), "2.04");
    await world.clock.advance(5_000);
    return [await world.server.ask(Method.get, "/5/0/3", plain), await world.server.ask(Method.get, "/5/0/5", plain)];
  };
  assert.deepEqual(await firmware(`${secureUri}:5999/fw/app`), ["2.05 0", "2.05 9"]);
  assert.deepEqual(await firmware(`${secureUri}/fw/app`), ["2.05 2", "2.05 0"]);
  assert.deepEqual(world.secure.story, ["connected"]);
  await world.close();
});

test("LwM2M Transport 1.1 §5.2.8.2: raw public keys, each the one that was configured", async () => {
  const now = 1_000_000_000;
  const [server, device, stranger] = [anIdentity("server", now), anIdentity("dev", now), anIdentity("other", now)];
  const realm = {
    own: { privateKey: server.privateKey, publicKey: server.publicKey },
    clientTypes: ["rpk"] as const,
    verifyClient: (presented: { kind: string; publicKey?: Uint8Array }) =>
      presented.publicKey !== undefined && Buffer.compare(presented.publicKey, device.publicKey) === 0
        ? ({ ok: true, identity: { kind: "rpk", publicKey: presented.publicKey } } as const)
        : ({ ok: false, alert: 46, reason: "another key" } as const),
  };
  const credential = (serverKey: Uint8Array): SecurityCredential => ({
    mode: SecurityMode.rawPublicKey,
    identity: device.publicKey,
    serverKey,
    secret: device.privateDer,
  });
  const world = await openSecureWorld(realm);
  await world.open({}, { serverUri: secureUri, serverCredential: credential(server.publicKey) });
  assert.equal(registrations(world.server.seen), 1);
  const deceived = await world.open({}, { endpointName: "two", serverUri: secureUri, serverCredential: credential(stranger.publicKey) });
  await world.clock.advance(5_000);
  assert.equal(deceived.isRegistered(), false);
  assert.match(world.log.join("\n"), /certificate-refused.*another one/);
  await world.close();
});
