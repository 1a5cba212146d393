/** What lies between one device and a server: it counts ClientHellos, can be cut, bounds datagrams, and changes the port as a NAT does. */
import { createSocket, type Socket } from "node:dgram";
import { loopback } from "./our-dtls.ts";

/** RFC 6347 §4.1, §4.2.2: types, and offsets in a record without connection id. */
const record = { changeCipherSpec: 20, handshake: 22, epochAt: 3, lengthAt: 11, headerBytes: 13, clientHello: 1 } as const;

export interface LinkSettings {
  /** Where the device finds it: an address of loopback of its own makes it stand for the server, at the server's port. */
  readonly host?: string;
  readonly port?: number;
  /** Larger datagrams are lost, both ways. */
  readonly mostBytes?: number;
}

export class DeviceLink {
  /** ClientHellos of the device, repeated ones too: no new one is no new handshake. */
  hellos = 0;
  /** ChangeCipherSpecs of both sides: the server's says that it has accepted the device's keys. */
  readonly keyChanges = { device: 0, server: 0 };
  /** Datagrams of the device. */
  sent = 0;
  /** Datagrams that were too large. */
  tooLarge = 0;
  isCut = false;
  readonly #front: Socket;
  readonly #server: number;
  readonly #mostBytes: number;
  readonly #backs: Socket[] = [];
  #device: { readonly address: string; readonly port: number } | undefined;

  private constructor(front: Socket, server: number, mostBytes: number) {
    this.#front = front;
    this.#server = server;
    this.#mostBytes = mostBytes;
  }

  /** Towards a port of loopback. */
  static async open(server: number, settings: LinkSettings = {}): Promise<DeviceLink> {
    const front = createSocket("udp4");
    const link = new DeviceLink(front, server, settings.mostBytes ?? Number.POSITIVE_INFINITY);
    await bound(front, settings.port ?? 0, settings.host ?? loopback);
    await link.changePort();
    front.on("message", (bytes, from) => link.#up(bytes, from));
    return link;
  }

  get uri(): string {
    const { address, port } = this.#front.address();
    return `coaps://${address}:${port}`;
  }

  /** The port the server sees. */
  get port(): number {
    return this.#back.address().port;
  }

  /** What still comes to the old port is lost, as behind a NAT that has forgotten it. */
  async changePort(): Promise<void> {
    const back = createSocket("udp4");
    await bound(back, 0, loopback);
    back.on("message", (bytes) => {
      if (back === this.#back) this.#down(bytes);
    });
    this.#backs.push(back);
  }

  close(): void {
    this.#front.close();
    for (const back of this.#backs) back.close();
  }

  get #back(): Socket {
    const back = this.#backs.at(-1);
    if (back === undefined) throw new Error("a link without a port");
    return back;
  }

  #up(bytes: Buffer, from: { readonly address: string; readonly port: number }): void {
    this.#device = from;
    this.sent += 1;
    for (const { type, message } of plainRecords(bytes)) {
      if (type === record.handshake && message === record.clientHello) this.hellos += 1;
      if (type === record.changeCipherSpec) this.keyChanges.device += 1;
    }
    if (this.#passes(bytes)) this.#back.send(bytes, this.#server, loopback);
  }

  #down(bytes: Buffer): void {
    for (const { type } of plainRecords(bytes)) if (type === record.changeCipherSpec) this.keyChanges.server += 1;
    if (this.#device !== undefined && this.#passes(bytes)) this.#front.send(bytes, this.#device.port, this.#device.address);
  }

  #passes({ length }: Buffer): boolean {
    if (length > this.#mostBytes) this.tooLarge += 1;
    return !this.isCut && length <= this.#mostBytes;
  }
}

/** The records of epoch 0 at the beginning of a datagram. */
function* plainRecords(bytes: Buffer): Generator<{ readonly type: number; readonly message: number | undefined }> {
  for (let at = 0; at + record.headerBytes <= bytes.length; ) {
    if (bytes.readUInt16BE(at + record.epochAt) !== 0) return;
    yield { type: bytes.readUInt8(at), message: bytes[at + record.headerBytes] };
    at += record.headerBytes + bytes.readUInt16BE(at + record.lengthAt);
  }
}

function bound(socket: Socket, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, host, () => {
      socket.off("error", reject);
      resolve();
    });
  });
}
