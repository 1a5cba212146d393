import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { AlertDescription } from "../constants.ts";
import type { ResumableSession, Verdict } from "../credentials-contract.ts";
import { issue, makeTestAuthority, makeTestKey, pemOf, sha256 } from "../testing/test-authority.ts";
import { trustAnchorOf } from "../x509/verify-chain.ts";
import { X509Error } from "../x509/x509-error.ts";
import { type ClientTrust, clientVerifier } from "./client-verifier.ts";
import { KeyCache } from "./key-cache.ts";
import { makeOwnKey, readCertificates, readPrivateKey } from "./own-key.ts";
import { CertificateUsage, type ServerTrust, serverVerifier } from "./server-verifier.ts";
import { SessionMemory } from "./session-memory.ts";

const root = makeTestAuthority("root");
const line = issue(root, { commonName: "line", authority: 0 });
const device = issue(line, { commonName: "device", uris: ["urn:dev:os:1"], dnsNames: ["device.example"] });
const server = issue(line, { commonName: "server", dnsNames: ["lwm2m.example", "*.wild.example"] });

function alertOf(verdict: Verdict): number | "accepted" {
  return verdict.ok ? "accepted" : verdict.alert;
}

describe("what a client presents to a server", () => {
  const known = makeTestKey();
  const selfSigned = makeTestAuthority("alone");
  const trust: ClientTrust = {
    anchors: [trustAnchorOf(root.certificate)],
    isKnownKey: async (hash) => Buffer.from(hash).equals(sha256(known.publicKey)),
    isKnownCertificate: (hash) => Buffer.from(hash).equals(sha256(selfSigned.certificate)),
  };
  const verify = clientVerifier({ trust, clock: new VirtualClock(), keys: new KeyCache(8) });

  it("RFC 7250 §4.2: a raw key is accepted when it is known", async () => {
    const verdict = await verify({ kind: "rpk", publicKey: known.publicKey });
    assert(verdict.ok && verdict.identity.kind === "rpk");
    assert.deepEqual(verdict.identity.publicKey, known.publicKey);
    assert.equal(alertOf(await verify({ kind: "rpk", publicKey: makeTestKey().publicKey })), AlertDescription.certificateUnknown);
    assert.equal(alertOf(await verify({ kind: "rpk", publicKey: Uint8Array.of(0x30, 0) })), AlertDescription.badCertificate);
  });

  it("a chain gives the identity of its leaf and the authority it ends at", async () => {
    const verdict = await verify({ kind: "x509", chain: device.chain });
    assert(verdict.ok && verdict.identity.kind === "x509");
    const { commonName, uris, dnsNames, anchorSha256 } = verdict.identity;
    assert.deepEqual({ commonName, uris, dnsNames }, { commonName: "device", uris: ["urn:dev:os:1"], dnsNames: ["device.example"] });
    assert.deepEqual(anchorSha256, sha256(root.publicKey));
  });

  it("a certificate trusted by itself needs no authority", async () => {
    const verdict = await verify({ kind: "x509", chain: [selfSigned.certificate] });
    assert(verdict.ok && verdict.identity.kind === "x509");
    assert.equal(verdict.identity.anchorSha256, undefined);
    assert.equal(alertOf(await verify({ kind: "x509", chain: [makeTestAuthority("alone").certificate] })), AlertDescription.unknownCa);
  });

  it("no certificate is no identity", async () => {
    assert.equal(alertOf(await verify({ kind: "x509", chain: [] })), AlertDescription.badCertificate);
  });
});

