/**
 * One device of the DTLS load: our client role on a source port of its own. Records are sealed ahead of the round and answers are counted
 * unopened, all but a few, so that the load costs less than what it loads.
 */
import { createSocket, type Socket } from "node:dgram";
import type { ClientCredentials } from "../dtls/credentials-contract.ts";
import { recordProtection } from "../dtls/crypto/back-end.ts";
import { openDtlsEndpoint } from "../dtls/endpoint/dtls-endpoint.ts";
import type { DtlsEndpoint } from "../dtls/endpoint-contract.ts";
import { chooseDtlsCrypto } from "../platform/dtls-crypto.ts";
import { recordKeyForm } from "../platform/record-key-form.ts";
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";
import type { DatagramSocket, SocketAddress } from "../ports/datagram-socket.ts";
import type { DtlsTarget } from "./dtls-load-contract.ts";
import { credentialsOf } from "./dtls-parties.ts";
import { loopback } from "./server-under-load.ts";

// What the load costs takes from what it loads.
chooseDtlsCrypto("auto");

const receiveBufferBytes = 1_048_576;
/** Records are the last to be sent: application data, or with a connection id. */
const recordTypes: ReadonlySet<number> = new Set([23, 25]);
const suites = { psk: 0xc0a8, rpk: 0xc0ae, x509: 0xc0ae } as const;

export class LoadDevice {
  readonly endpoint: DtlsEndpoint;
  /** Called for each datagram with a record of data instead of opening it, while set; true has it opened all the same. */
  intercept: (() => boolean) | undefined;
  peer: SocketAddress | undefined;
  readonly #socket: Socket;
  readonly #target: DtlsTarget;
  readonly #index: number;
  readonly #wire: Wire;
  #credentials: ClientCredentials | undefined;

  private constructor(endpoint: DtlsEndpoint, socket: Socket, wire: Wire, target: DtlsTarget, index: number) {
    this.endpoint = endpoint;
    this.#socket = socket;
    this.#wire = wire;
    this.#target = target;
    this.#index = index;
  }

  static async open(target: DtlsTarget, index: number): Promise<LoadDevice> {
    const socket = await connected(target.port);
    const wire = new Wire(socket, target.port);
    const endpoint = await openDtlsEndpoint({
      socket: wire,
      clock: systemClock,
      random: systemRandom,
      settings: { cipherSuites: [suites[target.proof]], connectionIdBytes: target.idBytes },
      limits: { handshakesPerSecond: 100_000, handshakeBurst: 100_000, workSliceMs: 1_000 },
      protection: recordProtection({ random: systemRandom, keyForm: recordKeyForm }),
    });
    const device = new LoadDevice(endpoint, socket, wire, target, index);
    wire.intercept = (bytes) => device.intercept !== undefined && recordTypes.has(bytes[0] ?? 0) && !device.intercept();
    return device;
  }

  get port(): number {
    return this.#wire.local.port;
  }

  /** A full handshake: no session is known to credentials that are new. */
  async connect(): Promise<SocketAddress> {
    const { proof, folder, port } = this.#target;
    this.#credentials ??= credentialsOf(proof, folder, this.#index);
    this.peer = await this.endpoint.connect({ address: loopback, port }, { ...this.#credentials });
    return this.peer;
  }

  /** The datagram that this content would go out in, with the next sequence number. */
  seal(content: Uint8Array): Uint8Array {
    const { peer } = this;
    if (peer === undefined) throw new Error("sealed before there was a connection");
    return this.#wire.holdBack(() => this.endpoint.plaintext.send(content, peer));
  }

  send(datagram: Uint8Array): void {
    this.#socket.send(datagram);
  }
}

/** A connected socket in the form of the port, which can hold back what is sent. */
class Wire implements DatagramSocket {
  readonly local: SocketAddress;
  intercept: (bytes: Uint8Array) => boolean = () => false;
  readonly #socket: Socket;
  readonly #from: SocketAddress;
  #held: Uint8Array | undefined;
  #holds = false;

  constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#from = { address: loopback, port };
    this.local = { address: loopback, port: socket.address().port };
  }

  /** The one datagram that `send` is called with, which does not go out. */
  holdBack(send: () => void): Uint8Array {
    this.#holds = true;
    send();
    this.#holds = false;
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) throw new Error("nothing was sealed");
    return held;
  }

  send(bytes: Uint8Array): void {
    const datagram = bytes.slice();
    if (this.#holds) this.#held = datagram;
    else this.#socket.send(datagram);
  }

  onDatagram(receive: (bytes: Uint8Array, from: SocketAddress) => void): void {
    this.#socket.on("message", (bytes) => {
      if (!this.intercept(bytes)) receive(bytes, this.#from);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

/** `from`: one of this machine's addresses, any of 127.0.0.0/8. */
export function connected(port: number, from = loopback): Promise<Socket> {
  const socket = createSocket("udp4");
  // A server that is gone makes its port unreachable; then nothing is answered, which the parent tells.
  socket.on("error", () => {});
  return new Promise((resolve) => {
    socket.bind({ address: from, port: 0 }, () => {
      socket.connect(port, loopback, () => {
        socket.setRecvBufferSize(receiveBufferBytes);
        resolve(socket);
      });
    });
  });
}

const open = new Map<string, Promise<readonly LoadDevice[]>>();

/** Opened and connected once for each server, so that it meets the same devices in every round. */
export function devicesOf(target: DtlsTarget): Promise<readonly LoadDevice[]> {
  const name = `${target.port} ${target.clients}`;
  const known = open.get(name);
  if (known !== undefined) return known;
  const opened = openAll(target);
  open.set(name, opened);
  return opened;
}

async function openAll(target: DtlsTarget): Promise<readonly LoadDevice[]> {
  const devices: LoadDevice[] = [];
  for (let index = 0; index < target.clients; index++) {
    const device = await LoadDevice.open(target, (target.firstClient ?? 0) + index);
    await device.connect();
    devices.push(device);
  }
  return devices;
}
