import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { AlertDescription } from "../constants.ts";
import {
  type CertificateWish,
  clientAuth,
  extension,
  issue,
  makeTestAuthority,
  nameOf,
  pemOf,
  serverAuth,
  type TestCertificate,
} from "../testing/test-authority.ts";
import { parseCertificate } from "./certificate.ts";
import { explicit, ia5, sequence } from "./der-writer.ts";
import { type ChainPolicy, type ChainVerdict, trustAnchorOf, verifyChain } from "./verify-chain.ts";
import { X509Error } from "./x509-error.ts";

const now = 1_700_000_000_000;
const dayMs = 86_400_000;
const root = makeTestAuthority("root");
const middle = issue(root, { commonName: "middle", authority: 0 });

function judge(chain: readonly Uint8Array[], policy: Partial<ChainPolicy> = {}): ChainVerdict {
  return verifyChain(chain, { anchors: [trustAnchorOf(root.certificate)], purpose: "client", now, ...policy });
}

function alertOf(verdict: ChainVerdict): number | "accepted" {
  return verdict.ok ? "accepted" : verdict.alert;
}

describe("a good path (RFC 5280 §6.1)", () => {
  for (const keyType of ["p256", "p384", "ed25519", "rsa"] as const) {
    it(`is accepted with ${keyType} keys throughout`, () => {
      const authority = makeTestAuthority("authority", { keyType });
      const device = issue(issue(authority, { commonName: "line", authority: 0, keyType }), { commonName: "device", keyType });
      const verdict = judge(device.chain, { anchors: [trustAnchorOf(authority.certificate)] });
      assert.equal(alertOf(verdict), "accepted");
    });
  }

  it("is found in a shuffled chain, with the root sent along and a stranger between", () => {
    const top = issue(root, { commonName: "top", authority: true });
    const device = issue(issue(top, { commonName: "line", authority: true }), { commonName: "device" });
    const [leaf, line, upper] = device.chain;
    assert(leaf !== undefined && line !== undefined && upper !== undefined);
    assert.equal(alertOf(judge([leaf, upper, root.certificate, line])), "accepted");
    assert.equal(alertOf(judge([leaf, upper, makeTestAuthority("stranger").certificate, line])), "accepted");
  });

  it("may end at an intermediate that is trusted itself", () => {
    const device = issue(middle, { commonName: "device" });
    assert.equal(alertOf(judge([device.certificate], { anchors: [trustAnchorOf(middle.certificate)] })), "accepted");
  });

  it("takes the right one of two authorities of one name", () => {
    const twin = makeTestAuthority("root");
    const device = issue(root, { commonName: "device" });
    assert.equal(alertOf(judge(device.chain, { anchors: [trustAnchorOf(twin.certificate), trustAnchorOf(root.certificate)] })), "accepted");
  });
});

type Defect = readonly [
  title: string,
  alert: keyof typeof AlertDescription | "accepted",
  chain: () => readonly Uint8Array[],
  policy?: Partial<ChainPolicy>,
];

const leafOf = (wish: CertificateWish, issuer: TestCertificate = middle) => issue(issuer, { commonName: "device", ...wish });
const constrained = (tag: 0 | 1, name: Uint8Array): CertificateWish => ({
  commonName: "constrained",
  authority: true,
  extensions: [extension("2.5.29.30", sequence(explicit(tag, sequence(name))), true)],
});
const permit = (name: Uint8Array) => issue(root, constrained(0, name));
const exclude = (name: Uint8Array) => issue(root, constrained(1, name));
const rename = (issuer: TestCertificate, wish: CertificateWish) => leafOf(wish, issuer).chain;

