/** The end of a wire without a network: datagrams go in when a test says so and come out at once, so a million of them take seconds. */
import type { DatagramSocket, SocketAddress } from "../../ports/datagram-socket.ts";

export interface SentDatagram {
  readonly to: SocketAddress;
  readonly bytes: Uint8Array;
}

export class WireEnd implements DatagramSocket {
  readonly local: SocketAddress;
  /** What the endpoint on it sends; the bytes are copies. */
  onSent: (sent: SentDatagram) => void = () => {};
  #receive: ((bytes: Uint8Array, from: SocketAddress) => void) | undefined;
  #closed = false;

  constructor(local: SocketAddress) {
    this.local = local;
  }

  /** A `Buffer`, as UDP gives, that is overwritten at once: a receiver that kept a view of it is found out (`slice` of one is no copy). */
  inject(bytes: Uint8Array, from: SocketAddress): void {
    const datagram = Buffer.from(bytes);
    this.#receive?.(datagram, from);
    datagram.fill(0xee);
  }

  send(bytes: Uint8Array, to: SocketAddress): void {
    if (!this.#closed) this.onSent({ to, bytes: new Uint8Array(bytes) });
  }

  onDatagram(receive: (bytes: Uint8Array, from: SocketAddress) => void): void {
    this.#receive = receive;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#receive = undefined;
  }
}
