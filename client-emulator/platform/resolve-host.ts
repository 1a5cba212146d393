import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** The first address of a name, or the literal itself; undefined when the name leads nowhere. */
export async function resolveHost(host: string): Promise<string | undefined> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch {
    // Every failure of a look-up means the same to the device: there is nobody to talk to.
    return undefined;
  }
}

export function isLoopback(address: string): boolean {
  return address === "::1" || /^127(\.\d{1,3}){3}$/.test(address);
}
