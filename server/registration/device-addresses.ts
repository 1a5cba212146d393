/** Which registered device is where: by its secured connection, or by the address alone where there is none (NoSec). */
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

export class DeviceAddresses {
  readonly #endpoints = new Map<string, string>();
  readonly #keys = new Map<string, string>();

  /** `owns` false: another device has registered from there since. Returns the association that was the device's before. */
  remember(endpoint: string, address: SocketAddress, owns = true): number | undefined {
    const before = this.associationOf(endpoint);
    this.forget(endpoint);
    const key = placeOf(address);
    if (owns) this.#endpoints.set(key, endpoint);
    this.#keys.set(endpoint, key);
    return before === address.association?.key ? undefined : before;
  }

  forget(endpoint: string): void {
    const key = this.#keys.get(endpoint);
    this.#keys.delete(endpoint);
    if (key !== undefined && this.#endpoints.get(key) === endpoint) this.#endpoints.delete(key);
  }

  /** Whether the device is registered. */
  has(endpoint: string): boolean {
    return this.#keys.has(endpoint);
  }

  /** Who sends from there. */
  endpointAt(address: SocketAddress): string | undefined {
    return this.#endpoints.get(placeOf(address));
  }

  /** Whether what is sent to where the device registered from reaches this device and no other. */
  isOwner(endpoint: string): boolean {
    const key = this.#keys.get(endpoint);
    return key !== undefined && this.#endpoints.get(key) === endpoint;
  }

  /** Negative; undefined for a device without a secured connection. */
  associationOf(endpoint: string): number | undefined {
    const key = this.#keys.get(endpoint);
    return key?.startsWith(securedMark) === true ? Number(key.slice(securedMark.length)) : undefined;
  }
}

/** No address begins like this. */
const securedMark = "~";

/** A text that is equal for equal places. Joined: V8 keeps what a template makes in two pieces once it is a key, twice the memory. */
export function placeOf({ address, port, association }: SocketAddress): string {
  return association === undefined ? [address, port].join("|") : `${securedMark}${association.key}`;
}
