/** What the endpoint remembers per peer, found by a number for IPv4 and by text for IPv6. */
import type { SocketAddress } from "../ports/datagram-socket.ts";
import { type DedupChain, endOfChain } from "./dedup-table.ts";
import type { Peer, PeerIdentity } from "./message.ts";
import type { TransmissionParameters } from "./parameters.ts";
import type { SendTurn } from "./send-turn.ts";

export const noIdentity: PeerIdentity = { kind: "none" };

/** A confirmable message of ours that waits for its acknowledgement. */
export interface OpenTransmission {
  readonly messageId: number;
  acknowledged(): void;
  rejected(): void;
}

/** How long message ids stay taken (RFC 7252 §4.8.2), in the ticks of the deduplication table. */
export interface Lifetimes {
  /** EXCHANGE_LIFETIME. */
  readonly exchangeTicks: number;
  /** NON_LIFETIME. */
  readonly nonTicks: number;
}

/** Mutable and flat on purpose: there is one per device, and every datagram touches it. */
export class PeerRecord implements DedupChain {
  readonly key: string | number;
  address: SocketAddress;
  dedupOwner = 0;
  dedupHead = endOfChain;
  dedupTail = endOfChain;
  dedupCount = 0;
  nextMessageId: number;
  /** Made when the ids have been used for long enough to matter. */
  messageIdHistory: Float64Array | undefined = undefined;
  /** The Echo value it has to repeat, or that it did (`address-proof.ts`). */
  proof: Uint8Array | "given" | undefined = undefined;
  /** Requests taken in so far are paid for until then, milliseconds since the endpoint opened (`admission.ts`). */
  paidUntil = 0;
  probesPaidUntil: number | undefined = undefined;
  lastSeenAt = 0;
  servedRequests = 0;
  parameters: TransmissionParameters | undefined = undefined;
  /** What follows from `parameters`. */
  lifetimes: Lifetimes | undefined = undefined;
  turn: SendTurn | undefined = undefined;
  transmissions: OpenTransmission[] | undefined = undefined;
  /** Relations and bodies that hold the record in place. */
  holds = 0;

  constructor(key: string | number, address: SocketAddress, firstMessageId: number) {
    this.key = key;
    this.address = address;
    this.nextMessageId = firstMessageId;
  }

  /** What the layers above see. */
  get peer(): Peer {
    return { key: this.key, address: this.address, identity: this.address.association?.identity ?? noIdentity };
  }

  get busy(): boolean {
    return (
      this.servedRequests > 0 ||
      this.holds > 0 ||
      this.parameters !== undefined ||
      (this.turn !== undefined && !this.turn.idle) ||
      (this.transmissions !== undefined && this.transmissions.length > 0)
    );
  }
}

export class PeerTable {
  readonly #records = new Map<string | number, PeerRecord>();
  readonly #most: number;
  readonly #firstMessageId: () => number;
  readonly #onDrop: (record: PeerRecord, evicted: boolean) => void;

  constructor(most: number, firstMessageId: () => number, onDrop: (record: PeerRecord, evicted: boolean) => void) {
    this.#most = most;
    this.#firstMessageId = firstMessageId;
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Peers with something under way; looks at every one. */
  countBusy(): number {
    let busy = 0;
    for (const record of this.#records.values()) if (record.busy) busy++;
    return busy;
  }

  /** The record of an address, made if there is none; `idleBefore` is when a peer must have been heard from to be kept for sure. */
  at(address: SocketAddress, now: number, idleBefore: number): PeerRecord {
    const key = peerKeyOf(address);
    const known = this.#records.get(key);
    if (known !== undefined) {
      // A secured peer may be heard from elsewhere than before (RFC 9146 §6); the layer below has proved that it is the same.
      if (address.association !== undefined && known.address !== address) known.address = address;
      return known;
    }
    this.#makeRoom(idleBefore);
    const own = address.association === undefined ? { address: address.address, port: address.port } : address;
    const record = new PeerRecord(key, own, this.#firstMessageId());
    record.lastSeenAt = now;
    this.#records.set(key, record);
    return record;
  }

  /** Every new peer pays for looking at the two oldest: the table stays small without a timer or a pause. */
  #makeRoom(idleBefore: number): void {
    let looked = 0;
    for (const record of this.#records.values()) {
      if (looked++ === 2) break;
      const full = this.#records.size >= this.#most;
      if (!record.busy && (full || record.lastSeenAt < idleBefore)) {
        this.#records.delete(record.key);
        this.#onDrop(record, record.lastSeenAt >= idleBefore);
      } else {
        this.#records.delete(record.key);
        this.#records.set(record.key, record);
      }
    }
  }
}

const octetSteps = 256;
const portSteps = 65_536;
const dot = 0x2e;
const digitZero = 0x30;

/**
 * Equal for the same association wherever it is heard from, and for equal addresses without one: `address × 65,536 + port` for dotted
 * IPv4, `[address]:port` otherwise. Keys of associations are negative.
 */
export function peerKeyOf(address: SocketAddress): string | number {
  if (address.association !== undefined) return address.association.key;
  const text = address.address;
  let octet = 0;
  let host = 0;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === dot) {
      host = host * octetSteps + octet;
      octet = 0;
      dots++;
    } else if (character >= digitZero && character <= digitZero + 9) {
      octet = octet * 10 + (character - digitZero);
    } else {
      return `[${text}]:${address.port}`;
    }
  }
  if (dots !== 3) return `[${text}]:${address.port}`;
  return (host * octetSteps + octet) * portSteps + address.port;
}
