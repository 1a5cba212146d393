/** Under which address a device fetches its firmware package from this server. */
import { isIPv6 } from "node:net";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { FirmwareUpdate } from "../firmware/update.ts";
import type { Registrations } from "../registration/registration.ts";

export interface PackageAddressDeps {
  /** From the settings: what devices reach this server by, behind NAT or port forwarding. */
  readonly publicHost: string | undefined;
  readonly bound: SocketAddress;
  /** Of CoAP over DTLS, for devices that registered so. */
  readonly securedPort: number;
  readonly registrations: Pick<Registrations, "find">;
  readonly findLocalAddressTowards: (peer: SocketAddress) => Promise<string | undefined>;
}

/** Without a public host: the address the device's own messages arrive at. Undefined while the device is not registered. */
export function packageAddress({ publicHost, bound, securedPort, registrations, findLocalAddressTowards }: PackageAddressDeps) {
  const isAnyAddress = bound.address === "0.0.0.0" || bound.address === "::";
  return async ({ endpoint, downloadToken }: Pick<FirmwareUpdate, "endpoint" | "downloadToken">): Promise<string | undefined> => {
    const registration = await registrations.find(endpoint);
    if (registration === undefined) return undefined;
    const host = publicHost ?? (isAnyAddress ? await findLocalAddressTowards(registration.address) : bound.address);
    if (host === undefined) return undefined;
    const isSecured = registration.address.association !== undefined;
    return `${isSecured ? "coaps" : "coap"}://${hostOf(host)}:${isSecured ? securedPort : bound.port}/fw/${downloadToken}`;
  };
}

/** A device with IPv4 only does not know the form in which a dual-stack socket shows its address (RFC 4291 §2.5.5.2). */
function hostOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  return isIPv6(address) ? `[${address}]` : address;
}
