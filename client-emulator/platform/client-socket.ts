import { isIPv6 } from "node:net";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import type { DatagramSocket } from "@lwm2m/protocol/ports/datagram-socket";

/** A socket on a free port, of the address family that reaches `remote`. */
export function openClientSocket(remote: string | undefined): Promise<DatagramSocket> {
  return openUdpSocket({ address: remote !== undefined && isIPv6(remote) ? "::" : "0.0.0.0", port: 0 });
}
