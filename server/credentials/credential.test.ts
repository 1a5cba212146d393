import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { issue, makeTestAuthority, makeTestKey, pemOf } from "@lwm2m/protocol/dtls/testing/test-authority";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { Json } from "../storage/collection.ts";
import { lookupFor, lookupOf, readCredential } from "./credential.ts";
import { readIdentity, serverNamePattern } from "./server-identity.ts";
import { endpointBy, type NameSource, readTrustAnchor } from "./trust-anchor.ts";

type Body = { readonly [member: string]: Json };
const key16 = Buffer.from("a key of sixteen").toString("base64");
const psk: Body = { endpoint: "dev-1", kind: "psk", identity: "dev-1", key: key16 };
const device = issue(makeTestAuthority("root"), { commonName: "dev-1" });
const rpk: Body = { endpoint: "dev-1", kind: "rpk", publicKey: pemOf("PUBLIC KEY", device.publicKey) };
const x509: Body = { endpoint: "dev-1", kind: "x509", certificate: pemOf("CERTIFICATE", device.certificate) };
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const privatePem = device.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

describe("credentials as they are given", () => {
  test("RFC 4279 §5.1: an identity is text or any bytes", () => {
    const byText = readCredential(psk);
    const byBytes = readCredential({ ...psk, identity: undefined as never, identityBase64: base64(Uint8Array.of(0xff, 0)) });
    assert.ok(byText.ok && byBytes.ok);
    assert.equal(Buffer.from(byText.value.shown).toString(), "dev-1");
    assert.deepEqual(byBytes.value.shown, Uint8Array.of(0xff, 0));
  });

  test("a key is base64 or hexadecimal", () => {
    const read = readCredential({ endpoint: "dev-1", kind: "psk", identity: "i", keyHex: "00".repeat(32) });
    assert.deepEqual(read.ok && read.value.key, new Uint8Array(32));
  });

  for (const [title, body, member] of [
    ["PEM", rpk, device.publicKey],
    ["base64 of DER", { ...rpk, publicKey: base64(device.publicKey) }, device.publicKey],
    ["a certificate in PEM", x509, device.certificate],
    ["a certificate in base64", { ...x509, certificate: base64(device.certificate) }, device.certificate],
  ] as const) {
    test(`a public key is taken as ${title}`, () => {
      const read = readCredential(body);
      assert.deepEqual(read.ok && read.value.shown, member);
    });
  }

  const refused: readonly (readonly [string, Body, string])[] = [
    ["an identity of 129 bytes (LwM2M Transport 1.1 §5.2.8.1)", { ...psk, identity: "i".repeat(129) }, "/identity"],
    ["an identity twice", { ...psk, identityBase64: "AA==" }, ""],
    ["no identity", { endpoint: "dev-1", kind: "psk", key: key16 }, ""],
    ["an identity that is no base64", { endpoint: "dev-1", kind: "psk", identityBase64: "A", key: key16 }, "/identityBase64"],
    ["a key of 15 bytes", { ...psk, key: base64(new Uint8Array(15)) }, "/key"],
    ["a key of 65 bytes", { ...psk, key: base64(new Uint8Array(65)) }, "/key"],
    ["a key without padding", { ...psk, key: key16.replaceAll("=", "") }, "/key"],
    ["half a byte in hexadecimal", { endpoint: "dev-1", kind: "psk", identity: "i", keyHex: "0".repeat(33) }, "/keyHex"],
    ["a key twice", { ...psk, keyHex: "00".repeat(16) }, "/keyHex"],
    ["a key of a psk with an rpk", { ...rpk, key: key16 }, "/key"],
    ["a certificate in place of a key", { ...rpk, publicKey: pemOf("CERTIFICATE", device.certificate) }, "/publicKey"],
    ["a private key in place of a public one", { ...rpk, publicKey: privatePem }, "/publicKey"],
    ["a public key that is none", { ...rpk, publicKey: "AAAA" }, "/publicKey"],
    ["a public key too weak", { ...rpk, publicKey: base64(Uint8Array.of(0x30, 0)) }, "/publicKey"],
    ["half a certificate", { ...x509, certificate: base64(device.certificate.subarray(0, 100)) }, "/certificate"],
    ["two certificates", { ...x509, certificate: `${x509["certificate"]}${x509["certificate"]}` }, "/certificate"],
    ["no certificate", { endpoint: "dev-1", kind: "x509" }, ""],
    ["an endpoint name of 251 bytes", { ...psk, endpoint: "n".repeat(251) }, "/endpoint"],
    ["an endpoint name with NUL", { ...psk, endpoint: "a\0b" }, "/endpoint"],
    ["an endpoint name with half a character", { ...psk, endpoint: "\ud800" }, "/endpoint"],
  ];
  for (const [title, body, pointer] of refused) {
    test(`${title} is refused, and no key is repeated`, () => {
      const read = readCredential(body);
      assert.ok(!read.ok);
      assert.deepEqual([...new Set(read.faults.map((fault) => fault.pointer))], [pointer]);
      for (const secret of [key16, privatePem.slice(40, 80)]) assert.equal(JSON.stringify(read.faults).includes(secret), false);
    });
  }

  test("what a device shows in a handshake leads to what was given here", () => {
    const shown: readonly (readonly [SecureIdentity, string])[] = [
      [{ kind: "psk", identity: Uint8Array.of(1) }, lookupOf("psk", Uint8Array.of(1))],
      [{ kind: "rpk", publicKey: device.publicKey }, lookupOf("rpk", device.publicKey)],
      [certified({}), lookupOf("x509", device.certificate)],
    ];
    for (const [identity, lookup] of shown) assert.equal(lookupFor(identity), lookup);
    assert.equal(lookupFor(certified({ anchorSha256: new Uint8Array(32) })), undefined);
  });
});

