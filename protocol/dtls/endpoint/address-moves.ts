/**
 * Peers heard from a new address that is not proved to be theirs yet (RFC 9146 §6).
 *
 *   settled --newer record from elsewhere-----------------------> unproved (answers go there, three bytes for each one received)
 *   unproved --newer record from there, after one of ours went--> settled there, `address-changed`
 *   unproved --newer record from the old address----------------> settled where it was
 *   unproved --newer record from a third address----------------> unproved there
 *
 * Whoever copies a record of a peer and sends it on with another source address makes us send there three times as many bytes, once.
 */
import type { SocketAddress } from "../../ports/datagram-socket.ts";

/** RFC 9000 §8.1 uses the same factor. */
export const unprovedFactor = 3;

interface Move {
  readonly address: SocketAddress;
  budgetBytes: number;
  /** Something of ours went there since it was heard from first. */
  asked: boolean;
}

export class AddressMoves {
  readonly #moves = new Map<number, Move>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#moves.size;
  }

  /** The address a peer was heard from last, while it is not proved. */
  unproved(row: number): SocketAddress | undefined {
    return this.#moves.size === 0 ? undefined : this.#moves.get(row)?.address;
  }

  /** A record newer than all before came from `from`, which is not the settled address. True when that proves the address. */
  heardElsewhere(row: number, from: SocketAddress, bytes: number): boolean {
    const move = this.#moves.get(row);
    if (move !== undefined && sameAddress(move.address, from)) {
      if (move.asked) {
        this.#moves.delete(row);
        return true;
      }
      move.budgetBytes += unprovedFactor * bytes;
      return false;
    }
    this.#makeRoom();
    const association = from.association;
    const address = { address: from.address, port: from.port, ...(association === undefined ? {} : { association }) };
    this.#moves.delete(row);
    this.#moves.set(row, { address, budgetBytes: unprovedFactor * bytes, asked: false });
    return false;
  }

  /** False when so many bytes may not go to an unproved address any more. */
  spend(row: number, bytes: number): boolean {
    const move = this.#moves.get(row);
    if (move === undefined) return true;
    if (move.budgetBytes < bytes) return false;
    move.budgetBytes -= bytes;
    move.asked = true;
    return true;
  }

  forget(row: number): void {
    this.#moves.delete(row);
  }

  /** The oldest falls back to its settled address: the next newer record tells again where the peer is. */
  #makeRoom(): void {
    if (this.#moves.size < this.#most) return;
    for (const row of this.#moves.keys()) {
      this.#moves.delete(row);
      return;
    }
  }
}

export function sameAddress(one: SocketAddress, other: SocketAddress): boolean {
  return one.port === other.port && one.address === other.address;
}
