/** Signatures of ServerKeyExchange and CertificateVerify (RFC 5246 §4.7, §7.4.1.4.1; RFC 8422 §5.10; RFC 8446 §4.2.3 for the names). */
import { constants, sign as cryptoSign, verify as cryptoVerify, KeyObject } from "node:crypto";
import { SignatureScheme } from "../constants.ts";
import { importSpki } from "./spki-import.ts";

interface Scheme {
  readonly keyType: "ec" | "rsa" | "ed25519";
  /** Null where the scheme hashes by itself. */
  readonly hash: "sha256" | "sha384" | null;
  readonly pss?: true;
}

const schemes: ReadonlyMap<number, Scheme> = new Map<number, Scheme>([
  [SignatureScheme.ecdsaSecp256r1Sha256, { keyType: "ec", hash: "sha256" }],
  [SignatureScheme.ecdsaSecp384r1Sha384, { keyType: "ec", hash: "sha384" }],
  [SignatureScheme.ed25519, { keyType: "ed25519", hash: null }],
  [SignatureScheme.rsaPssRsaeSha256, { keyType: "rsa", hash: "sha256", pss: true }],
  [SignatureScheme.rsaPkcs1Sha256, { keyType: "rsa", hash: "sha256" }],
  [SignatureScheme.rsaPkcs1Sha384, { keyType: "rsa", hash: "sha384" }],
]);
/** In TLS 1.2 the hash of an ECDSA scheme says nothing about the curve (RFC 8446 §4.2.3, last notes), but the match is preferred. */
const ecSchemes: ReadonlyMap<string, readonly SignatureScheme[]> = new Map([
  ["prime256v1", [SignatureScheme.ecdsaSecp256r1Sha256, SignatureScheme.ecdsaSecp384r1Sha384]],
  ["secp384r1", [SignatureScheme.ecdsaSecp384r1Sha384, SignatureScheme.ecdsaSecp256r1Sha256]],
]);
const rsaSchemes = [SignatureScheme.rsaPssRsaeSha256, SignatureScheme.rsaPkcs1Sha256, SignatureScheme.rsaPkcs1Sha384] as const;
/** RFC 7925 §4.4 and NIST SP 800-131A: shorter moduli are refused. */
const leastRsaBits = 2_048;

/** The schemes a private or public key can be used with, preferred first; none for a kind or size not accepted here. */
export function schemesOf(key: KeyObject): readonly SignatureScheme[] {
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec") return ecSchemes.get(namedCurve) ?? [];
  if (key.asymmetricKeyType === "ed25519") return [SignatureScheme.ed25519];
  return key.asymmetricKeyType === "rsa" && modulusLength >= leastRsaBits ? rsaSchemes : [];
}

/** ECDSA gives the DER form (RFC 8422 §5.4). */
export function sign(scheme: number, key: KeyObject, bytes: Uint8Array): Uint8Array {
  const found = schemes.get(scheme);
  if (found === undefined || !isOneOf(schemesOf(key), scheme)) {
    throw new Error(`scheme ${scheme} does not fit a key of type ${key.asymmetricKeyType}`);
  }
  return cryptoSign(found.hash, bytes, { key, ...paddingOf(found) });
}

/**
 * False for anything but a right signature: also for a scheme that is not spoken here or does not fit the key, and for bytes that are
 * no key. Importing SubjectPublicKeyInfo costs more than verifying does, so keep the `KeyObject` of a key seen often.
 */
export function verify(scheme: number, publicKey: KeyObject | Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  const found = schemes.get(scheme);
  const key = publicKey instanceof KeyObject ? publicKey : importPublicKey(publicKey);
  if (found === undefined || key === undefined || !isOneOf(schemesOf(key), scheme)) return false;
  try {
    return cryptoVerify(found.hash, bytes, { key, ...paddingOf(found) }, signature);
  } catch {
    // OpenSSL throws for some malformed signatures and answers false for others.
    return false;
  }
}

/** SubjectPublicKeyInfo, DER; undefined for bytes that are none. */
export function importPublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return importSpki(spki);
  } catch {
    return undefined;
  }
}

function isOneOf(accepted: readonly number[], scheme: number): boolean {
  return accepted.includes(scheme);
}

/** RFC 8446 §4.2.3: the salt is as long as the hash. */
function paddingOf({ keyType, pss }: Scheme): { padding?: number; saltLength?: number } {
  if (keyType !== "rsa") return {};
  if (pss !== true) return { padding: constants.RSA_PKCS1_PADDING };
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}