function certified(more: Partial<SecureIdentity & { kind: "x509" }>): SecureIdentity & { kind: "x509" } {
  return {
    kind: "x509",
    certificate: device.certificate,
    commonName: undefined,
    dnsNames: [],
    uris: [],
    anchorSha256: undefined,
    ...more,
  };
}

describe("the endpoint name in a certificate", () => {
  const names = { commonName: "cn-1", dnsNames: ["a.example", "dev-2"], uris: ["urn:dev:ops:1", "https://x.example"] };
  const table: readonly (readonly [string, NameSource, string, string | undefined])[] = [
    ["the common name", "commonName", "", "cn-1"],
    ["the common name with its prefix", "commonName", "cn-", "cn-1"],
    ["the common name without the prefix", "commonName", "dev-", undefined],
    ["one of several DNS names by its prefix", "dnsName", "dev-", "dev-2"],
    ["several DNS names that fit: whose choice is it?", "dnsName", "", undefined],
    ["a URI by its prefix", "uri", "urn:dev:", "urn:dev:ops:1"],
    ["no URI of this prefix", "uri", "urn:imei:", undefined],
  ];
  for (const [title, source, prefix, expected] of table) {
    test(`${title}: ${expected ?? "none"}`, () => assert.equal(endpointBy({ source, prefix }, certified(names)), expected));
  }

  test("the same name twice is one; a name no device can have is none", () => {
    assert.equal(endpointBy({ source: "dnsName", prefix: "" }, certified({ dnsNames: ["d", "d"] })), "d");
    assert.equal(endpointBy({ source: "commonName", prefix: "" }, certified({ commonName: "a\nb" })), undefined);
    assert.equal(endpointBy({ source: "commonName", prefix: "" }, certified({ commonName: "n".repeat(251) })), undefined);
  });

  test("an anchor is a certificate and nothing else", () => {
    for (const certificate of [privatePem, "AAAA", rpk["publicKey"] as string]) {
      const read = readTrustAnchor({ certificate, endpointFrom: "uri" });
      assert.deepEqual(read.ok ? [] : read.faults.map(({ pointer }) => pointer), ["/certificate"]);
    }
  });
});

describe("the server's own key as it is given", () => {
  test("PEM of PKCS #8 or SEC 1; nothing of a wrong one is repeated", () => {
    const sec1 = device.privateKey.export({ type: "sec1", format: "pem" }).toString();
    for (const privateKey of [privatePem, sec1]) assert.ok(readIdentity({ privateKey }).ok);
    const weak = makeTestKey("rsa").privateKey.export({ type: "pkcs1", format: "pem" }).toString();
    assert.ok(readIdentity({ privateKey: weak }).ok);
    const cut = privatePem.replace(/.{20}\n-----END/, "\n-----END");
    for (const privateKey of [cut, "nothing", pemOf("PUBLIC KEY", device.publicKey)]) {
      const read = readIdentity({ privateKey });
      assert.deepEqual(read.ok ? [] : read.faults.map(({ pointer }) => pointer), ["/privateKey"]);
      assert.equal(JSON.stringify(read).includes(privatePem.slice(40, 60)), false);
    }
  });

  test("RFC 6066 §3: a server name is a host name, and case does not count", () => {
    const read = readIdentity({ serverName: "LwM2M.Example" });
    assert.equal(read.ok && read.value.serverName, "lwm2m.example");
    const pattern = new RegExp(serverNamePattern, "u");
    for (const name of ["a", "a-b.c", "lwm2m.example", "_x.y"]) assert.ok(pattern.test(name), name);
    for (const name of ["", ".", "a.", "a..b", "-a", "a b", "ä", "a".repeat(64), `${"a.".repeat(127)}aa`])
      assert.ok(!pattern.test(name), name);
  });
});
