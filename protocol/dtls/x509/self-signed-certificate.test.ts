import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { pemOf } from "../testing/test-authority.ts";
import { parseCertificate } from "./certificate.ts";
import { DerReader } from "./der.ts";
import { positiveInteger } from "./der-writer.ts";
import { makeSelfSignedCertificate, type SelfSignedWish } from "./self-signed-certificate.ts";
import { trustAnchorOf, verifyChain } from "./verify-chain.ts";
import { X509Error } from "./x509-error.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const now = 1_790_000_000_000;
const yearMs = 31_557_600_000;
const aWish = (wish: Partial<SelfSignedWish> = {}): SelfSignedWish => ({
  privateKey,
  commonName: "lwm2m.example",
  dnsNames: ["lwm2m.example"],
  notBefore: now,
  notAfter: now + 20 * yearMs,
  ...wish,
});

describe("a self-signed certificate", () => {
  const der = makeSelfSignedCertificate(aWish(), seededRandom(1));

  it("RFC 5280 §4.1: our reader takes it and finds the names, the times and the key", () => {
    const certificate = parseCertificate(der);
    assert.equal(certificate.version, 3);
    assert.equal(certificate.commonName, "lwm2m.example");
    assert.deepEqual([certificate.notBefore, certificate.notAfter], [now, now + 20 * yearMs]);
    assert.deepEqual(
      certificate.extensions.alternativeNames.map(({ text }) => text),
      ["lwm2m.example"],
    );
    assert.equal(certificate.extensions.basicConstraints?.authority, false);
    assert.deepEqual(certificate.extensions.extendedKeyUsage, ["1.3.6.1.5.5.7.3.1"]);
  });

  it("is signed by its own key, in the eyes of OpenSSL's reader and of our path check", () => {
    const seen = new X509Certificate(der);
    assert.equal(seen.verify(seen.publicKey), true);
    assert.equal(seen.subject, "CN=lwm2m.example");
    assert.equal(seen.ca, false);
    assert.equal(verifyChain([der], { anchors: [trustAnchorOf(der)], purpose: "server", now }).ok, true);
  });

  it("openssl verify takes it as its own anchor", (t) => {
    if (spawnSync("openssl", ["version"]).status !== 0) return t.skip("openssl is not installed");
    const directory = mkdtempSync(join(tmpdir(), "self-signed-"));
    try {
      const file = join(directory, "server.pem");
      writeFileSync(file, pemOf("CERTIFICATE", der));
      const { status, stderr } = spawnSync("openssl", [
        "verify",
        "-attime",
        String(now / 1000),
        "-purpose",
        "sslserver",
        "-CAfile",
        file,
        file,
      ]);
      assert.equal(status, 0, String(stderr));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("never has the same serial number twice", () => {
    const random = seededRandom(2);
    const [one, other] = [makeSelfSignedCertificate(aWish(), random), makeSelfSignedCertificate(aWish(), random)];
    assert.notEqual(new X509Certificate(one).serialNumber, new X509Certificate(other).serialNumber);
  });

  it("past 2049 its end is a GeneralizedTime (RFC 5280 §4.1.2.5)", () => {
    const notAfter = now + 60 * yearMs;
    assert.equal(parseCertificate(makeSelfSignedCertificate(aWish({ notAfter }), seededRandom(3))).notAfter, notAfter);
  });

  it("is refused for a key of another kind and for a name that does not fit", () => {
    const other = generateKeyPairSync("ed25519").privateKey;
    for (const wish of [aWish({ privateKey: other }), aWish({ commonName: "" }), aWish({ commonName: "n".repeat(65) })]) {
      assert.throws(() => makeSelfSignedCertificate(wish, seededRandom(4)), X509Error);
    }
  });
});

describe("X.690 §8.3.2: a positive INTEGER is written in its shortest form", () => {
  for (const [bytes, content] of [
    [[0], [0]],
    [[0, 0, 5], [5]],
    [
      [0x80, 1],
      [0, 0x80, 1],
    ],
    [[0x7f], [0x7f]],
    [[], [0]],
  ] as const) {
    it(`[${bytes.join(" ")}]`, () => {
      assert.deepEqual([...new DerReader(positiveInteger(Uint8Array.from(bytes))).next().content], [...content]);
    });
  }
});