const defects: readonly Defect[] = [
  ["no certificate at all", "badCertificate", () => []],
  ["more than four certificates", "badCertificate", () => [...leafOf({}).chain, ...Array.from({ length: 3 }, () => root.certificate)]],
  ["an authority nobody knows", "unknownCa", () => leafOf({}, makeTestAuthority("other")).chain],
  ["its issuer missing", "unknownCa", () => [leafOf({}).certificate]],
  ["a damaged signature of the leaf", "badCertificate", () => leafOf({ damagedSignature: true }).chain],
  [
    "a damaged signature in the middle",
    "badCertificate",
    () => leafOf({}, issue(root, { commonName: "m", authority: true, damagedSignature: true })).chain,
  ],
  ["an authority that only has the right name", "badCertificate", () => leafOf({}, makeTestAuthority("root")).chain],
  ["an issuer name that is another's", "unknownCa", () => leafOf({ issuerName: nameOf("someone") }, root).chain],
  ["an expired leaf", "certificateExpired", () => leafOf({ notAfter: now - dayMs }).chain],
  ["a leaf of tomorrow", "certificateExpired", () => leafOf({ notBefore: now + dayMs }).chain],
  [
    "an expired issuer",
    "certificateExpired",
    () => leafOf({}, issue(root, { commonName: "m", authority: true, notAfter: now - dayMs })).chain,
  ],
  ["an expired leaf and no clock", "accepted", () => leafOf({ notAfter: now - dayMs }).chain, { now: undefined }],
  ["a leaf that expired within the skew", "accepted", () => leafOf({ notAfter: now - 1_000 }).chain, { skewMs: 2_000 }],
  ["an issuer without basicConstraints", "unknownCa", () => leafOf({}, issue(root, { commonName: "m", keyUsage: [5] })).chain],
  ["an issuer that says it is none", "unknownCa", () => leafOf({}, issue(root, { commonName: "m", authority: false })).chain],
  ["an issuer of version 1", "unknownCa", () => leafOf({}, issue(root, { commonName: "m", version: 1 })).chain],
  ["a leaf of version 1", "accepted", () => leafOf({ version: 1 }).chain],
  [
    "an issuer that may not sign certificates",
    "badCertificate",
    () => leafOf({}, issue(root, { commonName: "m", authority: true, keyUsage: [6] })).chain,
  ],
  ["a path longer than allowed", "badCertificate", () => leafOf({}, issue(middle, { commonName: "deep", authority: true })).chain],
  ["a leaf whose key may not sign", "unsupportedCertificate", () => leafOf({ keyUsage: [4] }).chain],
  ["a leaf for servers only", "unsupportedCertificate", () => leafOf({ extendedKeyUsage: [serverAuth] }).chain],
  ["a leaf for servers, as a server", "accepted", () => leafOf({ extendedKeyUsage: [serverAuth] }).chain, { purpose: "server" }],
  ["a leaf for clients", "accepted", () => leafOf({ extendedKeyUsage: [clientAuth] }).chain],
  ["a leaf for any purpose", "accepted", () => leafOf({ extendedKeyUsage: ["2.5.29.37.0"] }).chain],
  ["an unknown critical extension", "unsupportedCertificate", () => leafOf({ extensions: [extension("1.2.3.4", sequence(), true)] }).chain],
  ["an unknown extension that is not critical", "accepted", () => leafOf({ extensions: [extension("1.2.3.4", sequence())] }).chain],
  [
    "an extension twice",
    "badCertificate",
    () => leafOf({ extensions: [extension("1.2.3.4", sequence()), extension("1.2.3.4", sequence())] }).chain,
  ],
  ["a SHA-1 signature", "badCertificate", () => leafOf({ signature: "rsaSha1" }, rsaMiddle()).chain],
  ["a leaf that was taken back", "certificateRevoked", () => leafOf({}).chain, { isRevoked: ({ commonName }) => commonName === "device" }],
  ["a name its issuer permits", "accepted", () => rename(permit(ia5(0x82, "example.org")), { dnsNames: ["a.example.org"] })],
  ["a name its issuer does not permit", "badCertificate", () => rename(permit(ia5(0x82, "example.org")), { dnsNames: ["example.com"] })],
  ["a name its issuer excludes", "badCertificate", () => rename(exclude(ia5(0x82, "example.org")), { dnsNames: ["a.example.org"] })],
  ["a URI its issuer permits", "accepted", () => rename(permit(ia5(0x86, ".example.org")), { uris: ["coaps://a.example.org:5684/x"] })],
  ["a URI without a host under a constraint", "badCertificate", () => rename(permit(ia5(0x86, ".example.org")), { uris: ["urn:imei:1"] })],
  ["a subject its issuer permits", "accepted", () => rename(permit(explicit(4, nameOf("device"))), {})],
  ["a subject its issuer excludes", "badCertificate", () => rename(exclude(explicit(4, nameOf("device"))), {})],
  ["an address under an exclusion that cannot be compared", "accepted", () => rename(exclude(ia5(0x87, "\u0001\u0002\u0003\u0004")), {})],
];

function rsaMiddle(): TestCertificate {
  return issue(root, { commonName: "rsa", authority: true, keyType: "rsa" });
}

