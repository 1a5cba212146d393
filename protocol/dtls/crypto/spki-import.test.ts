import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { importSpki } from "./spki-import.ts";

const kinds = [
  generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
  generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
  generateKeyPairSync("ed25519"),
  generateKeyPairSync("rsa", { modulusLength: 2_048 }),
] as const;

test("RFC 5280 §4.1.2.7: a key comes out as node:crypto reads it from DER, whatever its kind, from any place in a buffer", () => {
  for (const { publicKey, privateKey } of kinds) {
    const spki = publicKey.export({ type: "spki", format: "der" });
    const inside = Buffer.concat([Buffer.alloc(7), spki, Buffer.alloc(3)]).subarray(7, 7 + spki.length);
    const key = importSpki(new Uint8Array(inside.buffer, inside.byteOffset, inside.length));
    assert.ok(key.equals(createPublicKey({ key: spki, format: "der", type: "spki" })));
    assert.deepEqual(key.asymmetricKeyDetails, publicKey.asymmetricKeyDetails);
    const hash = key.asymmetricKeyType === "ed25519" ? null : "sha256";
    const text = Buffer.from("signed");
    assert.ok(verify(hash, text, key, sign(hash, text, privateKey)));
  }
});

test("RFC 5480 §2.2: P-256 with any bit of its 91 bytes turned, or cut anywhere, is another key of the curve or none", () => {
  const spki = kinds[0].publicKey.export({ type: "spki", format: "der" });
  for (let bit = 0; bit < spki.length * 8; bit++) {
    const damaged = Uint8Array.from(spki);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(reads(damaged, importSpki), reads(damaged, readDer), `bit ${bit}`);
  }
  for (let length = 0; length < spki.length; length++) assert.ok(!reads(spki.subarray(0, length), importSpki), `${length} bytes`);
});

function reads(spki: Uint8Array, read: (spki: Uint8Array) => unknown): boolean {
  try {
    read(spki);
    return true;
  } catch {
    return false;
  }
}

function readDer(spki: Uint8Array): unknown {
  return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
}
