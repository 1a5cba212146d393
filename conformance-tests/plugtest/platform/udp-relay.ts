/**
 * Stands between a client and a server on loopback: writes down every datagram, and loses, doubles or delays those it is told to.
 * The server sees one address per client, another one after `rebind`, as behind a NAT.
 */
import { createSocket, type Socket } from "node:dgram";
import { type SeededRandom, seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { acknowledgement, decodeWireMessage, uintValue, type WireMessage } from "../../conformance/wire-message.ts";

export interface Captured {
  readonly fromClient: boolean;
  readonly bytes: Uint8Array;
  readonly message: WireMessage;
  readonly fate: Fate;
}

/** A delayed datagram is overtaken by what follows within the time. */
export type Fate = "passed" | "lost" | "doubled" | "delayed";

export type Faults = (message: WireMessage, fromClient: boolean) => Fate;

export interface FaultShares {
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
}

const loopback = "127.0.0.1";
/** Longer than an exchange on loopback takes, shorter than any retransmission. */
const delayMs = 30;
const optionBlock1 = 27;
/** Of one message. */
const mostLosses = 2;

export function faultsBySeed(seed: number, { loss, duplication, reordering }: FaultShares): Faults {
  const random: SeededRandom = seededRandom(seed);
  const losses = new Map<string, number>();
  return (message, fromClient) => {
    const chance = random.fraction();
    if (chance < loss) {
      const key = `${fromClient} ${message.type} ${message.messageId}`;
      const before = losses.get(key) ?? 0;
      losses.set(key, before + 1);
      // How often it is sent depends on the machine too: nobody's retransmissions may be used up by chance.
      return before < mostLosses ? "lost" : "passed";
    }
    if (chance < loss + duplication) return "doubled";
    return chance < loss + duplication + reordering ? "delayed" : "passed";
  };
}

export class UdpRelay {
  readonly captured: Captured[] = [];
  faults: Faults = () => "passed";
  /**
   * For a server that takes a copy of a request for a new one, where RFC 7252 §4.5 has the answer repeated: a copy of the last block of a body
   * would be the body. That block goes through once, and its answer surely.
   */
  sparesLastBlocks = false;
  /** Message ids of last blocks that went through. */
  readonly #lastBlocks = new Set<number>();
  readonly #front: Socket;
  readonly #serverPort: number;
  /** The socket that the server sees, by the port of the client. */
  readonly #backs = new Map<number, Socket>();
  readonly #delayed = new Set<NodeJS.Timeout>();

  private constructor(front: Socket, serverPort: number) {
    this.#front = front;
    this.#serverPort = serverPort;
    front.on("message", (bytes, from) =>
      this.#carry(bytes, true, (datagram) => this.#backOf(from.port).send(datagram, this.#serverPort, loopback)),
    );
  }

  static async open(serverPort: number): Promise<UdpRelay> {
    const front = createSocket("udp4");
    await new Promise<void>((resolve) => front.bind(0, loopback, resolve));
    return new UdpRelay(front, serverPort);
  }

  get port(): number {
    return this.#front.address().port;
  }

  /** From now on every client has another address; what the server sends to the old one is lost. */
  rebind(): void {
    for (const back of this.#backs.values()) back.close();
    this.#backs.clear();
  }

  close(): void {
    for (const timer of this.#delayed) clearTimeout(timer);
    this.rebind();
    this.#front.close();
  }

  #backOf(clientPort: number): Socket {
    const known = this.#backs.get(clientPort);
    if (known !== undefined) return known;
    const back = createSocket("udp4");
    back.on("message", (bytes) => this.#carry(bytes, false, (datagram) => this.#front.send(datagram, clientPort, loopback)));
    this.#backs.set(clientPort, back);
    return back;
  }

  #spared(message: WireMessage, fromClient: boolean): Fate | undefined {
    const { messageId } = message;
    const block1 = fromClient ? uintValue(message, optionBlock1) : undefined;
    // Number, more, size (RFC 7959 §2.2).
    if (block1 !== undefined && block1 >> 4 > 0 && (block1 & 8) === 0) {
      if (this.#lastBlocks.has(messageId)) return "lost";
      this.#lastBlocks.add(messageId);
      return "passed";
    }
    return !fromClient && message.type === acknowledgement && this.#lastBlocks.has(messageId) ? "passed" : undefined;
  }

  #carry(bytes: Uint8Array, fromClient: boolean, send: (datagram: Uint8Array) => void): void {
    const message = decodeWireMessage(bytes);
    const chance = this.faults(message, fromClient);
    const fate = (this.sparesLastBlocks ? this.#spared(message, fromClient) : undefined) ?? chance;
    this.captured.push({ fromClient, bytes, message, fate });
    if (fate === "lost") return;
    if (fate === "delayed") {
      const timer = setTimeout(() => {
        this.#delayed.delete(timer);
        send(bytes);
      }, delayMs);
      this.#delayed.add(timer);
      return;
    }
    send(bytes);
    if (fate === "doubled") send(bytes);
  }
}
