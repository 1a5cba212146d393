/** Handshake messages decoded (RFC 5246 §7.4, RFC 6347 §4.3.2): what `wire/` reads and writes and the machines think in. */
import type { CertificateType, NamedGroup } from "./constants.ts";

/** Everything both hellos can carry; absent means the extension was not there. */
export interface HelloExtensions {
  /** RFC 6066 §3: the host_name of the ClientHello; an empty string in a ServerHello, which echoes the empty extension. */
  readonly serverName?: string;
  /** RFC 6066 §4: 1 to 4 for 512, 1024, 2048, 4096 bytes. */
  readonly maxFragmentLength?: number;
  readonly supportedGroups?: readonly number[];
  readonly ecPointFormats?: readonly number[];
  readonly signatureAlgorithms?: readonly number[];
  /** RFC 7250 §3: a list in the ClientHello, one of them in the ServerHello. */
  readonly clientCertificateTypes?: readonly number[];
  readonly serverCertificateTypes?: readonly number[];
  readonly encryptThenMac?: true;
  readonly extendedMasterSecret?: true;
  /** RFC 8449 §4, bytes. */
  readonly recordSizeLimit?: number;
  readonly sessionTicket?: Uint8Array;
  /** RFC 9146 §3: the id its sender wants to receive; may be empty. */
  readonly connectionId?: Uint8Array;
  /** The same under the draft's code point. */
  readonly connectionIdDraft?: Uint8Array;
  /** RFC 5746 §3.2. */
  readonly renegotiationInfo?: Uint8Array;
  /** Types that were there and are not known here, in order. */
  readonly unknown?: readonly number[];
}

export interface ClientHello {
  readonly version: number;
  /** 32 bytes. */
  readonly random: Uint8Array;
  /** 0–32 bytes. */
  readonly sessionId: Uint8Array;
  /** 0–255 bytes. */
  readonly cookie: Uint8Array;
  readonly cipherSuites: readonly number[];
  readonly compressionMethods: readonly number[];
  readonly extensions: HelloExtensions;
}

export interface HelloVerifyRequest {
  readonly version: number;
  readonly cookie: Uint8Array;
}

export interface ServerHello {
  readonly version: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly cipherSuite: number;
  readonly compressionMethod: number;
  readonly extensions: HelloExtensions;
}

/** An X.509 chain, leaf first, or one SubjectPublicKeyInfo (RFC 7250 §3); empty when the client has none. All DER. */
export type CertificateMessage =
  | { readonly type: typeof CertificateType.x509; readonly chain: readonly Uint8Array[] }
  | { readonly type: typeof CertificateType.rawPublicKey; readonly publicKey: Uint8Array | undefined };

/** RFC 8422 §5.4 (named curves only), RFC 5489 §2, RFC 4279 §2: which parts are there follows from the key exchange. */
export interface ServerKeyExchange {
  readonly pskIdentityHint?: Uint8Array;
  readonly group?: NamedGroup | number;
  readonly publicKey?: Uint8Array;
  readonly signatureScheme?: number;
  readonly signature?: Uint8Array;
}

export interface CertificateRequest {
  /** ClientCertificateType; 64 is ecdsa_sign, 1 rsa_sign. */
  readonly certificateTypes: readonly number[];
  readonly signatureAlgorithms: readonly number[];
  /** Distinguished names, DER. */
  readonly authorities: readonly Uint8Array[];
}

export interface ClientKeyExchange {
  readonly pskIdentity?: Uint8Array;
  readonly publicKey?: Uint8Array;
}

export interface CertificateVerify {
  readonly signatureScheme: number;
  readonly signature: Uint8Array;
}

export interface NewSessionTicket {
  readonly lifetimeHintSeconds: number;
  readonly ticket: Uint8Array;
}

/** The parts of a handshake that change how some bodies are read. */
export type KeyExchange = "psk" | "ecdhe_psk" | "ecdhe_ecdsa" | "ecdhe_rsa";

/** One whole handshake message (after reassembly); `body` is without the 12-byte header. */
export interface HandshakeMessage {
  readonly type: number;
  /** message_seq (RFC 6347 §4.2.2). */
  readonly sequence: number;
  readonly body: Uint8Array;
}
