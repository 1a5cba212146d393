import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Presented, ServerRealm } from "@lwm2m/protocol/dtls/credentials-contract";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import type { ClientSettings, Lwm2mClientOptions, StoredDevice } from "../client-options.ts";
import { usualDtls } from "../security/dtls-client-settings.ts";
import { type SecurityCredential, SecurityMode } from "../security/security-credential.ts";
import { anIdentity, openSecureWorld, pskRealm, type SecureServer, type SecureWorld, secureUri, theKey } from "../testing/secure-world.ts";
import { openServer } from "../testing/world.ts";

const utf8 = new TextEncoder();
const managementPort = 5_685;
const managementUri = `coaps://192.0.2.1:${managementPort}`;
const otherKey = theKey.toReversed();
const bootstrapCredential: SecurityCredential = {
  mode: SecurityMode.psk,
  identity: utf8.encode("dev-bs"),
  serverKey: new Uint8Array(0),
  secret: theKey,
};
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");

/** What a bootstrap server writes to /0/0 and /1/0. */
function account(resources: readonly object[], uri = managementUri) {
  const senml = (records: readonly object[]) => ({
    contentFormat: ContentFormat.senmlJson,
    payload: utf8.encode(JSON.stringify(records)),
  });
  const security = senml([{ bn: "/0/0/", n: "0", vs: uri }, { n: "1", vb: false }, { n: "10", v: 101 }, ...resources]);
  const server = senml([
    { bn: "/1/0/", n: "0", v: 101 },
    { n: "1", v: 600 },
    { n: "6", vb: true },
    { n: "7", vs: "U" },
  ]);
  return { security, server };
}

const pskResources = (identity: string, key: Uint8Array) => [
  { n: "2", v: 0 },
  { n: "3", vd: base64(utf8.encode(identity)) },
  { n: "4", vd: "" },
  { n: "5", vd: base64(key) },
];

interface Run {
  readonly world: SecureWorld;
  readonly management: SecureServer;
  /** The answer to Finish. */
  readonly finish: string;
  readonly kept: StoredDevice[];
}

async function bootstrap(realm: ServerRealm, resources: readonly object[], options: Partial<Lwm2mClientOptions> = {}): Promise<Run> {
  const world = await openSecureWorld(pskRealm("dev-bs"));
  const management = await world.add(managementPort, realm);
  const kept: StoredDevice[] = [];
  const settings: Partial<ClientSettings> = {};
  const store = (state: StoredDevice): number => kept.push(state);
  await world.open(settings, { serverUri: undefined, bootstrapUri: secureUri, bootstrapCredential, store, ...options });
  const { security, server } = account(resources);
  assert.deepEqual(world.server.seen, ["0s POST /bs?ep=dev&pct=0"]);
  assert.equal(await world.server.ask(Method.put, "/0/0", security), "2.04");
  assert.equal(await world.server.ask(Method.put, "/1/0", server), "2.04");
  const finish = await world.server.ask(Method.post, "/bs");
  await world.clock.advance(3_000);
  return { world, management, finish, kept };
}

test("LwM2M Core 1.1 §6.1: bootstraps over DTLS and registers with the PSK it was given", async () => {
  const { world, management, finish } = await bootstrap(pskRealm("dev-101", otherKey), pskResources("dev-101", otherKey));
  assert.equal(finish, "2.04");
  assert.match(management.scripted.seen.at(-1) ?? "", /POST \/rd\?ep=dev&lwm2m=1\.1&lt=600&b=U$/);
  assert.deepEqual(world.secure.story, ["connected"]);
  // The bootstrap session stays until nobody can repeat Finish any more.
  await world.clock.advance(250_000);
  assert.deepEqual(world.secure.story, ["connected", "closed: close-notify"]);
  await world.close();
});

test("object 0, resources 3 to 5: a raw public key that a bootstrap server wrote is used", async () => {
  const [server, device] = [anIdentity("server", 0), anIdentity("dev", 0)];
  const { world, management } = await bootstrap(
    { own: server, clientTypes: ["rpk"], verifyClient: (presented) => judged(presented, device.publicKey) },
    [
      { n: "2", v: 1 },
      { n: "3", vd: base64(device.publicKey) },
      { n: "4", vd: base64(server.publicKey) },
      { n: "5", vd: base64(device.privateDer) },
    ],
  );
  assert.equal(management.scripted.client.identity.kind, "rpk");
  await world.close();
});

test("object 0, resources 13 to 16: certificate by its SHA-256, with the server name and the suite that were written", async () => {
  const [server, device] = [anIdentity("lwm2m.example", 1_000), anIdentity("dev", 1_000)];
  const { world, management } = await bootstrap(
    {
      own: { ...server, chain: [server.certificate] },
      clientTypes: ["x509"],
      verifyClient: (presented) => judged(presented, device.certificate),
    },
    [
      { n: "2", v: 2 },
      { n: "3", vd: base64(device.certificate) },
      { n: "4", vd: createHash("sha256").update(server.certificate).digest("base64url") },
      { n: "5", vd: base64(device.privateDer) },
      { n: "13", v: 1 },
      { n: "14", vs: "lwm2m.example" },
      { n: "15", v: 3 },
      { n: "16/0", v: 0xc02b },
    ],
  );
  const [connected] = management.news;
  assert.ok(connected?.kind === "connected");
  assert.equal(connected.cipherSuite, 0xc02b);
  assert.equal(connected.peer.association?.serverName, "lwm2m.example");
  assert.match(management.scripted.seen.at(-1) ?? "", /POST \/rd\?ep=dev/);
  await world.close();
});

