import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { SignatureScheme } from "../constants.ts";
import { bytesOf } from "../testing/recorded-messages.ts";
import { schemesOf, sign, verify } from "./signature.ts";

interface Pair {
  readonly name: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const random = seededRandom(8_422);
const [p256, p384, p521, ed25519] = [ec("P-256"), ec("P-384"), ec("P-521"), { name: "Ed25519", ...generateKeyPairSync("ed25519") }];
const [rsa2048, rsa1024] = [rsa(2_048), rsa(1_024)];
const accepted: readonly Pair[] = [p256, p384, ed25519, rsa2048];
const every = Object.values(SignatureScheme);
const text = random.bytes(300);

function ec(namedCurve: string): Pair {
  return { name: namedCurve, ...generateKeyPairSync("ec", { namedCurve }) };
}

function rsa(modulusLength: number): Pair {
  return { name: `RSA ${modulusLength}`, ...generateKeyPairSync("rsa", { modulusLength }) };
}

function spkiOf({ publicKey }: Pair): Uint8Array {
  return publicKey.export({ format: "der", type: "spki" });
}

test("RFC 5246 §7.4.1.4.1, RFC 8446 §4.2.3: each kind of key has its schemes, those of its curve first; weak and odd keys have none", () => {
  const names: { readonly [name: string]: readonly number[] } = {
    "P-256": [0x0403, 0x0503],
    "P-384": [0x0503, 0x0403],
    Ed25519: [0x0807],
    "RSA 2048": [0x0804, 0x0401, 0x0501],
  };
  for (const pair of accepted) {
    assert.deepEqual(schemesOf(pair.privateKey), names[pair.name]);
    assert.deepEqual(schemesOf(pair.publicKey), names[pair.name]);
  }
  for (const pair of [p521, rsa1024]) assert.deepEqual(schemesOf(pair.publicKey), [], pair.name);
  assert.deepEqual(schemesOf(generateKeyPairSync("x25519").publicKey), []);
  assert.deepEqual(schemesOf(generateKeyPairSync("rsa-pss", { modulusLength: 2_048 }).publicKey), []);
});

test("RFC 5246 §4.7: a signature holds for its scheme, its key and its bytes, and for no other of each", () => {
  for (const pair of accepted) {
    for (const scheme of schemesOf(pair.privateKey)) {
      const signature = sign(scheme, pair.privateKey, text);
      for (const key of [pair.publicKey, spkiOf(pair)]) assert.equal(verify(scheme, key, text, signature), true, pair.name);
      assert.equal(verify(scheme, pair.publicKey, text.subarray(1), signature), false);
      for (const other of every.filter((each) => each !== scheme)) assert.equal(verify(other, pair.publicKey, text, signature), false);
      for (const other of accepted.filter((each) => each !== pair)) assert.equal(verify(scheme, other.publicKey, text, signature), false);
    }
  }
});

test("RFC 5246 §7.4.8: signatures cut at every byte, with one bit changed, or random are false and never thrown", () => {
  for (const pair of accepted) {
    const [scheme = 0] = schemesOf(pair.privateKey);
    const signature = sign(scheme, pair.privateKey, text);
    for (let length = 0; length < signature.length; length++) {
      assert.equal(verify(scheme, pair.publicKey, text, signature.subarray(0, length)), false);
    }
    for (let i = 0; i < 100; i++) {
      const changed = Uint8Array.from(signature);
      const at = random.integer(changed.length);
      changed[at] = (changed[at] ?? 0) ^ (1 << random.integer(8));
      assert.equal(verify(scheme, pair.publicKey, text, changed), false);
      assert.equal(verify(scheme, pair.publicKey, text, random.bytes(random.integer(300))), false);
    }
  }
});

test("RFC 7250 §3: bytes that are no SubjectPublicKeyInfo, or one cut anywhere, verify nothing", () => {
  const spki = spkiOf(p256);
  const signature = sign(SignatureScheme.ecdsaSecp256r1Sha256, p256.privateKey, text);
  for (let length = 0; length < spki.length; length++) {
    assert.equal(verify(SignatureScheme.ecdsaSecp256r1Sha256, spki.subarray(0, length), text, signature), false);
  }
});

test("RFC 8032 §7.1, test 3: Ed25519 signs as published and verifies it", () => {
  const seed = bytesOf("302e020100300506032b657004220420 c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
  const spki = bytesOf("302a300506032b6570032100 fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
  const published =
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
  const key = createPrivateKey({ key: Buffer.from(seed), format: "der", type: "pkcs8" });
  assert.equal(Buffer.from(sign(SignatureScheme.ed25519, key, bytesOf("af82"))).toString("hex"), published);
  assert.equal(verify(SignatureScheme.ed25519, spki, bytesOf("af82"), bytesOf(published)), true);
  assert.equal(verify(SignatureScheme.ed25519, spki, bytesOf("af83"), bytesOf(published)), false);
});

test("a scheme that does not fit the own key is a bug, not an answer", () => {
  assert.throws(() => sign(SignatureScheme.ed25519, p256.privateKey, text), /does not fit/);
  assert.throws(() => sign(0x0203, p256.privateKey, text), /does not fit/);
});
