/** Path building and validation (RFC 5280 §6.1), for chains as short as constrained devices send them. */
import type { KeyObject } from "node:crypto";
import { AlertDescription } from "../constants.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { importPublicKey, isSignedBy } from "./certificate-signature.ts";
import { equalBytes } from "./der.ts";
import { KeyUsage } from "./extensions.ts";
import { findConstraintFault } from "./name-constraints.ts";
import { X509Error } from "./x509-error.ts";

/** Whom to believe: a name and a key. The certificate they came in is not judged again (RFC 5280 §6.1.1 d). */
export interface TrustAnchor {
  /** Whole Name, DER. */
  readonly subject: Uint8Array;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

export interface ChainPolicy {
  readonly anchors: readonly TrustAnchor[];
  /** What the leaf proves to be; with `extendedKeyUsage` present it must say so. */
  readonly purpose: "client" | "server";
  /** Milliseconds since the epoch; undefined leaves validity unchecked, for a device without a clock. */
  readonly now: number | undefined;
  /** How far the two clocks may be apart, milliseconds. */
  readonly skewMs?: number;
  /** Imports a SubjectPublicKeyInfo, throwing `X509Error`; default without a cache. */
  readonly importKey?: (publicKey: Uint8Array) => KeyObject;
  /** True for a certificate that was taken back; asked for each one of the path. */
  readonly isRevoked?: (certificate: Certificate) => boolean;
}

export type ChainVerdict =
  /** `path`: leaf first, the anchor signed the last one. */
  | { readonly ok: true; readonly leaf: Certificate; readonly path: readonly Certificate[]; readonly anchor: TrustAnchor }
  | { readonly ok: false; readonly alert: AlertDescription; readonly reason: string };

/** RFC 7925 §4.4.3 expects shorter ones; longer chains are not worth a device's radio time. */
export const mostCertificates = 4;
/** A shuffled chain with equal names could ask for many. */
const mostSignatureChecks = 16;

const purposes = { client: "1.3.6.1.5.5.7.3.2", server: "1.3.6.1.5.5.7.3.1" } as const;
const anyPurpose = "2.5.29.37.0";

class Refusal extends Error {
  readonly alert: AlertDescription;

  constructor(alert: AlertDescription, reason: string) {
    super(reason);
    this.alert = alert;
  }
}

/** The trust anchor a certificate stands for. Throws `X509Error`. */
export function trustAnchorOf(der: Uint8Array): TrustAnchor {
  const { subject, publicKey } = parseCertificate(der);
  importPublicKey(publicKey);
  return { subject, publicKey };
}

/** Judges a chain as sent in Certificate: the leaf first, the rest in any order, the root there or not. Never throws for its content. */
export function verifyChain(chain: readonly Uint8Array[], policy: ChainPolicy): ChainVerdict {
  try {
    const [first, ...rest] = chain;
    if (first === undefined) throw new Refusal(AlertDescription.badCertificate, "an empty chain");
    if (chain.length > mostCertificates) throw new Refusal(AlertDescription.badCertificate, `a chain of ${chain.length} certificates`);
    const leaf = parseCertificate(first);
    const path = new PathSearch(rest.map(parseCertificate), policy).find(leaf);
    checkLeaf(leaf, policy.purpose);
    checkPath(path.certificates, policy);
    return { ok: true, leaf, path: path.certificates, anchor: path.anchor };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, alert: error.alert, reason: error.message };
    if (!(error instanceof X509Error)) throw error;
    const alert = error.code === "unsupported" ? AlertDescription.unsupportedCertificate : AlertDescription.badCertificate;
    return { ok: false, alert, reason: error.message };
  }
}

/** Leaf first; the anchor signed the last one. */
interface Path {
  readonly certificates: readonly Certificate[];
  readonly anchor: TrustAnchor;
}

/** Depth first over at most three issuers; every step is a verified signature under a matching name. */
class PathSearch {
  readonly #pool: readonly Certificate[];
  readonly #anchors: readonly TrustAnchor[];
  readonly #import: (publicKey: Uint8Array) => KeyObject;
  #checks = 0;
  #sawBadSignature = false;

  constructor(pool: readonly Certificate[], { anchors, importKey = importPublicKey }: ChainPolicy) {
    this.#pool = pool;
    this.#anchors = anchors;
    this.#import = importKey;
  }

