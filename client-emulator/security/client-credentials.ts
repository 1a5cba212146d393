/** A Security object's resources as what the DTLS handshake asks for (LwM2M Transport 1.1 §5.2.8). */

import { makeOwnKey, readPrivateKey } from "@lwm2m/protocol/dtls/credentials/own-key";
import { CertificateUsage, type ServerTrust, serverVerifier } from "@lwm2m/protocol/dtls/credentials/server-verifier";
import type { ClientCredentials, OwnKey } from "@lwm2m/protocol/dtls/credentials-contract";
import { suiteOf } from "@lwm2m/protocol/dtls/crypto/suites";
import type { KeyExchange } from "@lwm2m/protocol/dtls/messages";
import { importPublicKey } from "@lwm2m/protocol/dtls/x509/certificate-signature";
import { childrenOf } from "@lwm2m/protocol/dtls/x509/der";
import { mostCertificates, trustAnchorOf } from "@lwm2m/protocol/dtls/x509/verify-chain";
import { X509Error } from "@lwm2m/protocol/dtls/x509/x509-error";
import { type SecurityCredential, SecurityMode } from "./security-credential.ts";

/** What the device knows beside its Security object. */
export interface CredentialSurroundings {
  /** Of the server's URI. */
  readonly host: string;
  /** The device's own trust anchors, DER: for certificate usages 0 and 1. */
  readonly anchors: readonly Uint8Array[];
  /** Suites offered where resource 16 says nothing. */
  readonly cipherSuites: readonly number[];
  readonly now: () => number;
}

export type CredentialOutcome =
  | { readonly ok: true; readonly credentials: ClientCredentials }
  /** Names what is wrong and never a byte of it. */
  | { readonly ok: false; readonly problem: string };

/** RFC 7925 §4.2 and what `findPsk` of servers take at the most. */
const mostIdentityBytes = 128;
const mostPskBytes = 64;

export function makeClientCredentials(credential: SecurityCredential, around: CredentialSurroundings): CredentialOutcome {
  try {
    const credentials = credentialsOf(credential, around);
    if (typeof credentials === "string") return { ok: false, problem: credentials };
    const wanted = credential.cipherSuites ?? [];
    const offered = wanted.length > 0 ? wanted : around.cipherSuites;
    if (!offered.some((id) => fits(suiteOf(id)?.keyExchange, credentials))) {
      return { ok: false, problem: `none of the cipher suites is for security mode ${credential.mode}` };
    }
    return { ok: true, credentials: wanted.length > 0 ? { ...credentials, cipherSuites: wanted } : credentials };
  } catch (error) {
    if (error instanceof X509Error) return { ok: false, problem: error.message };
    throw error;
  }
}

function credentialsOf(credential: SecurityCredential, around: CredentialSurroundings): ClientCredentials | string {
  switch (credential.mode) {
    case SecurityMode.psk:
      return pskCredentials(credential);
    case SecurityMode.rawPublicKey:
      return rawKeyCredentials(credential, around);
    case SecurityMode.certificate:
      return certificateCredentials(credential, around);
    case SecurityMode.noSec:
      return "security mode 3 has no credentials";
    default:
      return `security mode ${credential.mode} is not supported`;
  }
}

function pskCredentials({ identity, secret, serverName }: SecurityCredential): ClientCredentials | string {
  if (identity.length === 0 || identity.length > mostIdentityBytes) return `a PSK identity of ${identity.length} bytes`;
  if (secret.length === 0 || secret.length > mostPskBytes) return `a PSK of ${secret.length} bytes`;
  return { psk: { identity, key: secret }, ...named(serverName) };
}

function rawKeyCredentials(credential: SecurityCredential, around: CredentialSurroundings): ClientCredentials | string {
  const own = makeOwnKey(readPrivateKey(credential.secret));
  // Resource 3 says what the private key implies; a server that writes another one has mixed two devices up.
  if (credential.identity.length > 0 && Buffer.compare(credential.identity, own.publicKey) !== 0) {
    return "the public key in resource 3 is not that of the private key";
  }
  if (credential.serverKey.length === 0) return "no server public key";
  importPublicKey(credential.serverKey);
  const verifyServer = serverVerifier({ reference: credential.serverKey, now: around.now });
  return { own, verifyServer, serverTypes: ["rpk"], ...named(credential.serverName) };
}

function certificateCredentials(credential: SecurityCredential, around: CredentialSurroundings): ClientCredentials | string {
  const chain = childrenOf(credential.identity, mostCertificates, "certificates").map(({ whole }) => whole.slice());
  const own: OwnKey = makeOwnKey(readPrivateKey(credential.secret), chain);
  if (credential.serverKey.length === 0) return "no server certificate";
  const usage = findUsage(credential.certificateUsage ?? CertificateUsage.domainIssued);
  if (usage === undefined) return `certificate usage ${credential.certificateUsage} is none of 0 to 3`;
  const { matchingType = 0, serverName = around.host } = credential;
  if (matchingType > 3) return `matching type ${matchingType} is none of 0 to 3`;
  const trust: ServerTrust = {
    usage,
    matchingType,
    reference: credential.serverKey,
    anchors: around.anchors.map(trustAnchorOf),
    host: serverName,
    now: around.now,
  };
  // Only names are sent as SNI (RFC 6066 §3).
  const sent = isName(serverName) ? serverName : undefined;
  return { own, verifyServer: serverVerifier(trust), serverTypes: ["x509"], ...named(sent) };
}

function findUsage(value: number): CertificateUsage | undefined {
  return Object.values(CertificateUsage).find((usage) => usage === value);
}

function named(serverName: string | undefined): { readonly serverName?: string } {
  return serverName === undefined ? {} : { serverName };
}

function isName(host: string): boolean {
  return !host.includes(":") && !/^\d+(\.\d+){3}$/.test(host);
}

function fits(exchange: KeyExchange | undefined, { psk }: ClientCredentials): boolean {
  const isPsk = exchange === "psk" || exchange === "ecdhe_psk";
  return exchange !== undefined && isPsk === (psk !== undefined);
}
