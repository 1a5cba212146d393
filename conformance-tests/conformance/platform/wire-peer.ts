/** A scripted CoAP peer on a UDP socket: sends exactly what it is told, shows exactly what came. Real time, as a conformance run is. */
import { randomBytes, randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import {
  codeText,
  confirmable,
  decodeWireMessage,
  emptyReply,
  encodeWireMessage,
  type WireMessage,
  type WireOption,
} from "../wire-message.ts";
import { Mailbox } from "./mailbox.ts";

export interface WireTarget {
  readonly host: string;
  readonly port: number;
}

export interface WireRequest {
  readonly code: number;
  readonly options: readonly WireOption[];
  readonly payload?: Uint8Array;
}

/** Takes one line per message, as evidence. */
export type Note = (line: string) => void;

/** The way to the other side. */
export interface WireLink {
  send(bytes: Uint8Array): void;
  close(): void;
}

const answerTimeoutMs = 10_000;
const defaultCoapPort = 5_683;

/** Throws a RangeError for anything but `coap://host[:port]`. */
export function parseTarget(uri: string): WireTarget {
  const parts = /^coap:\/\/(\[[0-9a-fA-F:]+\]|[^:/[\]]+)(?::(\d{1,5}))?\/?$/.exec(uri);
  if (parts === null) throw new RangeError(`--target: got ${uri}, expected coap://host[:port]`);
  return { host: (parts[1] ?? "").replace(/^\[|\]$/g, ""), port: parts[2] === undefined ? defaultCoapPort : Number(parts[2]) };
}

export class WirePeer {
  readonly #link: WireLink;
  readonly #note: Note;
  readonly #received = new Mailbox<WireMessage>();

  constructor(link: WireLink, note: Note) {
    this.#link = link;
    this.#note = note;
  }

  static async open(target: WireTarget, note: Note): Promise<WirePeer> {
    const { address, family } = await lookup(target.host);
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(target.port, address, resolve);
    });
    socket.removeAllListeners("error");
    const peer = new WirePeer({ send: (bytes) => socket.send(bytes), close: () => socket.close() }, note);
    socket.on("message", (bytes) => peer.take(bytes));
    // An ICMP "port unreachable" shows as an error of the socket: the missing answer tells the case.
    socket.on("error", (error) => note(`error ${error.message}`));
    return peer;
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
    this.#note(`-> ${describe(bytes)}`);
    this.#link.send(bytes);
  }

  /** The first message that fits among those not yet taken, undefined when none comes in time. */
  receive(fits: (message: WireMessage) => boolean, timeoutMs = answerTimeoutMs): Promise<WireMessage | undefined> {
    return this.#received.take(fits, timeoutMs);
  }

  /** Sends a request and gives the response to its token, piggybacked or separate; undefined when none came. */
  async exchange(request: WireRequest): Promise<WireMessage | undefined> {
    return this.exchangeMessage(this.compose(request));
  }

  async exchangeMessage(message: WireMessage): Promise<WireMessage | undefined> {
    this.send(message);
    const response = await this.receive(({ code, token }) => code >> 5 >= 2 && Buffer.from(token).equals(message.token));
    if (response?.type === confirmable) this.send(emptyReply(response, "acknowledgement"));
    return response;
  }

  close(): void {
    this.#link.close();
  }

  /** A datagram of the other side. */
  take(bytes: Uint8Array): void {
    this.#note(`<- ${describe(bytes)}`);
    try {
      this.#received.put(decodeWireMessage(bytes));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
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
