/** Which of this machine's addresses a peer sees us under: asked of the kernel's routing, nothing is sent. */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

/** Undefined when there is no route to the peer. */
export function findLocalAddressTowards(peer: SocketAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(peer.address) ? "udp6" : "udp4");
    const finish = (address: string | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once("error", () => finish(undefined));
    socket.connect(peer.port, peer.address, () => finish(socket.address().address));
  });
}