test("LwM2M Core 1.1 §6.1.7.7: a configuration whose keys are none is refused at Finish", async () => {
  const tables: readonly (readonly [readonly object[], string])[] = [
    [pskResources("dev-101", new Uint8Array(0)), "4.06 /0/0: a PSK of 0 bytes"],
    [pskResources("", theKey), "4.06 /0/0: a PSK identity of 0 bytes"],
    [[{ n: "2", v: 3 }], "4.06 /0/0: a coaps URI with security mode 3 (NoSec)"],
    [[{ n: "2", v: 4 }], "4.06 /0/0: security mode 4 is not supported"],
    [[{ n: "2", v: 1 }, ...pskResources("", theKey).slice(1)], "4.06 /0/0: a private key that is none (PEM, or DER as PKCS #8 or SEC 1)"],
    [[...pskResources("dev-101", theKey), { n: "16/0", v: 0xc0ae }], "4.06 /0/0: none of the cipher suites is for security mode 0"],
  ];
  for (const [resources, expected] of tables) {
    const { world, finish, kept } = await bootstrap(pskRealm("dev-101"), resources);
    assert.equal(finish, expected);
    assert.deepEqual(kept, []);
    await world.close();
  }
});

test("what a bootstrap server wrote outlives the process, and only a factory reset ends it", async () => {
  const first = await bootstrap(pskRealm("dev-101", otherKey), pskResources("dev-101", otherKey));
  const stored: StoredDevice = JSON.parse(JSON.stringify(first.kept.at(-1)));
  await first.world.close();
  const world = await openSecureWorld(pskRealm("dev-bs"));
  const management = await world.add(managementPort, pskRealm("dev-101", otherKey));
  const kept: StoredDevice[] = [];
  const store = (state: StoredDevice): number => kept.push(state);
  const again = { serverUri: undefined, bootstrapUri: secureUri, bootstrapCredential, stored, store };
  await world.open({}, again);
  assert.equal(world.server.seen.length, 0);
  assert.match(management.scripted.seen.at(-1) ?? "", /POST \/rd\?ep=dev&lwm2m=1\.1&lt=600&b=U$/);
  assert.equal(await management.scripted.ask(Method.post, "/3/0/5"), "2.04");
  await world.clock.advance(5_000);
  assert.deepEqual(kept, [{}]);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/bs\?ep=dev/);
  await world.close();
});

test("stored accounts that are none are left aside", async () => {
  const world = await openSecureWorld(pskRealm("dev-bs"));
  const stored: StoredDevice = { accounts: [["/0/0/2", "psk"]] };
  await world.open({}, { serverUri: undefined, bootstrapUri: secureUri, bootstrapCredential, stored });
  assert.match(world.log.join("\n"), /stored accounts do not fit/);
  assert.deepEqual(world.server.seen, ["0s POST /bs?ep=dev&pct=0"]);
  await world.close();
});

test("RFC 5246 §7.2.1: a bootstrap session that the server ends is begun again", async () => {
  const world = await openSecureWorld(pskRealm("dev-bs"));
  const dtls = { ...usualDtls, connectionIdBytes: 4 };
  await world.open({}, { serverUri: undefined, bootstrapUri: secureUri, bootstrapCredential, dtls });
  world.secure.dtls.disconnectWhere(() => true);
  await world.clock.advance(7_000);
  assert.deepEqual(world.secure.story, ["connected", "closed: credential-removed", "resumed"]);
  assert.equal(world.server.seen.length, 2);
  await world.close();
});

test("LwM2M Core 1.1 §6.1: from a bootstrap server in the clear to a secured server, and back on demand", async () => {
  const world = await openSecureWorld(pskRealm("dev-101"));
  const open = openServer(world.clock, world.network.socket({ address: "192.0.2.1", port: 5_683 }), seededRandom(3));
  await world.open({}, { serverUri: undefined, bootstrapUri: "coap://192.0.2.1" });
  const { security, server } = account(pskResources("dev-101", theKey), secureUri);
  assert.equal(await open.ask(Method.put, "/0/0", security), "2.04");
  assert.equal(await open.ask(Method.put, "/1/0", server), "2.04");
  assert.equal(await open.ask(Method.post, "/bs"), "2.04");
  await world.clock.advance(2_000);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/rd\?ep=dev/);
  assert.equal(await world.server.ask(Method.post, "/1/0/9"), "2.04");
  await world.clock.advance(2_000);
  assert.equal(open.seen.length, 2);
  assert.deepEqual(world.secure.story, ["connected", "closed: close-notify"]);
  await open.endpoint.close();
  await world.close();
});

function judged(presented: Presented, wanted: Uint8Array) {
  const shown = presented.kind === "rpk" ? presented.publicKey : presented.chain[0];
  if (shown === undefined || Buffer.compare(shown, wanted) !== 0) return { ok: false, alert: 46, reason: "another key" } as const;
  if (presented.kind === "rpk") return { ok: true, identity: { kind: "rpk", publicKey: shown } } as const;
  const identity = { kind: "x509", certificate: shown, commonName: "dev", dnsNames: [], uris: [], anchorSha256: undefined } as const;
  return { ok: true, identity } as const;
}
