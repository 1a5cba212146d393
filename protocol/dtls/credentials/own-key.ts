/** The own key of a side, from what people have: PEM text or DER bytes, PKCS #8 or SEC 1. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { OwnKey } from "../credentials-contract.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { importPublicKey } from "../x509/certificate-signature.ts";
import { mostCertificates } from "../x509/verify-chain.ts";
import { X509Error } from "../x509/x509-error.ts";

/** PEM text, or DER: PKCS #8, or SEC 1 for elliptic curves. Throws `X509Error` without a byte of the key in it. */
export function readPrivateKey(source: string | Uint8Array): KeyObject {
  for (const read of typeof source === "string" ? [() => createPrivateKey(source)] : derReaders(source)) {
    try {
      return read();
    } catch {
      // The next form is tried; what OpenSSL says of a wrong one helps nobody.
    }
  }
  throw new X509Error("malformed", "a private key that is none (PEM, or DER as PKCS #8 or SEC 1)");
}

function derReaders(der: Uint8Array): readonly (() => KeyObject)[] {
  const key = Buffer.from(der);
  return [() => createPrivateKey({ key, format: "der", type: "pkcs8" }), () => createPrivateKey({ key, format: "der", type: "sec1" })];
}

/** Every CERTIFICATE block in order; none is an error. */
export function readCertificates(pem: string): readonly Uint8Array[] {
  const blocks = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)];
  if (blocks.length === 0) throw new X509Error("malformed", "no CERTIFICATE block");
  return blocks.map(([, base64 = ""]) => new Uint8Array(Buffer.from(base64, "base64")));
}

/** Throws `X509Error` when the key is of a kind not accepted, or the leaf is for another key. */
export function makeOwnKey(privateKey: KeyObject, chain?: readonly Uint8Array[]): OwnKey {
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ type: "spki", format: "der" }));
  importPublicKey(publicKey);
  if (chain === undefined) return { privateKey, publicKey };
  if (chain.length > mostCertificates) throw new X509Error("too-large", `a chain of ${chain.length} certificates`);
  const [leaf] = chain.map(parseCertificate);
  if (leaf === undefined) throw new X509Error("malformed", "an empty chain");
  if (!Buffer.from(leaf.publicKey).equals(publicKey))
    throw new X509Error("malformed", "the certificate is for another key than the private key");
  return { privateKey, chain, publicKey };
}
