/** A scripted CoAP peer on a UDP socket: sends exactly what it is told, shows exactly what came. Real time, as a conformance run is. */
import { randomBytes, randomInt } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { codeText, confirmable, decodeWireMessage, encodeWireMessage, type WireMessage, type WireOption } from "../wire-message.ts";

export interface WireTarget {
  readonly host: string;
  readonly port: number;
}

export interface WireRequest {
  readonly code: number;
  readonly options: readonly WireOption[];
  readonly payload?: Uint8Array;
}

const answerTimeoutMs = 5_000;
const defaultCoapPort = 5_683;

/** Throws a RangeError for anything but `coap://host[:port]`. */
export function parseTarget(uri: string): WireTarget {
  const parts = /^coap:\/\/(\[[0-9a-fA-F:]+\]|[^:/[\]]+)(?::(\d{1,5}))?\/?$/.exec(uri);
  if (parts === null) throw new RangeError(`--target: got ${uri}, expected coap://host[:port]`);
  return { host: (parts[1] ?? "").replace(/^\[|\]$/g, ""), port: parts[2] === undefined ? defaultCoapPort : Number(parts[2]) };
}

export class WirePeer {
  readonly #socket: Socket;
  readonly #trace: string[];
  readonly #received: WireMessage[] = [];
  readonly #waiters = new Set<() => void>();

  private constructor(socket: Socket, trace: string[]) {
    this.#socket = socket;
    this.#trace = trace;
    socket.on("message", (bytes) => this.#take(bytes));
    // An ICMP "port unreachable" shows as an error of the socket: the missing answer tells the case.
    socket.on("error", (error) => this.#trace.push(`error ${error.message}`));
  }

  static async open(target: WireTarget, trace: string[]): Promise<WirePeer> {
    const { address, family } = await lookup(target.host);
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(target.port, address, resolve);
    });
    socket.removeAllListeners("error");
    return new WirePeer(socket, trace);
  }

  /** A confirmable request with fresh message id and token. */
  compose(request: WireRequest): WireMessage {
    return {
      type: confirmable,
      code: request.code,
      messageId: randomInt(0x1_0000),
      token: randomBytes(4),
      options: request.options,
      payload: request.payload ?? new Uint8Array(),
    };
  }

  send(message: WireMessage): void {
    this.sendBytes(encodeWireMessage(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#trace.push(`-> ${describe(bytes)}`);
    this.#socket.send(bytes);
  }

  /** The first message that fits among those not yet taken, undefined when none comes in time. */
  receive(fits: (message: WireMessage) => boolean, timeoutMs = answerTimeoutMs): Promise<WireMessage | undefined> {
    return new Promise((resolve) => {
      const finish = (message: WireMessage | undefined): void => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        resolve(message);
      };
      const look = (): void => {
        const index = this.#received.findIndex(fits);
        const [message] = index < 0 ? [] : this.#received.splice(index, 1);
        if (message !== undefined) finish(message);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.#waiters.add(look);
      look();
    });
  }

  /** Sends a request and gives the response to its token, piggybacked or separate; undefined when none came. */
  async exchange(request: WireRequest): Promise<WireMessage | undefined> {
    const message = this.compose(request);
    this.send(message);
    const response = await this.receive(({ code, token }) => code >> 5 >= 2 && Buffer.from(token).equals(message.token));
    if (response?.type === confirmable)
      this.send({ ...response, type: 2, code: 0, token: new Uint8Array(), options: [], payload: new Uint8Array() });
    return response;
  }

  close(): void {
    this.#socket.close();
  }

  #take(bytes: Uint8Array): void {
    this.#trace.push(`<- ${describe(bytes)}`);
    try {
      this.#received.push(decodeWireMessage(bytes));
    } catch {
      return;
    }
    for (const look of [...this.#waiters]) look();
  }
}

function describe(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  try {
    const { type, code, messageId } = decodeWireMessage(bytes);
    return `${["CON", "NON", "ACK", "RST"][type]} ${codeText(code)} mid=${messageId} ${hex}`;
  } catch {
    return hex;
  }
}
