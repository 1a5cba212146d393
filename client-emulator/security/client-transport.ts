/**
 * The sockets of one device as one: CoAP in the clear and CoAP by DTLS side by side, so that everything above is one endpoint. A datagram
 * with an association goes by DTLS. Sockets are opened when they are first needed; all of them are deaf and dumb while the device sleeps.
 */
import { type KeyForm, nodeRecordProtection } from "@lwm2m/protocol/dtls/crypto/node-record-protection";
import { suiteOf } from "@lwm2m/protocol/dtls/crypto/suites";
import { openDtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint/dtls-endpoint";
import type { DtlsEndpoint, DtlsNews } from "@lwm2m/protocol/dtls/endpoint-contract";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import { type GatedSocket, gateSocket } from "../queue-mode/gated-socket.ts";
import type { DtlsClientSettings } from "./dtls-client-settings.ts";

export interface TransportParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly openSocket: (remote: string | undefined) => Promise<DatagramSocket>;
  readonly dtls: DtlsClientSettings;
  readonly recordKeyForm: KeyForm | undefined;
  /** A datagram of any kind left. */
  readonly onSent: () => void;
  readonly log: (message: string) => void;
  readonly onBug?: ((error: unknown) => void) | undefined;
}

type Receive = (bytes: Uint8Array, from: SocketAddress) => void;

/** A device talks to a server and a bootstrap server, and makes each connection anew before it forgets the old one. */
const dtlsLimits = {
  connections: 8,
  handshakes: 4,
  lingering: 4,
  unprovedAddresses: 4,
  cachedAddresses: 8,
  clientSessions: 4,
} as const;

export class ClientTransport implements DatagramSocket {
  readonly local: SocketAddress;
  readonly #parts: TransportParts;
  /** Every socket that was opened. */
  readonly #sockets: GatedSocket[] = [];
  /** Opened, and not used for anything yet. */
  #spare: GatedSocket | undefined;
  #plain: GatedSocket | undefined;
  #secured: Promise<DtlsEndpoint> | undefined;
  #dtls: DtlsEndpoint | undefined;
  #open = true;
  #closed = false;
  #receive: Receive = () => {};
  /** By the key of the association. */
  readonly #endings = new Map<number, (reason: string) => void>();

  private constructor(parts: TransportParts, first: DatagramSocket) {
    this.#parts = parts;
    this.local = first.local;
    this.#spare = this.#gate(first);
  }

  static async open(parts: TransportParts, remote: string | undefined): Promise<ClientTransport> {
    return new ClientTransport(parts, await parts.openSocket(remote));
  }

  send(bytes: Uint8Array, to: SocketAddress): void {
    if (to.association === undefined) this.#plain?.send(bytes, to);
    else this.#dtls?.plaintext.send(bytes, to);
  }

  onDatagram(receive: Receive): void {
    this.#receive = receive;
  }

  /** Closed to the world: nothing is heard, nothing is said. */
  setOpen(open: boolean): void {
    this.#open = open;
    for (const socket of this.#sockets) socket.setOpen(open);
  }

  /** Before anything is sent in the clear. */
  async openPlain(remote: string): Promise<void> {
    if (this.#plain !== undefined) return;
    const socket = await this.#take(remote);
    this.#plain = socket;
    socket.onDatagram((bytes, from) => this.#receive(bytes, from));
  }

  openSecured(remote: string): Promise<DtlsEndpoint> {
    this.#secured ??= this.#makeSecured(remote);
    return this.#secured;
  }

  /** Tells once when the association ends by anything but `forget` and `close`. */
  onEnded(association: number, listener: (reason: string) => void): void {
    this.#endings.set(association, listener);
  }

  /** close_notify, which is heard only while the device is open to the world. */
  forget(association: number): void {
    this.#endings.delete(association);
    this.#dtls?.disconnect(association);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#endings.clear();
    await (await this.#secured)?.close();
    await this.#plain?.close();
    await this.#spare?.close();
  }

  async #makeSecured(remote: string): Promise<DtlsEndpoint> {
    const { clock, random, dtls, recordKeyForm, onBug } = this.#parts;
    const socket = await this.#take(remote);
    const { cipherSuites, connectionIdBytes, requireExtendedMasterSecret } = dtls;
    const endpoint = await openDtlsEndpoint({
      socket,
      clock,
      random,
      settings: { cipherSuites, connectionIdBytes, requireExtendedMasterSecret },
      limits: dtlsLimits,
      protection: nodeRecordProtection({ random, ...(recordKeyForm === undefined ? {} : { keyForm: recordKeyForm }) }),
      // One server may be bootstrap server and server with one key.
      onePerIdentity: false,
      ...(onBug === undefined ? {} : { onBug }),
    });
    endpoint.plaintext.onDatagram((bytes, from) => this.#receive(bytes, from));
    endpoint.onNews((news) => this.#hear(news));
    this.#dtls = endpoint;
    return endpoint;
  }

  #hear(news: DtlsNews): void {
    switch (news.kind) {
      case "connected":
        this.#parts.log(`dtls: ${news.resumed ? "session resumed" : "connected"}, ${suiteOf(news.cipherSuite)?.name ?? news.cipherSuite}`);
        return;
      case "closed":
        this.#ended(news.peer, news.reason);
        return;
      case "replaced":
        this.#ended(news.peer, "replaced");
        return;
      case "address-changed":
      case "handshake-failed":
        return;
    }
  }

  #ended({ association }: SocketAddress, reason: string): void {
    if (association === undefined) return;
    const listener = this.#endings.get(association.key);
    this.#endings.delete(association.key);
    listener?.(reason);
  }

  async #take(remote: string): Promise<GatedSocket> {
    const { openSocket } = this.#parts;
    const spare = this.#spare;
    this.#spare = undefined;
    const socket = spare ?? this.#gate(await openSocket(remote));
    if (this.#closed) await socket.close();
    return socket;
  }

  #gate(socket: DatagramSocket): GatedSocket {
    const gated = gateSocket(socket, this.#parts.onSent);
    gated.setOpen(this.#open);
    this.#sockets.push(gated);
    return gated;
  }
}
