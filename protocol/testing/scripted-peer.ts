/** A peer that does exactly what a test says, byte by byte: for what a correct endpoint would never send. */
import type { DatagramSocket, SocketAddress } from "../ports/datagram-socket.ts";
import type { MemoryNetwork } from "./memory-network.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface HeardDatagram {
  /** Milliseconds since the peer was made. */
  readonly at: number;
  readonly hex: string;
}

export class ScriptedPeer {
  readonly address: SocketAddress;
  /** What arrived and was not taken yet. */
  readonly heard: HeardDatagram[] = [];
  readonly #clock: VirtualClock;
  readonly #socket: DatagramSocket;
  readonly #to: SocketAddress;
  readonly #startedAt: number;

  constructor(network: MemoryNetwork, clock: VirtualClock, address: SocketAddress, to: SocketAddress) {
    this.address = address;
    this.#clock = clock;
    this.#socket = network.socket(address);
    this.#to = to;
    this.#startedAt = clock.now();
    this.#socket.onDatagram((bytes) => this.heard.push({ at: clock.now() - this.#startedAt, hex: Buffer.from(bytes).toString("hex") }));
  }

  /** Blanks in the hex are for the reader. */
  send(hex: string): void {
    const bytes = Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
    this.#socket.send(bytes, this.#to);
  }

  /** Sends, lets `ms` pass, and takes what arrived. */
  async ask(hex: string, ms = 100): Promise<string[]> {
    this.send(hex);
    return this.listen(ms);
  }

  /** Lets `ms` pass and takes what arrived. */
  async listen(ms = 100): Promise<string[]> {
    await this.#clock.advance(ms);
    return this.heard.splice(0).map((datagram) => datagram.hex);
  }

  close(): Promise<void> {
    return this.#socket.close();
  }
}

/** Bytes 2 and 3 of a message, as they stand in its hex. */
export function messageIdOf(hex: string): string {
  return hex.slice(4, 8);
}

/** The token as it stands in the hex of a message. */
export function tokenOf(hex: string): string {
  return hex.slice(8, 8 + 2 * Number.parseInt(hex.slice(1, 2), 16));
}
