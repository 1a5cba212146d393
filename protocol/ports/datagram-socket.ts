/** A bound datagram socket: UDP in production, the memory network in tests, the plaintext side of DTLS. */
export interface DatagramSocket {
  readonly local: SocketAddress;
  /** The bytes of every datagram are the receiver's to keep: the socket does not touch them again. Default false. */
  readonly givesBytesAway?: boolean;
  /** Best effort: a failed send is counted by the socket, never thrown. The bytes are free for reuse when it returns. */
  send(bytes: Uint8Array, to: SocketAddress): void;
  /** One receiver; the bytes are valid only during the call, unless the socket gives them away. */
  onDatagram(receive: (bytes: Uint8Array, from: SocketAddress) => void): void;
  close(): Promise<void>;
}

export interface SocketAddress {
  /** IPv4 dotted or IPv6 text, never a host name. */
  readonly address: string;
  /** 1–65,535. */
  readonly port: number;
  /** The secured connection a datagram came by, or is to go by; absent on plain UDP. */
  readonly association?: Association;
}

/** One secured connection. It outlives changes of the address it is heard from, and with a connection id also a restart of the server. */
export interface Association {
  /** Negative, and never given twice by one endpoint: equal exactly when two datagrams came by the same connection. */
  readonly key: number;
  /** What the peer proved in the handshake; undefined for one that stayed anonymous. */
  readonly identity: SecureIdentity | undefined;
  /** The SNI name the peer asked for (RFC 6066 §3). */
  readonly serverName: string | undefined;
  /** False after a restart that could not save the replay window, until the peer has sent something newer after we sent to it. */
  readonly fresh: boolean;
}

/** Who the other side proved to be. */
export type SecureIdentity =
  /** Opaque bytes (RFC 4279 §5.1), 1–128 of them in LwM2M (RFC 7925 §4.2). */
  | { readonly kind: "psk"; readonly identity: Uint8Array }
  /** SubjectPublicKeyInfo, DER (RFC 7250 §3). */
  | { readonly kind: "rpk"; readonly publicKey: Uint8Array }
  | {
      readonly kind: "x509";
      /** The leaf, DER. */
      readonly certificate: Uint8Array;
      readonly commonName: string | undefined;
      readonly dnsNames: readonly string[];
      readonly uris: readonly string[];
      /** SHA-256 of the anchor's SubjectPublicKeyInfo that the chain ended at; undefined for a certificate trusted by itself. */
      readonly anchorSha256: Uint8Array | undefined;
    };