  find(leaf: Certificate): Path {
    const path = this.#extend([leaf], leaf);
    if (path !== undefined) return path;
    if (this.#sawBadSignature) throw new Refusal(AlertDescription.badCertificate, "a signature in the chain does not fit its issuer");
    throw new Refusal(AlertDescription.unknownCa, "no certificate authority known here stands behind the chain");
  }

  #extend(path: readonly Certificate[], last: Certificate): Path | undefined {
    for (const anchor of this.#anchors) {
      if (equalBytes(anchor.subject, last.issuer) && this.#isSigned(last, anchor.publicKey)) return { certificates: path, anchor };
    }
    for (const issuer of this.#pool) {
      if (path.includes(issuer) || !equalBytes(issuer.subject, last.issuer) || !this.#isSigned(last, issuer.publicKey)) continue;
      const longer = this.#extend([...path, issuer], issuer);
      if (longer !== undefined) return longer;
    }
    return undefined;
  }

  #isSigned(certificate: Certificate, publicKey: Uint8Array): boolean {
    if (++this.#checks > mostSignatureChecks) throw new Refusal(AlertDescription.badCertificate, "a chain that is too tangled");
    const key = this.#findKey(publicKey);
    const signed = key !== undefined && isSignedBy(certificate, key);
    if (!signed) this.#sawBadSignature = true;
    return signed;
  }

  #findKey(publicKey: Uint8Array): KeyObject | undefined {
    try {
      return this.#import(publicKey);
    } catch (error) {
      if (error instanceof X509Error) return undefined;
      throw error;
    }
  }
}

function checkLeaf({ extensions, publicKey }: Certificate, purpose: ChainPolicy["purpose"]): void {
  const { keyUsage, extendedKeyUsage } = extensions;
  importPublicKey(publicKey);
  // RFC 8422 §5.3: the key must be allowed to sign, with every suite offered here.
  if (keyUsage !== undefined && (keyUsage & KeyUsage.digitalSignature) === 0) {
    throw new Refusal(AlertDescription.unsupportedCertificate, "the key of the leaf may not sign (keyUsage)");
  }
  const allowed = extendedKeyUsage ?? [anyPurpose];
  if (!allowed.includes(purposes[purpose]) && !allowed.includes(anyPurpose)) {
    throw new Refusal(AlertDescription.unsupportedCertificate, `the leaf is not meant to be a ${purpose} (extKeyUsage)`);
  }
}

function checkPath(path: readonly Certificate[], policy: ChainPolicy): void {
  let authoritiesBelow = 0;
  for (const [depth, certificate] of path.entries()) {
    checkValidity(certificate, policy);
    const [unknown] = certificate.extensions.unknownCritical;
    if (unknown !== undefined) {
      throw new Refusal(AlertDescription.unsupportedCertificate, `critical extension ${unknown} is not understood`);
    }
    if (policy.isRevoked?.(certificate) === true)
      throw new Refusal(AlertDescription.certificateRevoked, "a certificate that was taken back");
    if (depth === 0) continue;
    checkAuthority(certificate, authoritiesBelow);
    // A self-issued one does not count (RFC 5280 §6.1.4 l).
    if (!equalBytes(certificate.issuer, certificate.subject)) authoritiesBelow++;
    checkConstraints(certificate, path.slice(0, depth));
  }
}

function checkValidity({ notBefore, notAfter }: Certificate, { now, skewMs = 0 }: ChainPolicy): void {
  if (now === undefined) return;
  if (now > notAfter + skewMs) throw new Refusal(AlertDescription.certificateExpired, "a certificate that has expired");
  if (now < notBefore - skewMs) throw new Refusal(AlertDescription.certificateExpired, "a certificate that is not valid yet");
}

function checkAuthority({ version, extensions }: Certificate, authoritiesBelow: number): void {
  const { basicConstraints, keyUsage } = extensions;
  if (version !== 3 || basicConstraints?.authority !== true) {
    throw new Refusal(AlertDescription.unknownCa, "an issuer that is no certificate authority (basicConstraints)");
  }
  if (basicConstraints.pathLength !== undefined && authoritiesBelow > basicConstraints.pathLength) {
    throw new Refusal(AlertDescription.badCertificate, "a path longer than its issuer allows (pathLenConstraint)");
  }
  if (keyUsage !== undefined && (keyUsage & KeyUsage.keyCertSign) === 0) {
    throw new Refusal(AlertDescription.badCertificate, "an issuer whose key may not sign certificates (keyUsage)");
  }
}

function checkConstraints({ extensions }: Certificate, below: readonly Certificate[]): void {
  const { nameConstraints } = extensions;
  if (nameConstraints === undefined) return;
  for (const [depth, certificate] of below.entries()) {
    if (depth > 0 && equalBytes(certificate.issuer, certificate.subject)) continue;
    const fault = findConstraintFault(certificate, nameConstraints);
    if (fault !== undefined) throw new Refusal(AlertDescription.badCertificate, fault);
  }
}
