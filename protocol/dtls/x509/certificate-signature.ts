/** Who signed a certificate (RFC 5280 §4.1.1.3): SHA-2 with ECDSA, RSA (PKCS #1 and PSS) and Ed25519; nothing weaker. */
import { constants, type KeyObject, type VerifyKeyObjectInput, verify } from "node:crypto";
import { importSpki } from "../crypto/spki-import.ts";
import type { AlgorithmIdentifier, Certificate } from "./certificate.ts";
import { readAlgorithm } from "./certificate.ts";
import { DerReader, readSmallInteger, Tag } from "./der.ts";
import { X509Error } from "./x509-error.ts";

type Scheme = { readonly keyType: "ec" | "rsa" | "ed25519"; readonly hash: string | null };

const schemes: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ["1.2.840.10045.4.3.2", { keyType: "ec", hash: "sha256" }],
  ["1.2.840.10045.4.3.3", { keyType: "ec", hash: "sha384" }],
  ["1.2.840.10045.4.3.4", { keyType: "ec", hash: "sha512" }],
  ["1.2.840.113549.1.1.11", { keyType: "rsa", hash: "sha256" }],
  ["1.2.840.113549.1.1.12", { keyType: "rsa", hash: "sha384" }],
  ["1.2.840.113549.1.1.13", { keyType: "rsa", hash: "sha512" }],
  ["1.3.101.112", { keyType: "ed25519", hash: null }],
]);
const pssId = "1.2.840.113549.1.1.10";
const hashes: ReadonlyMap<string, string> = new Map([
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"],
]);
const leastRsaBits = 2_048;
const namedCurves: readonly (string | undefined)[] = ["prime256v1", "secp384r1"];

/** A key of a kind accepted here. Throws `X509Error`. */
export function importPublicKey(spki: Uint8Array): KeyObject {
  let key: KeyObject;
  try {
    key = importSpki(spki);
  } catch {
    throw new X509Error("malformed", "a public key that is none");
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const accepted =
    type === "ed25519" ||
    (type === "ec" && namedCurves.includes(details?.namedCurve)) ||
    (type === "rsa" && (details?.modulusLength ?? 0) >= leastRsaBits);
  if (!accepted) throw new X509Error("unsupported", `a public key of type ${type ?? "unknown"} that is not accepted`);
  return key;
}

/** False for a signature that does not fit, for an algorithm not accepted and for a key of another kind. */
export function isSignedBy({ toBeSigned, signature, signatureAlgorithm }: Certificate, key: KeyObject): boolean {
  const input = inputFor(signatureAlgorithm, key);
  if (input === undefined) return false;
  try {
    return verify(input.hash, toBeSigned, input.key, signature);
  } catch {
    return false;
  }
}

function inputFor({ id, parameters }: AlgorithmIdentifier, key: KeyObject): { hash: string | null; key: VerifyKeyObjectInput } | undefined {
  if (id === pssId) {
    const pss = parameters === undefined ? undefined : readPss(parameters.content);
    if (pss === undefined || key.asymmetricKeyType !== "rsa") return undefined;
    return { hash: pss.hash, key: { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: pss.saltBytes } };
  }
  const scheme = schemes.get(id);
  return scheme === undefined || key.asymmetricKeyType !== scheme.keyType ? undefined : { hash: scheme.hash, key: { key } };
}

const tagHash = 0xa0;
const tagMask = 0xa1;
const tagSalt = 0xa2;

/** RFC 4055 §3.1; MGF1 with the same hash, as everyone writes it. */
function readPss(content: Uint8Array): { readonly hash: string; readonly saltBytes: number } | undefined {
  const reader = new DerReader(content);
  const hashField = reader.optional(tagHash);
  const maskField = reader.optional(tagMask);
  const saltField = reader.optional(tagSalt);
  if (hashField === undefined || maskField === undefined || saltField === undefined) return undefined;
  const hash = hashes.get(readAlgorithm(new DerReader(hashField.content).next()).id);
  const maskHash = readAlgorithm(new DerReader(maskField.content).next()).parameters;
  if (hash === undefined || maskHash === undefined || hashes.get(readAlgorithm(maskHash).id) !== hash) return undefined;
  return { hash, saltBytes: readSmallInteger(new DerReader(saltField.content).expect(Tag.integer, "saltLength").content, "saltLength") };
}
