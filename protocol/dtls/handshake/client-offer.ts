/** What a client offers, and whether the ServerHello keeps to it (RFC 5246 §7.4.1). Pure. */
import { AlertDescription, CertificateType, ProtocolVersion, SignallingSuite } from "../constants.ts";
import type { ClientCredentials, ResumableSession } from "../credentials-contract.ts";
import { type Suite, suiteOf } from "../crypto/suites.ts";
import type { HandshakeSettings, NegotiatedIds } from "../handshake-contract.ts";
import type { ClientHello, HelloExtensions, ServerHello } from "../messages.ts";
import { HandshakeAbort, illegalParameter, noCommonParameters } from "./abort.ts";
import { canPresent, certificateTypeOf } from "./peer-key.ts";
import { fragmentLengthCode, fragmentLengthOf, largestRecordBytes, type Terms } from "./terms.ts";

export interface Offer {
  readonly hello: ClientHello;
  readonly session: ResumableSession | undefined;
}

/** What a ServerHello settled. */
export interface Agreement {
  readonly terms: Terms;
  /** The session that goes on, when the server took the one offered. */
  readonly resumed: ResumableSession | undefined;
  readonly serverCertificateType: CertificateType;
  /** What a CertificateRequest will mean. */
  readonly clientCertificateType: CertificateType;
}

const nullCompression = 0;
const uncompressedPoint = 0;
const empty = new Uint8Array(0);
/** RFC 7250 §4.1: what is meant where nothing is said. */
const x509Alone: readonly number[] = [CertificateType.x509];

export interface OfferParts {
  readonly settings: HandshakeSettings;
  readonly credentials: ClientCredentials;
  readonly ownConnectionId: Uint8Array | undefined;
  readonly session: ResumableSession | undefined;
  readonly random: Uint8Array;
}

/** Throws `Error` when the credentials fit no suite of the settings. */
export function makeOffer({ settings, credentials, ownConnectionId, session, random }: OfferParts): Offer {
  const suites = (credentials.cipherSuites ?? settings.cipherSuites).filter((id) => canUse(suiteOf(id), credentials));
  if (suites.length === 0) throw new Error("the credentials fit none of the cipher suites that are set");
  // RFC 5246 §7.4.1.2: who resumes offers the suite of the session.
  const offered = session !== undefined && suites.includes(session.cipherSuite) && session.serverName === credentials.serverName;
  return {
    session: offered ? session : undefined,
    hello: {
      version: ProtocolVersion.dtls12,
      random,
      sessionId: offered ? session.sessionId : empty,
      cookie: empty,
      // RFC 5746 §3.4: the signal, so that the hello of the smallest client needs no extension for it.
      cipherSuites: [...suites, SignallingSuite.emptyRenegotiationInfo],
      compressionMethods: [nullCompression],
      extensions: offeredExtensions(suites, settings, credentials, ownConnectionId),
    },
  };
}

function canUse(suite: Suite | undefined, credentials: ClientCredentials): boolean {
  switch (suite?.keyExchange) {
    case undefined:
      return false;
    case "psk":
    case "ecdhe_psk":
      return credentials.psk !== undefined;
    case "ecdhe_ecdsa":
    case "ecdhe_rsa":
      return credentials.verifyServer !== undefined;
  }
}

function offeredExtensions(
  suites: readonly number[],
  settings: HandshakeSettings,
  credentials: ClientCredentials,
  ownConnectionId: Uint8Array | undefined,
): HelloExtensions {
  const exchanges = new Set(suites.map((id) => suiteOf(id)?.keyExchange));
  const usesCertificates = exchanges.has("ecdhe_ecdsa") || exchanges.has("ecdhe_rsa");
  const usesGroups = usesCertificates || exchanges.has("ecdhe_psk");
  const usesCbc = suites.some((id) => suiteOf(id)?.aead === false);
  const { maxFragmentLength, recordSizeLimit } = settings;
  return {
    extendedMasterSecret: true,
    ...(credentials.serverName === undefined ? {} : { serverName: credentials.serverName }),
    ...(usesGroups ? { supportedGroups: settings.groups, ecPointFormats: [uncompressedPoint] } : {}),
    ...(usesCertificates ? { signatureAlgorithms: settings.signatureSchemes, ...certificateTypes(credentials) } : {}),
    ...(usesCbc ? { encryptThenMac: true } : {}),
    ...(ownConnectionId === undefined ? {} : { connectionId: ownConnectionId }),
    ...(maxFragmentLength === undefined ? {} : { maxFragmentLength: fragmentLengthCode(maxFragmentLength) }),
    ...(recordSizeLimit === undefined ? {} : { recordSizeLimit }),
  };
}

/** RFC 7250 §4.1: a list that says X.509 alone says nothing and is left out. */
function certificateTypes({ own, serverTypes }: ClientCredentials): HelloExtensions {
  const ownTypes = [CertificateType.x509, CertificateType.rawPublicKey].filter((type) => own !== undefined && canPresent(own, type));
  const peerTypes = serverTypes?.map((type) => certificateTypeOf[type]) ?? (ownTypes.length === 0 ? [CertificateType.x509] : ownTypes);
  return {
    ...(saysMoreThanX509(ownTypes) ? { clientCertificateTypes: ownTypes } : {}),
    ...(saysMoreThanX509(peerTypes) ? { serverCertificateTypes: peerTypes } : {}),
  };
}

function saysMoreThanX509(types: readonly number[]): boolean {
  return types.includes(CertificateType.rawPublicKey);
}

