/** How a server judges what its clients present: known raw keys, certificates trusted by themselves, chains up to an authority. */
import { createHash, KeyObject } from "node:crypto";
import type { Clock } from "../../ports/clock.ts";
import { AlertDescription } from "../constants.ts";
import type { Eventually, Presented, Verdict } from "../credentials-contract.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { identityOf } from "../x509/identity.ts";
import { type ChainPolicy, type TrustAnchor, verifyChain } from "../x509/verify-chain.ts";
import { X509Error } from "../x509/x509-error.ts";
import type { KeyCache } from "./key-cache.ts";

/** What a realm trusts. Every look-up is by SHA-256, so that a store needs one short index. */
export interface ClientTrust {
  readonly anchors: readonly TrustAnchor[];
  /** SubjectPublicKeyInfo of a device (RFC 7250). */
  readonly isKnownKey: (sha256: Uint8Array) => Eventually<boolean>;
  /** A leaf that needs no authority: a self-signed one of one device. Its dates and extensions are not judged (RFC 6698 §2.1.1, usage 3). */
  readonly isKnownCertificate: (sha256: Uint8Array) => Eventually<boolean>;
  readonly isRevoked?: ChainPolicy["isRevoked"];
  readonly skewMs?: number;
}

export interface ClientVerifierDeps {
  readonly trust: ClientTrust;
  readonly clock: Clock;
  readonly keys: KeyCache;
}

export function clientVerifier(deps: ClientVerifierDeps): (presented: Presented) => Promise<Verdict> {
  return (presented) => (presented.kind === "rpk" ? judgeKey(deps, presented.publicKey) : judgeChain(deps, presented.chain));
}

async function judgeKey({ trust, keys }: ClientVerifierDeps, publicKey: Uint8Array): Promise<Verdict> {
  const key = importOrRefuse(keys, publicKey);
  if (!(key instanceof KeyObject)) return key;
  if (await trust.isKnownKey(sha256(publicKey))) {
    return { ok: true, identity: { kind: "rpk", publicKey: Uint8Array.from(publicKey) }, publicKey: key };
  }
  return { ok: false, alert: AlertDescription.certificateUnknown, reason: "a raw public key nobody here knows" };
}

async function judgeChain({ trust, clock, keys }: ClientVerifierDeps, chain: readonly Uint8Array[]): Promise<Verdict> {
  const [leaf] = chain;
  if (leaf === undefined) return { ok: false, alert: AlertDescription.badCertificate, reason: "an empty chain" };
  if (await trust.isKnownCertificate(sha256(leaf))) return judgePinned(keys, leaf);
  const importKey = (publicKey: Uint8Array) => keys.import(publicKey);
  const { anchors, isRevoked, skewMs = 0 } = trust;
  const policy: ChainPolicy = {
    anchors,
    purpose: "client",
    now: clock.now(),
    skewMs,
    importKey,
    ...(isRevoked === undefined ? {} : { isRevoked }),
  };
  const verdict = verifyChain(chain, policy);
  if (!verdict.ok) return verdict;
  const key = importOrRefuse(keys, verdict.leaf.publicKey);
  if (!(key instanceof KeyObject)) return key;
  return { ok: true, identity: identityOf(verdict.leaf, sha256(verdict.anchor.publicKey)), publicKey: key };
}

function judgePinned(keys: KeyCache, der: Uint8Array): Verdict {
  try {
    const certificate = parseCertificate(der);
    return { ok: true, identity: identityOf(certificate, undefined), publicKey: keys.import(certificate.publicKey) };
  } catch (error) {
    return refusalFor(error);
  }
}

function importOrRefuse(keys: KeyCache, publicKey: Uint8Array): KeyObject | Verdict {
  try {
    return keys.import(publicKey);
  } catch (error) {
    return refusalFor(error);
  }
}

/** Rethrows what is no fault of the bytes. */
export function refusalFor(error: unknown): Verdict {
  if (!(error instanceof X509Error)) throw error;
  const alert = error.code === "unsupported" ? AlertDescription.unsupportedCertificate : AlertDescription.badCertificate;
  return { ok: false, alert, reason: error.message };
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