describe("what a server presents to a client (LwM2M Core 1.1 §5.2.8.7)", () => {
  const anchors = [trustAnchorOf(root.certificate)];
  const other = issue(makeTestAuthority("other"), { commonName: "server", dnsNames: ["lwm2m.example"] });
  const { authorityConstraint, serviceConstraint, trustAnchor, domainIssued } = CertificateUsage;
  const sha512 = (bytes: Uint8Array) => new Uint8Array(createHash("sha512").update(bytes).digest());
  const table: readonly (readonly [string, Partial<ServerTrust>, "accepted" | keyof typeof AlertDescription])[] = [
    ["0: the authority is on the path", { usage: authorityConstraint, reference: line.certificate, anchors }, "accepted"],
    ["0: the authority is the anchor, which is not sent", { usage: authorityConstraint, reference: root.certificate, anchors }, "accepted"],
    ["0: the authority by hash", { usage: authorityConstraint, reference: sha256(line.certificate), matchingType: 1, anchors }, "accepted"],
    ["0: another authority", { usage: authorityConstraint, reference: makeTestAuthority("x").certificate, anchors }, "unknownCa"],
    ["0: no anchor of the client's own", { usage: authorityConstraint, reference: line.certificate, anchors: [] }, "unknownCa"],
    ["1: the certificate, under an anchor", { usage: serviceConstraint, reference: server.certificate, anchors }, "accepted"],
    ["1: the certificate, under no anchor", { usage: serviceConstraint, reference: server.certificate, anchors: [] }, "unknownCa"],
    ["1: another certificate", { usage: serviceConstraint, reference: other.certificate, anchors }, "certificateUnknown"],
    ["2: the anchor", { usage: trustAnchor, reference: root.certificate }, "accepted"],
    ["2: an intermediate as anchor, by hash", { usage: trustAnchor, reference: sha512(line.certificate), matchingType: 3 }, "accepted"],
    ["2: another anchor", { usage: trustAnchor, reference: other.certificate }, "unknownCa"],
    [
      "3: the certificate, whatever its name",
      { usage: domainIssued, reference: server.certificate, host: "elsewhere.example" },
      "accepted",
    ],
    ["3 is the default", { reference: server.certificate }, "accepted"],
    ["3: another certificate", { reference: other.certificate }, "certificateUnknown"],
    ["the right name", { usage: trustAnchor, reference: root.certificate, host: "LWM2M.example" }, "accepted"],
    ["a wildcard name", { usage: trustAnchor, reference: root.certificate, host: "a.wild.example" }, "accepted"],
    ["a wildcard for one label only", { usage: trustAnchor, reference: root.certificate, host: "a.b.wild.example" }, "badCertificate"],
    ["another name", { usage: trustAnchor, reference: root.certificate, host: "evil.example" }, "badCertificate"],
    ["an address that is no name", { usage: trustAnchor, reference: root.certificate, host: "127.0.0.1" }, "badCertificate"],
    ["an unknown matching type", { reference: server.certificate, matchingType: 9 }, "certificateUnknown"],
  ];
  for (const [title, trust, expected] of table) {
    it(`${title}: ${expected}`, () => {
      const verdict = serverVerifier({ reference: new Uint8Array(), now: () => 1_700_000_000_000, ...trust })({
        kind: "x509",
        chain: server.chain,
      });
      assert.equal(alertOf(verdict), expected === "accepted" ? expected : AlertDescription[expected], verdict.ok ? "" : verdict.reason);
    });
  }

  it("a raw key is compared whole or by hash", () => {
    const key = makeTestKey();
    const now = () => undefined;
    const presented = { kind: "rpk", publicKey: key.publicKey } as const;
    assert.equal(alertOf(serverVerifier({ reference: key.publicKey, now })(presented)), "accepted");
    assert.equal(alertOf(serverVerifier({ reference: sha256(key.publicKey), matchingType: 1, now })(presented)), "accepted");
    assert.equal(alertOf(serverVerifier({ reference: makeTestKey().publicKey, now })(presented)), AlertDescription.certificateUnknown);
  });
});

describe("own keys", () => {
  it("are read from PEM, PKCS #8 and SEC 1, and fit their chain", () => {
    const { privateKey, chain, publicKey } = device;
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const pkcs8 = new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" }));
    const sec1 = new Uint8Array(privateKey.export({ type: "sec1", format: "der" }));
    const certificates = readCertificates(chain.map((der) => pemOf("CERTIFICATE", der)).join("\n"));
    for (const source of [pem, pkcs8, sec1]) assert.deepEqual(makeOwnKey(readPrivateKey(source), certificates).publicKey, publicKey);
  });

  it("that are none, or of another certificate, are refused without a byte of them", () => {
    assert.throws(
      () => readPrivateKey("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"),
      (error) => {
        assert(error instanceof X509Error);
        return !error.message.includes("c2VjcmV0");
      },
    );
    assert.throws(() => readPrivateKey(Uint8Array.of(1, 2, 3)), X509Error);
    assert.throws(() => readCertificates("nothing"), X509Error);
    assert.throws(() => makeOwnKey(server.privateKey, device.chain), X509Error);
  });
});

describe("sessions to resume", () => {
  const sessionOf = (id: number, madeAt: number): ResumableSession => ({
    sessionId: Uint8Array.of(id),
    masterSecret: new Uint8Array(48).fill(id),
    cipherSuite: 0xc0a8,
    extendedMasterSecret: true,
    encryptThenMac: false,
    maxFragmentLength: undefined,
    serverName: undefined,
    identity: { kind: "psk", identity: Uint8Array.of(id) },
    madeAt,
  });

  it("are bounded in number and age, and forgotten by identity", async () => {
    const clock = new VirtualClock();
    const memory = new SessionMemory({ most: 2, lifetimeMs: 1_000 }, clock);
    for (const id of [1, 2, 3]) memory.keep(sessionOf(id, clock.now()));
    assert.deepEqual(
      [1, 2, 3].map((id) => memory.find(Uint8Array.of(id)) !== undefined),
      [false, true, true],
    );
    memory.forget(({ identity }) => identity?.kind === "psk" && identity.identity[0] === 2);
    assert.equal(memory.find(Uint8Array.of(2)), undefined);
    await clock.advance(1_000);
    assert.equal(memory.find(Uint8Array.of(3)), undefined);
    assert.equal(memory.size, 0);
  });

  it("that are dropped leave a handshake under way its secret", () => {
    const clock = new VirtualClock();
    const memory = new SessionMemory({ most: 2, lifetimeMs: 1_000 }, clock);
    memory.keep(sessionOf(7, clock.now()));
    const found = memory.find(Uint8Array.of(7));
    memory.forget(() => true);
    assert.deepEqual(found?.masterSecret, new Uint8Array(48).fill(7));
  });
});

describe("imported keys", () => {
  it("are bounded in number, and a bad one is never kept", () => {
    const cache = new KeyCache(1);
    const [one, two] = [makeTestKey().publicKey, makeTestKey().publicKey];
    assert.equal(cache.import(one), cache.import(one));
    const first = cache.import(one);
    cache.import(two);
    assert.notEqual(cache.import(one), first);
    assert.throws(() => cache.import(Uint8Array.of(0)), X509Error);
  });
});
