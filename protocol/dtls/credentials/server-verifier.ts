/** How an LwM2M client judges its server: the Server Public Key, Matching Type and Certificate Usage of its Security object (LwM2M Core 1.1 §5.2.8.7, Appendix E.1). */
import { createHash, timingSafeEqual } from "node:crypto";
import { AlertDescription } from "../constants.ts";
import type { Presented, Verdict } from "../credentials-contract.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { importPublicKey } from "../x509/certificate-signature.ts";
import { identityOf, isNamed } from "../x509/identity.ts";
import { type ChainPolicy, type TrustAnchor, verifyChain } from "../x509/verify-chain.ts";
import { refusalFor } from "./client-verifier.ts";

/** Resource 15 of the Security object, with the meanings of RFC 6698 §2.1.1. */
export const CertificateUsage = {
  /** An authority on the path, which must also lead to an anchor of the client's own. */
  authorityConstraint: 0,
  /** The server's certificate, which must also lead to such an anchor. */
  serviceConstraint: 1,
  /** The anchor itself. */
  trustAnchor: 2,
  /** The server's certificate, and that is all: neither names nor dates are looked at (RFC 7671 §5.1). */
  domainIssued: 3,
} as const;
export type CertificateUsage = (typeof CertificateUsage)[keyof typeof CertificateUsage];

/** Resource 13: how the reference is compared. */
const hashes: ReadonlyMap<number, string> = new Map([
  [1, "sha256"],
  [2, "sha384"],
  [3, "sha512"],
]);

export interface ServerTrust {
  /** Default 3. */
  readonly usage?: CertificateUsage;
  /** 0 exact, 1 SHA-256, 2 SHA-384, 3 SHA-512; default 0. */
  readonly matchingType?: number;
  /** The certificate or its hash; with a raw public key its SubjectPublicKeyInfo, DER. */
  readonly reference: Uint8Array;
  /** The client's own anchors, for usages 0 and 1. */
  readonly anchors?: readonly TrustAnchor[];
  /** What the server must be called, from its URI or the SNI resource. */
  readonly host?: string;
  /** Milliseconds since the epoch; undefined for a device without a clock. */
  readonly now: () => number | undefined;
}

export function serverVerifier(trust: ServerTrust): (presented: Presented) => Verdict {
  return (presented) => {
    try {
      return presented.kind === "rpk" ? judgeKey(trust, presented.publicKey) : judgeChain(trust, presented.chain);
    } catch (error) {
      return refusalFor(error);
    }
  };
}

function judgeKey(trust: ServerTrust, publicKey: Uint8Array): Verdict {
  importPublicKey(publicKey);
  if (matches(trust, publicKey)) return { ok: true, identity: { kind: "rpk", publicKey: Uint8Array.from(publicKey) } };
  return { ok: false, alert: AlertDescription.certificateUnknown, reason: "the server's raw public key is another one" };
}

function judgeChain(trust: ServerTrust, chain: readonly Uint8Array[]): Verdict {
  const [first] = chain;
  if (first === undefined) return { ok: false, alert: AlertDescription.badCertificate, reason: "an empty chain" };
  const { usage = CertificateUsage.domainIssued, anchors = [] } = trust;
  if (usage === CertificateUsage.domainIssued) return judgePinned(trust, first);
  if (usage === CertificateUsage.serviceConstraint && !matches(trust, first)) return otherServer;
  const verdict = verifyChain(chain, policyFor(trust, usage === CertificateUsage.trustAnchor ? findNamedAnchors(trust, chain) : anchors));
  if (!verdict.ok) return verdict;
  if (usage === CertificateUsage.authorityConstraint && !passesThrough(trust, verdict.path.slice(1), verdict.anchor)) {
    return { ok: false, alert: AlertDescription.unknownCa, reason: "the path does not lead through the authority that was named" };
  }
  if (trust.host !== undefined && !isNamed(verdict.leaf, trust.host)) {
    return { ok: false, alert: AlertDescription.badCertificate, reason: `the certificate is not for ${trust.host}` };
  }
  return { ok: true, identity: identityOf(verdict.leaf, new Uint8Array(createHash("sha256").update(verdict.anchor.publicKey).digest())) };
}

const otherServer: Verdict = { ok: false, alert: AlertDescription.certificateUnknown, reason: "the server's certificate is another one" };

function judgePinned(trust: ServerTrust, der: Uint8Array): Verdict {
  if (!matches(trust, der)) return otherServer;
  const certificate = parseCertificate(der);
  importPublicKey(certificate.publicKey);
  return { ok: true, identity: identityOf(certificate, undefined) };
}

function policyFor({ now }: ServerTrust, anchors: readonly TrustAnchor[]): ChainPolicy {
  return { anchors, purpose: "server", now: now() };
}

/** A hash names an anchor only if the server sends it along. */
function findNamedAnchors(trust: ServerTrust, chain: readonly Uint8Array[]): readonly TrustAnchor[] {
  if ((trust.matchingType ?? 0) === 0) return [parseCertificate(trust.reference)];
  return chain
    .slice(1)
    .filter((der) => matches(trust, der))
    .map(parseCertificate);
}

function passesThrough(trust: ServerTrust, issuers: readonly Certificate[], anchor: TrustAnchor): boolean {
  if (issuers.some(({ der }) => matches(trust, der))) return true;
  // The anchor is rarely sent: a whole reference is compared by name and key.
  if ((trust.matchingType ?? 0) !== 0) return false;
  const { subject, publicKey } = parseCertificate(trust.reference);
  return isEqual(subject, anchor.subject) && isEqual(publicKey, anchor.publicKey);
}

function matches({ matchingType = 0, reference }: ServerTrust, bytes: Uint8Array): boolean {
  if (matchingType === 0) return isEqual(reference, bytes);
  const hash = hashes.get(matchingType);
  return hash !== undefined && isEqual(reference, createHash(hash).update(bytes).digest());
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