describe("a path with a defect (RFC 5280 §6.1; alerts of RFC 5246 §7.2.2)", () => {
  for (const [title, alert, chain, policy] of defects) {
    it(`${title}: ${alert}`, () => {
      const verdict = judge(chain(), policy);
      assert.equal(alertOf(verdict), alert === "accepted" ? alert : AlertDescription[alert], verdict.ok ? "" : verdict.reason);
    });
  }

  it("a tangle of equal names ends after a bounded number of signature checks", () => {
    const names = Array.from({ length: 3 }, () => makeTestAuthority("same", { authority: true }));
    const anchors = Array.from({ length: 30 }, () => trustAnchorOf(makeTestAuthority("same").certificate));
    const device = issue(names[0] ?? root, { commonName: "device" });
    const verdict = judge([device.certificate, ...names.map(({ certificate }) => certificate)], { anchors });
    assert.equal(alertOf(verdict), AlertDescription.badCertificate);
  });
});

describe("certificate bytes", () => {
  const device = issue(middle, { commonName: "Gerät 7", uris: ["urn:dev:os:7"], dnsNames: ["d.example"], extendedKeyUsage: [clientAuth] });

  it("are read as node:crypto reads them", () => {
    for (const der of [root.certificate, middle.certificate, device.certificate]) {
      const other = new X509Certificate(der);
      const own = parseCertificate(der);
      assert.equal(own.notBefore, globalThis.Date.parse(other.validFrom));
      assert.equal(own.notAfter, globalThis.Date.parse(other.validTo));
      assert.equal(`CN=${own.commonName}`, other.subject);
      assert.deepEqual(Buffer.from(own.publicKey), other.publicKey.export({ type: "spki", format: "der" }));
    }
  });

  it("throw X509Error alone when cut anywhere", () => {
    for (let length = 0; length < device.certificate.length; length++) {
      assert.throws(() => parseCertificate(device.certificate.subarray(0, length)), X509Error);
    }
  });

  it("with any byte changed are refused, and nothing else is thrown", () => {
    const random = seededRandom(7);
    for (let at = 0; at < device.certificate.length; at++) {
      const changed = Uint8Array.from(device.certificate);
      changed[at] = (changed[at] ?? 0) ^ (1 + Math.floor(random.fraction() * 255));
      const verdict = judge([changed, middle.certificate]);
      assert.equal(verdict.ok, false, `byte ${at}`);
    }
  });

  it("a name with a NUL is no name", () => {
    assert.equal(parseCertificate(issue(root, { commonName: "a\u0000b" }).certificate).commonName, undefined);
  });
});

describe("OpenSSL agrees", { skip: spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not installed" }, () => {
  // Its limits are others; a key for agreement alone is a client to it; anyExtendedKeyUsage is none; a URI without a host is outside every constraint.
  const judgedOtherwise = ["more than four", "issuer of version 1", "SHA-1", "extension twice", "may not sign", "any purpose", "URI"];
  const purposeOf = { client: "sslclient", server: "sslserver" } as const;
  for (const [title, alert, chain, policy] of defects) {
    // What OpenSSL judges by other rules: a tie on time, policies of ours and the length of the message.
    if (policy?.now === undefined && policy !== undefined && "now" in policy) continue;
    if (policy?.skewMs !== undefined || policy?.isRevoked !== undefined || chain().length === 0) continue;
    if (judgedOtherwise.some((word) => title.includes(word))) continue;
    it(`about ${title}`, () => {
      const directory = mkdtempSync(join(tmpdir(), "x509-"));
      try {
        const [leaf = new Uint8Array(), ...rest] = chain();
        writeFileSync(join(directory, "root.pem"), pemOf("CERTIFICATE", root.certificate));
        writeFileSync(join(directory, "rest.pem"), rest.map((der) => pemOf("CERTIFICATE", der)).join(""));
        writeFileSync(join(directory, "leaf.pem"), pemOf("CERTIFICATE", leaf));
        const options = ["-attime", String(now / 1000), "-purpose", purposeOf[policy?.purpose ?? "client"], "-CAfile", "root.pem"];
        const { status } = spawnSync(
          "openssl",
          ["verify", ...options, ...(rest.length > 0 ? ["-untrusted", "rest.pem"] : []), "leaf.pem"],
          {
            cwd: directory,
          },
        );
        assert.equal(status === 0, alert === "accepted", title);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  }
});
