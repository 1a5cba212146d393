/** A bound datagram socket: UDP in production, the memory network in tests, DTLS plaintext later. */
export interface DatagramSocket {
  readonly local: SocketAddress;
  /** Best effort: a failed send is counted by the socket, never thrown. The bytes are free for reuse when it returns. */
  send(bytes: Uint8Array, to: SocketAddress): void;
  /** One receiver; the bytes are valid only during the call. */
  onDatagram(receive: (bytes: Uint8Array, from: SocketAddress) => void): void;
  close(): Promise<void>;
}

export interface SocketAddress {
  /** IPv4 dotted or IPv6 text, never a host name. */
  readonly address: string;
  /** 1–65,535. */
  readonly port: number;
}
