import assert from "node:assert/strict";
import { test } from "node:test";
import { AlertDescription } from "../constants.ts";
import { everySuite } from "../crypto/suites.ts";
import { accept, ownKey, provenParties, pskIdentity, pskKey, pskParties } from "../testing/handshake-parties.ts";
import type { HandshakeWorld } from "../testing/handshake-world.ts";
import { connect, ecdsaSuite, fail, only, partiesFor, pskSuite } from "./handshake-fixture.ts";

for (const suite of everySuite()) {
  test(`RFC 5246 §7.3: ${suite.name}, both sides end with the same keys, after one cookie`, async () => {
    const world = await connect({ ...partiesFor(suite.keyExchange), ...only(suite.id) });
    assert.deepEqual([world.cookies, world.client.facts?.cipherSuite, world.server.facts?.cipherSuite], [1, suite.id, suite.id]);
    assert.deepEqual([world.client.facts?.resumed, world.client.facts?.extendedMasterSecret], [false, true]);
  });
}

test("RFC 4279 §2: each side names the PSK identity as what the other proved", async () => {
  const world = await connect(pskParties());
  const identity = { kind: "psk", identity: pskIdentity };
  assert.deepEqual(world.server.facts?.peerIdentity, { ...identity, identity: new Uint8Array(pskIdentity) });
  assert.deepEqual(world.client.facts?.peerIdentity, identity);
});

test("RFC 4279 §5.2: an identity hint is sent and ignored", async () => {
  const { credentials, realm } = pskParties();
  await connect({ credentials, realm: { ...realm, pskIdentityHint: Buffer.from("which?") } });
});

for (const kind of ["rpk", "x509"] as const) {
  for (const type of ["p256", "p384", "ed25519"] as const) {
    test(`RFC 7250 §4, RFC 8422 §5: mutual ${kind} with ${type} keys`, async () => {
      const world = await connect(provenParties(kind, type, type));
      assert.deepEqual([world.client.facts?.peerIdentity?.kind, world.server.facts?.peerIdentity?.kind], [kind, kind]);
    });
  }
}

for (const [serverKind, clientKind] of [
  ["x509", "rpk"],
  ["rpk", "x509"],
] as const) {
  test(`RFC 7250 §4: a server with ${serverKind} and a client with ${clientKind}`, async () => {
    const credentials = { own: ownKey(clientKind), verifyServer: accept, serverTypes: [serverKind] } as const;
    const world = await connect({ credentials, realm: { own: ownKey(serverKind), verifyClient: accept } });
    assert.deepEqual([world.client.facts?.peerIdentity?.kind, world.server.facts?.peerIdentity?.kind], [serverKind, clientKind]);
  });
}

test("RFC 5246 §7.4.6: an RSA client proves itself to an ECDSA server", async () => {
  const world = await connect(provenParties("x509", "p256", "rsa"));
  assert.equal(world.server.facts?.peerIdentity?.kind, "x509");
});

test("RFC 5246 §7.4.4: a client stays anonymous where no authentication is asked", async () => {
  const credentials = { verifyServer: accept, serverTypes: ["rpk"] } as const;
  const world = await connect({ credentials, realm: { own: ownKey("rpk"), clientAuthentication: "none" } });
  assert.equal(world.server.facts?.peerIdentity, undefined);
  assert.equal(world.client.facts?.peerIdentity?.kind, "rpk");
});

test("RFC 5246 §7.4.6: a client without certificate is refused with handshake_failure", async () => {
  const { realm } = provenParties("x509");
  const world = await fail({ credentials: { verifyServer: accept }, realm });
  assert.deepEqual([world.server.failure, world.server.alerts], ["no-certificate", [AlertDescription.handshakeFailure]]);
  assert.deepEqual([world.client.failure, world.client.alerts], ["alert-received", []]);
});

test("RFC 7250 §4.2: no form of key in common is unsupported_certificate", async () => {
  const { realm } = provenParties("x509");
  const world = await fail({ credentials: { own: ownKey("rpk"), verifyServer: accept, serverTypes: ["x509"] }, realm });
  assert.deepEqual([world.server.failure, world.server.alerts], ["no-common-parameters", [AlertDescription.unsupportedCertificate]]);
});

