/**
 * The sockets of a whole fleet as one `DatagramSocket`, so that one CoAP endpoint serves all devices: to it each device is a peer of its own,
 * with message ids, tokens, deduplication and NSTART of its own, under an address that stands for the device's socket.
 */
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

/** RFC 1122 §3.2.1.3: "this host"; never the address of anybody a datagram comes from. */
const standIn = "0.0.0.0";

/** As many as there are ports to stand for them. */
export const mostDevices = 65_535;

export function addressOf(index: number): SocketAddress {
  return { address: standIn, port: index + 1 };
}

export function indexOf(address: SocketAddress): number {
  return address.port - 1;
}

export interface JoinedSocketsOptions {
  readonly server: SocketAddress;
  /** Whether the device listens: one in queue mode sleeps. */
  readonly hears: (index: number) => boolean;
  /** It has sent or heard something. */
  readonly onTraffic: (index: number) => void;
}

export class JoinedSockets implements DatagramSocket {
  readonly local: SocketAddress = { address: standIn, port: 0 };
  readonly #options: JoinedSocketsOptions;
  readonly #sockets: (DatagramSocket | undefined)[] = [];
  #receive: ((bytes: Uint8Array, from: SocketAddress) => void) | undefined;
  #missed = 0;

  constructor(options: JoinedSocketsOptions) {
    this.#options = options;
  }

  /** Datagrams for devices that slept. */
  get missed(): number {
    return this.#missed;
  }

  add(index: number, socket: DatagramSocket): void {
    const address = addressOf(index);
    this.#sockets[index] = socket;
    socket.onDatagram((bytes) => {
      if (!this.#options.hears(index)) {
        this.#missed++;
        return;
      }
      this.#options.onTraffic(index);
      this.#receive?.(bytes, address);
    });
  }

  send(bytes: Uint8Array, to: SocketAddress): void {
    const index = indexOf(to);
    this.#options.onTraffic(index);
    this.#sockets[index]?.send(bytes, this.#options.server);
  }

  onDatagram(receive: (bytes: Uint8Array, from: SocketAddress) => void): void {
    this.#receive = receive;
  }

  async close(): Promise<void> {
    this.#receive = undefined;
    await Promise.all(this.#sockets.splice(0).map((socket) => socket?.close()));
  }
}
