/** SubjectPublicKeyInfo as a key of node:crypto (RFC 5280 §4.1.2.7, RFC 5480 §2). */
import { createPublicKey, type KeyObject } from "node:crypto";

/** id-ecPublicKey, prime256v1, and a BIT STRING with an uncompressed point: what nearly every device shows. */
const p256Head = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");
const coordinateBytes = 32;
const p256Bytes = p256Head.length + 2 * coordinateBytes;

/**
 * Throws what OpenSSL throws for bytes that are no key, a point off its curve among them. Keys of P-256 go in as coordinates: with
 * OpenSSL 3.0 (Node 20) reading DER, and asking such a key for its curve, takes twice as long.
 */
export function importSpki(spki: Uint8Array): KeyObject {
  const bytes = Buffer.from(spki.buffer, spki.byteOffset, spki.length);
  if (bytes.length !== p256Bytes || p256Head.compare(bytes, 0, p256Head.length) !== 0) {
    return createPublicKey({ key: bytes, format: "der", type: "spki" });
  }
  const yAt = p256Head.length + coordinateBytes;
  const x = bytes.toString("base64url", p256Head.length, yAt);
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y: bytes.toString("base64url", yAt) }, format: "jwk" });
}
