/** Certificates made at test time, with any extension and any defect on demand; nothing of them is ever stored. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  bitString,
  boolean,
  explicit,
  ia5,
  integer,
  joined,
  octetString,
  oid,
  sequence,
  setOf,
  time,
  tlv,
  utf8String,
} from "../x509/der-writer.ts";

export type TestKeyType = "p256" | "p384" | "ed25519" | "rsa";

export interface TestKey {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

export interface TestCertificate extends TestKey {
  /** DER. */
  readonly certificate: Uint8Array;
  /** This one first, then its issuers without the root; a self-signed one is alone. */
  readonly chain: readonly Uint8Array[];
  readonly selfSigned: boolean;
  readonly subject: Uint8Array;
}

export interface CertificateWish {
  readonly commonName?: string;
  readonly keyType?: TestKeyType;
  readonly key?: TestKey;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Writes basicConstraints with cA; a number is pathLenConstraint. */
  readonly authority?: boolean | number;
  /** Bits of keyUsage, 0 is digitalSignature, 5 keyCertSign. */
  readonly keyUsage?: readonly number[];
  readonly extendedKeyUsage?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  readonly version?: 1 | 3;
  /** Whole Extension values, as `extension` makes them. */
  readonly extensions?: readonly Uint8Array[];
  /** Overrides the issuer name that is written. */
  readonly issuerName?: Uint8Array;
  readonly damagedSignature?: boolean;
  readonly serial?: number;
  /** Default by the issuer's key. */
  readonly signature?: keyof typeof signatureOids;
}

export const serverAuth = "1.3.6.1.5.5.7.3.1";
export const clientAuth = "1.3.6.1.5.5.7.3.2";
const curves = { p256: "prime256v1", p384: "secp384r1" } as const;

const signatureOids = {
  ecdsaSha256: "1.2.840.10045.4.3.2",
  ecdsaSha384: "1.2.840.10045.4.3.3",
  ed25519: "1.3.101.112",
  rsaSha256: "1.2.840.113549.1.1.11",
  rsaSha1: "1.2.840.113549.1.1.5",
} as const;

export function makeTestKey(type: TestKeyType = "p256"): TestKey {
  const made =
    type === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : type === "ed25519"
        ? generateKeyPairSync("ed25519")
        : generateKeyPairSync("ec", { namedCurve: curves[type] });
  // Imported again: on Node 20 a key just made waits for ever when its details are asked for while the job that made it is collected.
  const privateKey = createPrivateKey(made.privateKey.export({ type: "pkcs8", format: "pem" }));
  return { privateKey, publicKey: new Uint8Array(createPublicKey(privateKey).export({ type: "spki", format: "der" })) };
}

/** One Extension (RFC 5280 §4.1). */
export function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** A name of one common name; empty for none. */
export function nameOf(commonName: string | undefined): Uint8Array {
  return commonName === undefined ? sequence() : sequence(setOf(sequence(oid("2.5.4.3"), utf8String(commonName))));
}

/** Self-signed, valid from 1970 to 2100 unless told. */
export function makeTestAuthority(commonName: string, wish: CertificateWish = {}): TestCertificate {
  return make({ authority: true, keyUsage: [5, 6], ...wish, commonName }, undefined);
}

/** A certificate under an issuer; an end entity with digitalSignature unless told. */
export function issue(issuer: TestCertificate, wish: CertificateWish = {}): TestCertificate {
  return make(wish.authority === undefined ? { keyUsage: [0], ...wish } : { keyUsage: [5, 6], ...wish }, issuer);
}

const year2100Ms = 4_102_444_800_000;
let nextSerial = 1;

function make(wish: CertificateWish, issuer: TestCertificate | undefined): TestCertificate {
  const key = wish.key ?? makeTestKey(wish.keyType);
  const signer = issuer?.privateKey ?? key.privateKey;
  const algorithm = wish.signature ?? signatureFor(signer);
  const subject = nameOf(wish.commonName);
  const algorithmIdentifier = sequence(oid(signatureOids[algorithm]), ...(algorithm.startsWith("rsa") ? [tlv(0x05)] : []));
  const extensions = wish.version === 1 ? [] : [...extensionsOf(wish), ...(wish.extensions ?? [])];
  const toBeSigned = sequence(
    ...(wish.version === 1 ? [] : [explicit(0, integer(2))]),
    integer(wish.serial ?? nextSerial++),
    algorithmIdentifier,
    wish.issuerName ?? issuer?.subject ?? subject,
    sequence(time(wish.notBefore ?? 0), time(wish.notAfter ?? year2100Ms)),
    subject,
    key.publicKey,
    ...(extensions.length === 0 ? [] : [explicit(3, sequence(...extensions))]),
  );
  const signature = new Uint8Array(sign(digests[algorithm], toBeSigned, signer));
  if (wish.damagedSignature === true) signature[signature.length - 1] = (signature[signature.length - 1] ?? 0) ^ 1;
  const certificate = sequence(toBeSigned, algorithmIdentifier, bitString(signature));
  const above = issuer === undefined || issuer.selfSigned ? [] : issuer.chain;
  return { ...key, certificate, chain: [certificate, ...above], selfSigned: issuer === undefined, subject };
}

const digests = { ecdsaSha256: "sha256", ecdsaSha384: "sha384", ed25519: null, rsaSha256: "sha256", rsaSha1: "sha1" } as const;

function signatureFor(key: KeyObject): keyof typeof signatureOids {
  if (key.asymmetricKeyType === "rsa") return "rsaSha256";
  if (key.asymmetricKeyType === "ed25519") return "ed25519";
  return key.asymmetricKeyDetails?.namedCurve === curves.p384 ? "ecdsaSha384" : "ecdsaSha256";
}

function extensionsOf(wish: CertificateWish): readonly Uint8Array[] {
  const made: Uint8Array[] = [];
  const { authority, keyUsage, extendedKeyUsage, dnsNames = [], uris = [] } = wish;
  if (authority !== undefined) {
    const pathLength = typeof authority === "number" ? [integer(authority)] : [];
    made.push(extension("2.5.29.19", sequence(...(authority === false ? [] : [boolean(true)]), ...pathLength), true));
  }
  if (keyUsage !== undefined) made.push(extension("2.5.29.15", keyUsageBits(keyUsage), true));
  if (extendedKeyUsage !== undefined) made.push(extension("2.5.29.37", sequence(...extendedKeyUsage.map(oid))));
  if (dnsNames.length + uris.length > 0) {
    made.push(extension("2.5.29.17", sequence(...dnsNames.map((name) => ia5(0x82, name)), ...uris.map((uri) => ia5(0x86, uri)))));
  }
  return made;
}

/** Named bits without trailing zeros (X.690 §11.2.2). */
function keyUsageBits(bits: readonly number[]): Uint8Array {
  const last = Math.max(...bits);
  const bytes = new Uint8Array((last >> 3) + 1);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return bitString(bytes, 7 - (last & 7));
}

/** PEM for peers that read files. */
export function pemOf(label: "CERTIFICATE" | "PUBLIC KEY", der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** SHA-256, for pins. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** `joined` for tests that put chains together. */
export const concatenate = joined;
