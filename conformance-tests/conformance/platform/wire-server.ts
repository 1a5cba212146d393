/** The LwM2M server the runner plays for a client under test: takes its registration as bytes, shows what came, can forget it. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import {
  confirmable,
  decodeWireMessage,
  emptyReply,
  encodeWireMessage,
  nonConfirmable,
  responseTo,
  textOption,
  textValues,
  type WireMessage,
  wireCode,
  wireOption,
} from "../wire-message.ts";
import { Mailbox } from "./mailbox.ts";
import { type Note, WirePeer, type WireTarget } from "./wire-peer.ts";

export interface Contact {
  readonly kind: "register" | "update" | "deregister";
  readonly message: WireMessage;
  readonly peer: WirePeer;
  /** The answer it got. */
  readonly answer: number;
}

export class WireServer {
  readonly #socket: Socket;
  readonly #peers = new Map<string, WirePeer>();
  /** By address and message id: a repetition gets the same bytes (RFC 7252 §4.5). */
  readonly #answered = new Map<string, Uint8Array>();
  readonly #contacts = new Mailbox<Contact>();
  readonly #registered = new Mailbox<Contact>();
  #registration: Contact | undefined;
  #location: string | undefined;
  #locations = 0;
  #note: Note = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (bytes, from) => this.#take(bytes, from));
    socket.on("error", (error) => this.#note(`error ${error.message}`));
  }

  /** Throws a RangeError when the address cannot be taken. */
  static async open({ host, port }: WireTarget): Promise<WireServer> {
    const { address, family } = await lookup(host).catch((error: unknown) => {
      throw new RangeError(`--target: ${String(error)}`);
    });
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (error) => reject(new RangeError(`--target: ${error.message}`)));
      socket.bind(port, address, resolve);
    });
    socket.removeAllListeners("error");
    return new WireServer(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Where the messages of the case that begins now go. What came before is no longer seen. */
  beginCase(note: Note): void {
    this.#note = note;
    this.#contacts.clear();
  }

  /** The Register in force, awaited. */
  async registration(timeoutMs: number): Promise<Contact | undefined> {
    return this.#registration ?? this.#registered.take((each) => each === this.#registration, timeoutMs);
  }

  /** The next message of the registration interface that fits and was not yet taken. */
  contact(fits: (contact: Contact) => boolean, timeoutMs: number): Promise<Contact | undefined> {
    return this.#contacts.take(fits, timeoutMs);
  }

  /** From here on `registration` means one to come; the one in force stays valid. */
  beginRegistration(): void {
    this.#registration = undefined;
    this.#registered.clear();
  }

  /** As a server that lost its memory: the next Update is answered 4.04. */
  forget(): void {
    this.#registration = undefined;
    this.#location = undefined;
    this.#registered.clear();
    this.#answered.clear();
  }

  close(): void {
    this.#contacts.close();
    this.#registered.close();
    this.#socket.close();
  }

  #take(bytes: Uint8Array, { address, port }: RemoteInfo): void {
    const remote = `${address} ${port}`;
    const peer = this.#peerAt(remote, address, port);
    peer.take(bytes);
    let message: WireMessage;
    try {
      message = decodeWireMessage(bytes);
    } catch (error) {
      if (error instanceof RangeError) return;
      throw error;
    }
    if (message.type !== confirmable && message.type !== nonConfirmable) return;
    if (message.code === 0) peer.send(emptyReply(message, "reset"));
    else if (message.code < 0x20) this.#serve(message, peer, `${remote} ${message.messageId}`);
  }

  #peerAt(remote: string, address: string, port: number): WirePeer {
    const known = this.#peers.get(remote);
    if (known !== undefined) return known;
    const link = { send: (bytes: Uint8Array) => this.#socket.send(bytes, port, address), close: () => undefined };
    const peer = new WirePeer(link, (line) => this.#note(line));
    this.#peers.set(remote, peer);
    return peer;
  }

  #serve(message: WireMessage, peer: WirePeer, key: string): void {
    const before = this.#answered.get(key);
    if (before !== undefined) {
      peer.sendBytes(before);
      return;
    }
    const kind = this.#kindOf(message);
    const answer = this.#answer(message, kind);
    const bytes = encodeWireMessage(answer);
    this.#answered.set(key, bytes);
    peer.sendBytes(bytes);
    if (kind === undefined) return;
    const contact: Contact = { kind, message, peer, answer: answer.code };
    if (kind === "register") {
      this.#registration = contact;
      this.#registered.put(contact);
    }
    if (kind === "deregister" && answer.code === wireCode.deleted) {
      this.#registration = undefined;
      this.#location = undefined;
    }
    // The address of a client may change between two Updates (LwM2M Core 1.1 §6.2.2).
    if (kind === "update" && this.#registration !== undefined) this.#registration = { ...this.#registration, peer };
    this.#contacts.put(contact);
  }

  #kindOf(message: WireMessage): Contact["kind"] | undefined {
    const [root, location] = textValues(message, wireOption.uriPath);
    if (root !== "rd") return undefined;
    if (message.code === wireCode.delete) return "deregister";
    if (message.code !== wireCode.post) return undefined;
    return location === undefined ? "register" : "update";
  }

  #answer(message: WireMessage, kind: Contact["kind"] | undefined): WireMessage {
    if (kind === "register") {
      this.#location = `c${++this.#locations}`;
      const options = ["rd", this.#location].map((each) => textOption(wireOption.locationPath, each));
      return responseTo(message, wireCode.created, options);
    }
    const isKnown = this.#location !== undefined && textValues(message, wireOption.uriPath)[1] === this.#location;
    if (kind === undefined || !isKnown) return responseTo(message, wireCode.notFound);
    return responseTo(message, kind === "update" ? wireCode.changed : wireCode.deleted);
  }
}
