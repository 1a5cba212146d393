/** A UDP socket per device of a light fleet: connected, without buffers of its own (about 2.5 kB each, of which 0.7 kB heap). */
import { createSocket, type Socket } from "node:dgram";
import { isIPv4, isIPv6 } from "node:net";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { isLoopback } from "./resolve-host.ts";

/** Room for what a server asks a whole fleet at once is the system's; a device gets little. */
const receiveBufferBytes = 65_536;
const octet = 256;
/** 127.64.0.0/10: far from what else listens on loopback. */
const firstSourceOctet = 64;

/**
 * Towards loopback each device has an IPv4 address of its own as well as a port, where the system has all of 127.0.0.0/8 (Linux): a server
 * that counts by address sees as many as there are devices.
 */
export async function openFleetSocket(index: number, server: SocketAddress): Promise<DatagramSocket> {
  const own = isIPv4(server.address) && isLoopback(server.address) ? sourceAddress(index) : undefined;
  const socket = createSocket({ type: isIPv6(server.address) ? "udp6" : "udp4", lookup: literalLookup });
  try {
    await bind(socket, own).catch((error: unknown) => {
      // Systems other than Linux have 127.0.0.1 alone.
      if (own !== undefined && codeOf(error) === "EADDRNOTAVAIL") return bind(socket, undefined);
      throw error;
    });
    await connect(socket, server);
  } catch (error) {
    socket.close();
    if (codeOf(error) === "EMFILE") throw new Error(`${index} devices have a socket, the system allows no more files (ulimit -n)`);
    throw error;
  }
  socket.setRecvBufferSize(receiveBufferBytes);
  return wrap(socket, server);
}

export function sourceAddress(index: number): string {
  return `127.${firstSourceOctet + Math.floor(index / (octet * octet))}.${Math.floor(index / octet) % octet}.${index % octet}`;
}

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string, family: number) => void;

/** Addresses are literals here, never names. */
function literalLookup(hostname: string, _options: unknown, callback: LookupCallback): void {
  callback(null, hostname, 0);
}

function bind(socket: Socket, address: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ port: 0, exclusive: true, ...(address === undefined ? {} : { address }) }, () => {
      socket.removeListener("error", reject);
      resolve();
    });
  });
}

function connect(socket: Socket, server: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(server.port, server.address, () => {
      socket.removeListener("error", reject);
      resolve();
    });
  });
}

function wrap(socket: Socket, server: SocketAddress): DatagramSocket {
  const { address, port } = socket.address();
  // A server that is gone makes its port unreachable; retransmission tells.
  socket.on("error", ignore);
  return {
    local: { address, port },
    givesBytesAway: true,
    // The system may take the bytes later than the call: a copy of their own.
    send: (bytes) => socket.send(bytes.slice()),
    onDatagram: (receive) => void socket.on("message", (bytes) => receive(bytes, server)),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function ignore(): void {}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
