/** The public key of what the other side presented, to check its signatures with; whether it is to be trusted is the verifier's question. */
import { type KeyObject, X509Certificate } from "node:crypto";
import { AlertDescription, CertificateType } from "../constants.ts";
import type { OwnKey, Presented, Verdict } from "../credentials-contract.ts";
import { importPublicKey } from "../crypto/signature.ts";
import type { CertificateMessage } from "../messages.ts";
import { HandshakeAbort } from "./abort.ts";

/** RFC 7250 §3. */
export const certificateTypeOf = { rpk: CertificateType.rawPublicKey, x509: CertificateType.x509 } as const;

/** Undefined for an empty certificate (RFC 5246 §7.4.6). */
export function presentedIn(message: CertificateMessage): Presented | undefined {
  if (message.type === CertificateType.rawPublicKey) {
    return message.publicKey === undefined ? undefined : { kind: "rpk", publicKey: message.publicKey };
  }
  return message.chain.length === 0 ? undefined : { kind: "x509", chain: message.chain };
}

/** The verifier's, or read here; throws `HandshakeAbort` for bytes that are no key or certificate. */
export function requiredKeyOf(presented: Presented, verdict: Verdict & { readonly ok: true }): KeyObject {
  const key = verdict.publicKey ?? findKeyIn(presented);
  if (key !== undefined) return key;
  throw new HandshakeAbort("certificate-refused", AlertDescription.badCertificate, "no key can be read from what was presented");
}

/** The own Certificate in the form agreed on; without a key the empty one. */
export function certificateOf(own: OwnKey | undefined, type: CertificateType): CertificateMessage {
  if (type === CertificateType.rawPublicKey) return { type, publicKey: own?.publicKey };
  return { type: CertificateType.x509, chain: own?.chain ?? [] };
}

export function canPresent(own: OwnKey, type: number): type is CertificateType {
  return type === CertificateType.rawPublicKey || (type === CertificateType.x509 && own.chain !== undefined && own.chain.length > 0);
}

function findKeyIn(presented: Presented): KeyObject | undefined {
  if (presented.kind === "rpk") return importPublicKey(presented.publicKey);
  const leaf = presented.chain[0];
  if (leaf === undefined) return undefined;
  try {
    return new X509Certificate(leaf).publicKey;
  } catch {
    // OpenSSL names what is wrong; for the handshake it is just no certificate.
    return undefined;
  }
}