test("RFC 5246 §7.2.2: what the verifier refuses gets the alert it names, from either side", async () => {
  const parties = provenParties("rpk");
  const refusal = { ok: false, alert: AlertDescription.accessDenied, reason: "not one of ours" } as const;
  const byServer = await fail({ ...parties, realm: { ...parties.realm, verifyClient: () => refusal } });
  assert.deepEqual([byServer.server.failure, byServer.server.alerts], ["certificate-refused", [AlertDescription.accessDenied]]);
  const byClient = await fail({ ...parties, credentials: { ...parties.credentials, verifyServer: () => refusal } });
  assert.deepEqual([byClient.client.failure, byClient.client.alerts], ["certificate-refused", [AlertDescription.accessDenied]]);
  assert.equal(byClient.server.failure, "alert-received");
});

test("RFC 7250 §3: bytes that are no key are bad_certificate", async () => {
  const { realm, credentials } = provenParties("rpk");
  const broken = { ...ownKey("rpk"), publicKey: Uint8Array.of(1, 2, 3) };
  const world = await fail({ credentials: { ...credentials, own: broken }, realm });
  assert.deepEqual([world.server.failure, world.server.alerts], ["certificate-refused", [AlertDescription.badCertificate]]);
});

test("RFC 5246 §7.4.8: a certificate without its private key is no proof", async () => {
  const { realm, credentials } = provenParties("rpk");
  const stolen = { ...ownKey("rpk"), publicKey: ownKey("rpk").publicKey };
  const world = await fail({ credentials: { ...credentials, own: stolen }, realm });
  assert.deepEqual([world.server.failure, world.server.alerts], ["bad-signature", [AlertDescription.decryptError]]);
});

test("RFC 8422 §5.4: a server whose signature is not by its certificate's key is refused", async () => {
  const { realm, credentials } = provenParties("rpk");
  const stolen = { ...ownKey("rpk"), publicKey: ownKey("rpk").publicKey };
  const world = await fail({ credentials, realm: { ...realm, own: stolen } });
  assert.deepEqual([world.client.failure, world.client.alerts], ["bad-signature", [AlertDescription.decryptError]]);
});

test("RFC 4279 §2: an unknown identity and a wrong key get the same flights at the same times, and no alert", async () => {
  const wrongKey = await fail(pskParties(Buffer.from("another key here")));
  const { realm } = pskParties();
  const unknown = await fail({ credentials: { psk: { identity: Buffer.from("urn:dev:2"), key: pskKey } }, realm });
  const seen = ({ sent, server, client }: HandshakeWorld) => ({
    datagrams: sent.map(({ from, records }) => [from, records.map(({ type, epoch, fragment }) => [type, epoch, fragment.length])]),
    times: [server.sentAt, client.sentAt],
    ends: [server.failure, client.failure, server.alerts],
  });
  assert.deepEqual(seen(unknown), seen(wrongKey));
  assert.deepEqual(seen(unknown).ends, ["psk-mismatch", "psk-mismatch", []]);
});

test("§4.18 of the plan: what the server says of it to its operator, and to nobody else, is the identity, and whether anybody has it", async () => {
  const { realm } = pskParties();
  const wrongKey = await fail(pskParties(Buffer.from("another key here")));
  const unknown = await fail({ credentials: { psk: { identity: Buffer.from("dev \n\u{1F600} 2"), key: pskKey } }, realm });
  assert.equal(wrongKey.server.reason, 'nothing could be opened: the client has another key for PSK identity "urn:dev:1"');
  assert.equal(unknown.server.reason, 'nobody has the PSK identity "dev \\n\u{1F600} 2"');
});

for (const identity of [new Uint8Array(0), new Uint8Array(129).fill(0x61)]) {
  test(`RFC 7925 §4.2: an identity of ${identity.length} bytes is nobody's, and nobody is asked`, async () => {
    const { realm } = pskParties();
    const world = await fail({ credentials: { psk: { identity, key: pskKey } }, realm });
    assert.deepEqual([world.server.questions, world.server.failure], [[], "psk-mismatch"]);
  });
}

test("RFC 6066 §3: the name selects the realm, its echo is empty; an unknown one is unrecognized_name", async () => {
  const { credentials, realm } = pskParties();
  const asked: (string | undefined)[] = [];
  const realmOf = (name: string | undefined) => {
    asked.push(name);
    return name === "a.example" ? realm : undefined;
  };
  const world = await connect({ credentials: { ...credentials, serverName: "a.example" }, realm: {}, realmOf });
  assert.deepEqual([asked, world.server.facts?.serverName, world.client.facts?.serverName], [["a.example"], "a.example", "a.example"]);
  const other = await fail({ credentials: { ...credentials, serverName: "b.example" }, realm: {}, realmOf });
  assert.deepEqual([other.server.failure, other.server.alerts], ["unknown-name", [AlertDescription.unrecognizedName]]);
});