/** Throws `HandshakeAbort` for an answer to something that was not asked. */
export function agree(offer: Offer, answer: ServerHello, settings: HandshakeSettings): Agreement {
  if (answer.version !== ProtocolVersion.dtls12) {
    throw new HandshakeAbort(
      "no-common-parameters",
      AlertDescription.protocolVersion,
      `the server chose version ${answer.version.toString(16)}`,
    );
  }
  const suite = offer.hello.cipherSuites.includes(answer.cipherSuite) ? suiteOf(answer.cipherSuite) : undefined;
  if (suite === undefined) throw illegalParameter(`the server chose suite ${answer.cipherSuite}, which was not offered`);
  if (answer.compressionMethod !== nullCompression) throw illegalParameter(`compression ${answer.compressionMethod}`);
  requireOffered(offer.hello, answer.extensions);
  const terms = clientTerms(offer.hello, answer.extensions, suite);
  if (settings.requireExtendedMasterSecret && !terms.extendedMasterSecret) {
    throw noCommonParameters("the server has no extended_master_secret (RFC 7627 §5.2)");
  }
  const resumed = resumedBy(offer, answer, terms);
  const { extensions: offered } = offer.hello;
  const { serverCertificateTypes = x509Alone, clientCertificateTypes } = answer.extensions;
  const usesCertificate = suite.keyExchange === "ecdhe_ecdsa" || suite.keyExchange === "ecdhe_rsa";
  return {
    terms,
    resumed,
    // A server that does not know the extension has X.509 in mind, when it is going to show something at all.
    serverCertificateType: chosenType(
      serverCertificateTypes,
      resumed === undefined && usesCertificate ? offered.serverCertificateTypes : undefined,
    ),
    // It says nothing about the client's when it will not ask for it (RFC 7250 §4.2).
    clientCertificateType:
      clientCertificateTypes === undefined ? CertificateType.x509 : chosenType(clientCertificateTypes, offered.clientCertificateTypes),
  };
}

/** RFC 5246 §7.4.1.4: an extension nobody asked for is unsupported_extension. */
function requireOffered({ extensions: offered }: ClientHello, answered: HelloExtensions): void {
  for (const name of Object.keys(answered)) {
    // The signal among the suites asked for it (RFC 5746 §3.4).
    if (name === "renegotiationInfo" || Object.hasOwn(offered, name)) continue;
    throw new HandshakeAbort("bad-message", AlertDescription.unsupportedExtension, `${name} in the ServerHello was not offered`);
  }
  if ((answered.renegotiationInfo?.length ?? 0) > 0) throw noCommonParameters("renegotiation_info in a first handshake (RFC 5746 §3.4)");
}

function clientTerms({ extensions: offered }: ClientHello, answered: HelloExtensions, suite: Suite): Terms {
  const { maxFragmentLength: code, recordSizeLimit } = answered;
  if (code !== undefined && recordSizeLimit !== undefined)
    throw illegalParameter("max_fragment_length and record_size_limit (RFC 8449 §5)");
  // RFC 6066 §4: the same length or none.
  if (code !== offered.maxFragmentLength && code !== undefined) throw illegalParameter(`max_fragment_length ${code}`);
  if (answered.encryptThenMac === true && suite.aead) throw illegalParameter("encrypt_then_mac with an AEAD suite (RFC 7366 §3)");
  const maxFragmentLength = code === undefined ? undefined : fragmentLengthOf(code);
  const ownLimit = recordSizeLimit === undefined ? undefined : offered.recordSizeLimit;
  return {
    suite,
    extendedMasterSecret: answered.extendedMasterSecret === true,
    encryptThenMac: answered.encryptThenMac === true,
    connectionIds: idsOf(offered, answered),
    maxFragmentLength,
    largestSendBytes: Math.min(maxFragmentLength ?? largestRecordBytes, recordSizeLimit ?? largestRecordBytes),
    largestReceiveBytes: maxFragmentLength ?? ownLimit ?? largestRecordBytes,
  };
}

function idsOf(offered: HelloExtensions, answered: HelloExtensions): NegotiatedIds | undefined {
  const { connectionId: own } = offered;
  const { connectionId: peer } = answered;
  return own === undefined || peer === undefined ? undefined : { own, peer, draft: false };
}

/** The server resumes by repeating the id; then everything the session fixed must be as it was (RFC 5246 §7.4.1.3, RFC 7627 §5.3). */
function resumedBy({ session }: Offer, answer: ServerHello, terms: Terms): ResumableSession | undefined {
  if (session === undefined || !isEqual(session.sessionId, answer.sessionId)) return undefined;
  const { cipherSuite, extendedMasterSecret, encryptThenMac, maxFragmentLength } = session;
  if (cipherSuite !== answer.cipherSuite) throw illegalParameter("another suite than that of the session");
  if (extendedMasterSecret !== terms.extendedMasterSecret) throw noCommonParameters("extended_master_secret unlike the session's");
  if (encryptThenMac !== terms.encryptThenMac) throw illegalParameter("encrypt_then_mac unlike the session's");
  if (maxFragmentLength !== terms.maxFragmentLength) throw illegalParameter("max_fragment_length unlike the session's");
  return session;
}

function chosenType([type]: readonly number[], offered: readonly number[] = x509Alone): CertificateType {
  const isOffered = type !== undefined && offered.includes(type);
  if (isOffered && (type === CertificateType.x509 || type === CertificateType.rawPublicKey)) return type;
  throw new HandshakeAbort("bad-message", AlertDescription.unsupportedCertificate, `certificate type ${type} was not offered`);
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
