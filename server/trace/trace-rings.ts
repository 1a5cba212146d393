/** The last messages of each traced device, in memory: so many per device, so many bytes for all together. */
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

/** The doors that are looked at, by the names of the log. */
export type TracedDoor = "coap" | "bootstrap-coap";

/** One message as it crossed the socket. */
export interface TracedMessage {
  readonly door: TracedDoor;
  readonly direction: "in" | "out";
  readonly at: number;
  readonly peer: Pick<SocketAddress, "address" | "port">;
  /** Of the whole message; `bytes` may hold less of it. */
  readonly sizeBytes: number;
  readonly bytes: Uint8Array;
}

export interface TraceLimits {
  readonly messagesPerDevice: number;
  /** Of all devices, as `costOf` counts. */
  readonly bytes: number;
}

/** Beside the bytes themselves: the object, its address, its place in the list. */
const messageOverheadBytes = 200;

export class TraceRings {
  readonly #limits: TraceLimits;
  /** The device heard from longest ago in front: it gives way first. */
  readonly #rings = new Map<string, TracedMessage[]>();
  #bytes = 0;

  constructor(limits: TraceLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(endpoint: string, message: TracedMessage): void {
    const ring = this.#rings.get(endpoint) ?? [];
    this.#rings.delete(endpoint);
    this.#rings.set(endpoint, ring);
    ring.push(message);
    this.#bytes += costOf(message);
    if (ring.length > this.#limits.messagesPerDevice) this.#drop(ring);
    while (this.#bytes > this.#limits.bytes) this.#dropOldest();
  }

  /** Oldest first. */
  of(endpoint: string): readonly TracedMessage[] {
    return [...(this.#rings.get(endpoint) ?? [])];
  }

  forget(endpoint: string): void {
    for (const message of this.#rings.get(endpoint) ?? []) this.#bytes -= costOf(message);
    this.#rings.delete(endpoint);
  }

  #dropOldest(): void {
    for (const [endpoint, ring] of this.#rings) {
      this.#drop(ring);
      if (ring.length === 0) this.#rings.delete(endpoint);
      return;
    }
    throw new Error(`no message is kept, but ${this.#bytes} bytes are counted`);
  }

  #drop(ring: TracedMessage[]): void {
    const oldest = ring.shift();
    if (oldest !== undefined) this.#bytes -= costOf(oldest);
  }
}

function costOf({ bytes }: TracedMessage): number {
  return bytes.length + messageOverheadBytes;
}
