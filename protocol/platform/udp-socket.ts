/** UDP sockets of the machine behind the `DatagramSocket` port. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { PrefixViews } from "../bytes/prefix-views.ts";
import type { DatagramSocket, SocketAddress } from "../ports/datagram-socket.ts";

export interface UdpSocketSettings {
  /** An IPv4 or IPv6 address of this machine; `0.0.0.0` for all of IPv4, `::` for all of both (dual-stack). */
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Receive buffer to ask the system for, bytes; it may grant less without saying so. */
  readonly receiveBufferBytes?: number;
}

export interface UdpSocket extends DatagramSocket {
  /** What the system granted, bytes, as it counts them. */
  readonly receiveBufferBytes: number;
  /** Sends the system refused, and errors the socket reported, since it was opened. */
  readonly errors: number;
}

/** A burst of 4 MiB is 20,000 datagrams of a fleet that comes back after an outage. */
const defaultReceiveBufferBytes = 4 * 1_048_576;
/** What one datagram can hold over IPv4. */
const largestDatagramBytes = 65_507;

/** Rejects with one clear sentence when the address cannot be bound. */
export async function openUdpSocket(settings: UdpSocketSettings): Promise<UdpSocket> {
  const { address, port } = settings;
  const socket = createSocket({ type: isIPv6(address) ? "udp6" : "udp4", lookup: literalLookup });
  try {
    await bind(socket, address, port);
  } catch (error) {
    socket.close();
    throw new Error(`cannot listen on udp ${address} port ${port}: ${reasonOf(error)}`, { cause: error });
  }
  return wrap(socket, grantReceiveBuffer(socket, settings.receiveBufferBytes ?? defaultReceiveBufferBytes), isIPv6(address));
}

/** RFC 4291 §2.5.5.2: how a socket of both families shows an IPv4 peer. */
const mappedPrefix = "::ffff:";
const dot = ".";

/** A device has one address, dotted, whichever socket it is heard on. */
function unmapped(address: string): string {
  return address.startsWith(mappedPrefix) && address.includes(dot) ? address.slice(mappedPrefix.length) : address;
}

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string, family: number) => void;

/** Addresses are literals here, never names: answering at once spares a turn of the event loop per datagram. */
function literalLookup(hostname: string, _options: unknown, callback: LookupCallback): void {
  // The socket takes the address only: it has its family from the start.
  callback(null, hostname, 0);
}

function bind(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeListener("error", reject);
      resolve();
    });
  });
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return "the port is in use";
  if (code === "EACCES") return "not allowed (ports below 1024 need privileges)";
  if (code === "EADDRNOTAVAIL") return "this machine has no such address";
  return error instanceof Error ? error.message : String(error);
}

function grantReceiveBuffer(socket: Socket, wantedBytes: number): number {
  try {
    socket.setRecvBufferSize(wantedBytes);
  } catch {
    // Some systems refuse instead of capping; what they grant is read below either way.
  }
  return socket.getRecvBufferSize();
}

/**
 * Where outgoing datagrams are copied: the system may take one later than the call, and until then its bytes must not change.
 */
function outgoingBytes(): PrefixViews {
  return new PrefixViews(Buffer.allocUnsafeSlow(largestDatagramBytes));
}

function wrap(socket: Socket, receiveBufferBytes: number, dualStack: boolean): UdpSocket {
  const bound = socket.address();
  const local: SocketAddress = { address: bound.address, port: bound.port };
  let errors = 0;
  let open = true;
  let outgoing = outgoingBytes();
  /** The system took a datagram later than the call, and may not have taken all of them yet. */
  let behind = false;
  socket.on("error", () => {
    errors++;
  });
  return {
    local,
    receiveBufferBytes,
    // Node makes a buffer for each datagram.
    givesBytesAway: true,
    get errors() {
      return errors;
    },
    send(bytes, to) {
      if (!open) return;
      if (bytes.length > largestDatagramBytes) {
        errors++;
        return;
      }
      const address = dualStack && !to.address.includes(":") ? mappedPrefix + to.address : to.address;
      if (behind) behind = socket.getSendQueueCount() > 0;
      try {
        const datagram = behind ? new Uint8Array(bytes.length) : outgoing.upTo(bytes.length);
        datagram.set(bytes);
        socket.send(datagram, to.port, address);
      } catch {
        errors++;
      }
      if (behind || socket.getSendQueueCount() === 0) return;
      behind = true;
      outgoing = outgoingBytes();
    },
    onDatagram(receive) {
      socket.removeAllListeners("message");
      if (dualStack) {
        socket.on("message", (bytes: Buffer, from: RemoteInfo) => receive(bytes, { address: unmapped(from.address), port: from.port }));
      } else {
        socket.on("message", receive);
      }
    },
    close() {
      if (!open) return Promise.resolve();
      open = false;
      return new Promise((resolve) => socket.close(() => resolve()));
    },
  };
}
