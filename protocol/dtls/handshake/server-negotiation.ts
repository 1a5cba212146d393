/** What a server answers to a ClientHello: its own order of preference over what the client can and the realm has. Pure. */
import {
  AlertDescription,
  CertificateType,
  NamedGroup as Groups,
  type NamedGroup,
  SignallingSuite,
  SignatureScheme,
} from "../constants.ts";
import type { OwnKey, ServerRealm } from "../credentials-contract.ts";
import { isKnownGroup } from "../crypto/key-agreement.ts";
import { schemesOf } from "../crypto/signature.ts";
import { type Suite, suiteOf } from "../crypto/suites.ts";
import type { HandshakeSettings } from "../handshake-contract.ts";
import type { CertificateRequest, ClientHello, KeyExchange } from "../messages.ts";
import { HandshakeAbort, noCommonParameters } from "./abort.ts";
import { canPresent, certificateTypeOf } from "./peer-key.ts";

export interface ServerChoice {
  readonly suite: Suite;
  /** With ECDHE. */
  readonly group?: NamedGroup;
  /** With certificate suites. */
  readonly proof?: ServerProof;
}

export interface ServerProof {
  readonly own: OwnKey;
  readonly certificateType: CertificateType;
  readonly signatureScheme: SignatureScheme;
  /** The form the client is to present; undefined lets it stay anonymous. */
  readonly clientCertificateType: CertificateType | undefined;
}

/** A signature that no list was sent for may be of these (RFC 5246 §7.4.1.4.1 would say SHA-1, which is not spoken here). */
const assumedSchemes: readonly number[] = [SignatureScheme.ecdsaSecp256r1Sha256, SignatureScheme.rsaPkcs1Sha256];
/** RFC 7250 §4.1: who says nothing means X.509. */
const assumedTypes: readonly number[] = [CertificateType.x509];
/** ClientCertificateType (RFC 5246 §7.4.4, RFC 8422 §5.5). */
const ClientCertificateType = { rsaSign: 1, ecdsaSign: 64 } as const;

export function offersRenegotiationInfo(hello: ClientHello): boolean {
  return hello.extensions.renegotiationInfo !== undefined || hello.cipherSuites.includes(SignallingSuite.emptyRenegotiationInfo);
}

/** The first suite of ours that works out; throws the refusal that says more than handshake_failure, if there is one. */
export function choose(hello: ClientHello, realm: ServerRealm, settings: HandshakeSettings): ServerChoice {
  // Made only when there is one: the stack of an error costs as much as many a handshake step.
  let refusal: HandshakeAbort | undefined;
  for (const id of settings.cipherSuites) {
    const suite = hello.cipherSuites.includes(id) ? suiteOf(id) : undefined;
    if (suite === undefined) continue;
    const choice = chooseFor(suite, hello, realm, settings);
    if (!(choice instanceof HandshakeAbort)) return choice;
    if (refusal === undefined || refusal.alert === AlertDescription.handshakeFailure) refusal = choice;
  }
  throw refusal ?? noCommonParameters("no cipher suite in common");
}

export function certificateRequest(type: CertificateType, realm: ServerRealm, settings: HandshakeSettings): CertificateRequest {
  const signatureAlgorithms = settings.signatureSchemes;
  const takesRsa = signatureAlgorithms.some((scheme) => rsaSchemes.includes(scheme));
  return {
    certificateTypes: takesRsa ? [ClientCertificateType.ecdsaSign, ClientCertificateType.rsaSign] : [ClientCertificateType.ecdsaSign],
    signatureAlgorithms,
    // A raw key has no issuer (RFC 7250 §4.3).
    authorities: type === CertificateType.x509 ? (realm.authorities ?? []) : [],
  };
}

const rsaSchemes: readonly number[] = [SignatureScheme.rsaPkcs1Sha256, SignatureScheme.rsaPkcs1Sha384, SignatureScheme.rsaPssRsaeSha256];

function chooseFor(suite: Suite, hello: ClientHello, realm: ServerRealm, settings: HandshakeSettings): ServerChoice | HandshakeAbort {
  const { keyExchange } = suite;
  const usesPsk = keyExchange === "psk" || keyExchange === "ecdhe_psk";
  if (usesPsk && realm.findPsk === undefined) return noCommonParameters("no pre-shared keys in this realm");
  if (keyExchange === "psk") return { suite };
  const group = findGroup(hello, settings);
  if (group === undefined) return noCommonParameters("no group in common");
  if (keyExchange === "ecdhe_psk") return { suite, group };
  const proof = chooseProof(keyExchange, hello, realm, settings);
  return proof instanceof HandshakeAbort ? proof : { suite, group, proof };
}

/** RFC 8422 §4: a client that names no groups takes any; P-256 is the one every device has. */
function findGroup(hello: ClientHello, settings: HandshakeSettings): NamedGroup | undefined {
  const offered = hello.extensions.supportedGroups ?? [Groups.secp256r1];
  return settings.groups.filter(isKnownGroup).find((group) => offered.includes(group));
}

function chooseProof(
  keyExchange: KeyExchange,
  hello: ClientHello,
  realm: ServerRealm,
  settings: HandshakeSettings,
): ServerProof | HandshakeAbort {
  const { own } = realm;
  if (own === undefined) return noCommonParameters("no certificate or raw key in this realm");
  if ((keyExchange === "ecdhe_rsa") !== (own.privateKey.asymmetricKeyType === "rsa")) return noCommonParameters("a key of the other kind");
  const offered = hello.extensions;
  const schemes = offered.signatureAlgorithms ?? assumedSchemes;
  const signatureScheme = schemesOf(own.privateKey).find(
    (scheme) => schemes.includes(scheme) && settings.signatureSchemes.includes(scheme),
  );
  if (signatureScheme === undefined) return noCommonParameters("no signature scheme in common");
  if (!knowsCurveOf(own, offered.supportedGroups)) return noCommonParameters("the client does not know the curve of the server's key");
  const types = offered.serverCertificateTypes ?? assumedTypes;
  const certificateType = types.find((type) => canPresent(own, type));
  if (!isCertificateType(certificateType)) return noCertificateType("server");
  if (realm.clientAuthentication === "none") return { own, certificateType, signatureScheme, clientCertificateType: undefined };
  const accepted: readonly number[] = (realm.clientTypes ?? (["rpk", "x509"] as const)).map((type) => certificateTypeOf[type]);
  const clientCertificateType = (offered.clientCertificateTypes ?? assumedTypes).find((type) => accepted.includes(type));
  if (!isCertificateType(clientCertificateType)) return noCertificateType("client");
  return { own, certificateType, signatureScheme, clientCertificateType };
}

/** RFC 8422 §5.1: the groups of the client limit the curves of certificates, too. */
function knowsCurveOf(own: OwnKey, offered: readonly number[] | undefined): boolean {
  const group = groupOfCurve.get(own.privateKey.asymmetricKeyDetails?.namedCurve ?? "");
  return offered === undefined || group === undefined || offered.includes(group);
}

const groupOfCurve: ReadonlyMap<string, number> = new Map([
  ["prime256v1", Groups.secp256r1],
  ["secp384r1", Groups.secp384r1],
]);

function isCertificateType(type: number | undefined): type is CertificateType {
  return type === CertificateType.x509 || type === CertificateType.rawPublicKey;
}

/** RFC 7250 §4.2. */
function noCertificateType(of: "client" | "server"): HandshakeAbort {
  return new HandshakeAbort("no-common-parameters", AlertDescription.unsupportedCertificate, `no form of ${of} key in common`);
}
