/** Numbers of TLS and DTLS 1.2 as IANA lists them; only those this implementation speaks or must recognise. */

/** RFC 5246 §6.2.1; `connectionId` is RFC 9146 §4. */
export const ContentType = {
  changeCipherSpec: 20,
  alert: 21,
  handshake: 22,
  applicationData: 23,
  connectionId: 25,
} as const;

/** The 16-bit wire form: the ones' complement of "1.2" (RFC 6347 §4.1). */
export const ProtocolVersion = { dtls10: 0xfeff, dtls12: 0xfefd } as const;

/** RFC 5246 §7.4; `helloVerifyRequest` is RFC 6347 §4.3.2, `newSessionTicket` RFC 5077 §3.3. */
export const HandshakeType = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
  newSessionTicket: 4,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  clientKeyExchange: 16,
  finished: 20,
} as const;

export const AlertLevel = { warning: 1, fatal: 2 } as const;

/** RFC 5246 §7.2, RFC 6066 §9, RFC 4279 §6. */
export const AlertDescription = {
  closeNotify: 0,
  unexpectedMessage: 10,
  badRecordMac: 20,
  recordOverflow: 22,
  handshakeFailure: 40,
  badCertificate: 42,
  unsupportedCertificate: 43,
  certificateRevoked: 44,
  certificateExpired: 45,
  certificateUnknown: 46,
  illegalParameter: 47,
  unknownCa: 48,
  accessDenied: 49,
  decodeError: 50,
  decryptError: 51,
  protocolVersion: 70,
  insufficientSecurity: 71,
  internalError: 80,
  userCanceled: 90,
  noRenegotiation: 100,
  unsupportedExtension: 110,
  unrecognizedName: 112,
  unknownPskIdentity: 115,
} as const;
export type AlertDescription = (typeof AlertDescription)[keyof typeof AlertDescription];

/** `connectionIdDraft` is the code point of draft-ietf-tls-dtls-connection-id-05 to -07, whose MAC differs from RFC 9146. */
export const ExtensionType = {
  serverName: 0,
  maxFragmentLength: 1,
  supportedGroups: 10,
  ecPointFormats: 11,
  signatureAlgorithms: 13,
  clientCertificateType: 19,
  serverCertificateType: 20,
  encryptThenMac: 22,
  extendedMasterSecret: 23,
  recordSizeLimit: 28,
  sessionTicket: 35,
  connectionIdDraft: 53,
  connectionId: 54,
  renegotiationInfo: 0xff01,
} as const;

export const NamedGroup = { secp256r1: 23, secp384r1: 24, x25519: 29 } as const;
export type NamedGroup = (typeof NamedGroup)[keyof typeof NamedGroup];

/** TLS 1.2 SignatureAndHashAlgorithm as one 16-bit number, hash first; the names are those of RFC 8446 §4.2.3. */
export const SignatureScheme = {
  rsaPkcs1Sha256: 0x0401,
  ecdsaSecp256r1Sha256: 0x0403,
  rsaPkcs1Sha384: 0x0501,
  ecdsaSecp384r1Sha384: 0x0503,
  rsaPssRsaeSha256: 0x0804,
  ed25519: 0x0807,
} as const;
export type SignatureScheme = (typeof SignatureScheme)[keyof typeof SignatureScheme];

/** RFC 7250 §3. */
export const CertificateType = { x509: 0, rawPublicKey: 2 } as const;
export type CertificateType = (typeof CertificateType)[keyof typeof CertificateType];

/** Signals in the list of cipher suites that are no suites (RFC 5746 §3.3, RFC 7507). */
export const SignallingSuite = { emptyRenegotiationInfo: 0x00ff, fallback: 0x5600 } as const;