test("RFC 5246 §7.4.1.3: no suite in common is handshake_failure", async () => {
  const world = await fail({ ...pskParties(), clientSettings: { cipherSuites: [0xc0a4] }, serverSettings: { cipherSuites: [pskSuite] } });
  assert.deepEqual([world.server.failure, world.server.alerts], ["no-common-parameters", [AlertDescription.handshakeFailure]]);
});

test("RFC 5246 §7.4.1.3: the server's order of suites decides", async () => {
  const serverSettings = { cipherSuites: [0x00a8, pskSuite] };
  const world = await connect({ ...pskParties(), clientSettings: { cipherSuites: [pskSuite, 0x00a8] }, serverSettings });
  assert.equal(world.client.facts?.cipherSuite, 0x00a8);
});

test("RFC 8422 §5.1: no group in common is handshake_failure; x25519 and P-384 are spoken", async () => {
  for (const group of [29, 24]) {
    await connect({
      ...provenParties("rpk", "ed25519", "ed25519"),
      ...only(ecdsaSuite),
      clientSettings: { groups: [group], cipherSuites: [ecdsaSuite] },
    });
  }
  const world = await fail({ ...pskParties(), clientSettings: { cipherSuites: [0xd003], groups: [23] }, serverSettings: { groups: [29] } });
  assert.equal(world.server.failure, "no-common-parameters");
});

test("RFC 9146 §3: each side gets the id it asked for, also an empty one", async () => {
  const ids = { clientId: Buffer.from("c1"), serverId: Buffer.from("server-1") };
  const world = await connect({ ...pskParties(), ...ids });
  assert.equal(Buffer.from(world.client.keys?.connectionIds?.peer ?? []).toString(), "server-1");
  const empty = await connect({ ...pskParties(), ...ids, clientId: new Uint8Array(0) });
  assert.deepEqual(empty.server.keys?.connectionIds, { own: ids.serverId, peer: new Uint8Array(0), draft: false });
});

test("RFC 9146 §3: no ids when one side has none to give", async () => {
  const world = await connect({ ...pskParties(), clientId: Buffer.from("c1") });
  assert.equal(world.client.keys?.connectionIds, undefined);
  const off = await connect({
    ...pskParties(),
    clientId: Buffer.from("c1"),
    serverId: Buffer.from("s1"),
    serverSettings: { connectionIdBytes: undefined },
  });
  assert.equal(off.server.keys?.connectionIds, undefined);
});

test("RFC 6066 §4: max_fragment_length bounds records both ways, handshake records too", async () => {
  const { credentials, realm } = provenParties("x509");
  const chain = [...(realm.own?.chain ?? []), ...(credentials.own?.chain ?? []), ...(realm.own?.chain ?? [])];
  const own = { ...ownKey("x509"), ...realm.own, chain };
  const world = await connect({ credentials, realm: { ...realm, own }, clientSettings: { maxFragmentLength: 512 } });
  assert.deepEqual([world.client.keys?.largestSendBytes, world.server.keys?.largestSendBytes], [512, 512]);
  const largest = Math.max(
    ...world.sent.filter(({ from }) => from === "server").flatMap(({ records }) => records.map(({ fragment }) => fragment.length)),
  );
  assert.equal(largest, 512);
});

test("RFC 8449 §4: record_size_limit bounds what its sender receives, and overrules max_fragment_length", async () => {
  const clientSettings = { recordSizeLimit: 300, maxFragmentLength: 512 } as const;
  const world = await connect({ ...pskParties(), clientSettings, serverSettings: { recordSizeLimit: 1_000 } });
  assert.deepEqual([world.server.keys?.largestSendBytes, world.client.keys?.largestSendBytes], [300, 1_000]);
});

test("RFC 7627 §5.3: a peer without extended master secret is refused when it is required", async () => {
  const withoutIt = { requireExtendedMasterSecret: false };
  const world = await connect({ ...pskParties(), clientSettings: withoutIt, serverSettings: withoutIt });
  assert.equal(world.client.facts?.extendedMasterSecret, true);
});

test("RFC 7366 §3: CBC goes with encrypt_then_mac, AEAD without", async () => {
  const cbc = await connect({ ...pskParties(), ...only(0x00ae) });
  assert.equal(cbc.server.keys?.encryptThenMac, true);
  const aead = await connect({ ...pskParties(), ...only(0x00ae, pskSuite), serverSettings: { cipherSuites: [pskSuite] } });
  assert.equal(aead.server.keys?.encryptThenMac, false);
});
