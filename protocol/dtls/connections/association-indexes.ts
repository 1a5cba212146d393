/**
 * How rows are found: by key, by own connection id, by address, by the hash of an identity. What a row says of itself is compared; the
 * hashes are seeded, so that who chooses addresses or identities cannot choose where they land.
 */
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { addressWords, readAddress } from "./address-words.ts";
import { ByteSlot, type ConnectionSlab, NumberSlot, WordSlot } from "./connection-slab.ts";
import { mix, RowIndex } from "./row-index.ts";

const none = -1;
const wordRange = 2 ** 32;

export class AssociationIndexes {
  readonly byKey: RowIndex;
  readonly byId: RowIndex;
  readonly byAddress: RowIndex;
  readonly byIdentity: RowIndex;
  readonly #slab: ConnectionSlab;
  readonly #ownIdBytes: number;
  readonly #seed: number;
  readonly #scratch = new Uint32Array(addressWords);

  /** `seed`: 32 unpredictable bits. */
  constructor(slab: ConnectionSlab, ownIdBytes: number, seed: number) {
    this.#slab = slab;
    this.#ownIdBytes = ownIdBytes;
    this.#seed = seed;
    this.byKey = new RowIndex((row) => hashOfKey(slab.number(row, NumberSlot.key)));
    this.byId = new RowIndex((row) => this.#hashOfId(slab.bytes, slab.at(row, ByteSlot.ownId)));
    this.byAddress = new RowIndex((row) => this.#hashOfAddressOf(row));
    this.byIdentity = new RowIndex((row) => slab.word(row, WordSlot.identityHash));
  }

  /** Before many rows are added: an index that grows places all it has again. */
  reserve(rows: number): void {
    this.byKey.reserve(rows);
    this.byIdentity.reserve(rows);
    (this.#ownIdBytes > 0 ? this.byId : this.byAddress).reserve(rows);
  }

  /** -1 for a key that is gone. */
  findByKey(key: number): number {
    const index = this.byKey;
    for (let slot = index.slotOf(hashOfKey(key)); ; slot = index.after(slot)) {
      const row = index.rowAt(slot);
      if (row === none || this.#slab.number(row, NumberSlot.key) === key) return row;
    }
  }

  findByOwnId(bytes: Uint8Array, at: number): number {
    const slab = this.#slab;
    const index = this.byId;
    for (let slot = index.slotOf(this.#hashOfId(bytes, at)); ; slot = index.after(slot)) {
      const row = index.rowAt(slot);
      if (row === none || this.#sameId(slab.at(row, ByteSlot.ownId), bytes, at)) return row;
    }
  }

  /** Among the established that have no own connection id. */
  findByAddress(address: SocketAddress): number {
    if (!readAddress(address.address, this.#scratch)) return none;
    const index = this.byAddress;
    for (let slot = index.slotOf(this.#hashOfAddress(this.#scratch, address.port)); ; slot = index.after(slot)) {
      const row = index.rowAt(slot);
      if (row === none || this.#isAt(row, address.port)) return row;
    }
  }

  /** Whether the address in the row is this one. */
  isAt(row: number, address: SocketAddress): boolean {
    return readAddress(address.address, this.#scratch) && this.#isAt(row, address.port);
  }

  hashOfBytes(bytes: Uint8Array): number {
    let hash = this.#seed;
    for (const byte of bytes) hash = mix(hash, byte);
    return hash;
  }

  #isAt(row: number, port: number): boolean {
    if (this.#slab.word(row, WordSlot.port) !== port) return false;
    for (let i = 0; i < addressWords; i++) {
      if (this.#slab.word(row, WordSlot.address, i) !== this.#scratch[i]) return false;
    }
    return true;
  }

  #sameId(ownAt: number, bytes: Uint8Array, at: number): boolean {
    const own = this.#slab.bytes;
    for (let i = 0; i < this.#ownIdBytes; i++) {
      if (own[ownAt + i] !== bytes[at + i]) return false;
    }
    return true;
  }

  #hashOfId(bytes: Uint8Array, at: number): number {
    let hash = this.#seed;
    for (let i = 0; i < this.#ownIdBytes; i++) hash = (Math.imul(hash, 31) + (bytes[at + i] ?? 0)) | 0;
    return mix(hash, this.#seed);
  }

  #hashOfAddress(words: Uint32Array, port: number): number {
    let hash = mix(this.#seed, port);
    for (let i = 0; i < addressWords; i++) hash = mix(hash, words[i] ?? 0);
    return hash;
  }

  #hashOfAddressOf(row: number): number {
    let hash = mix(this.#seed, this.#slab.word(row, WordSlot.port));
    for (let i = 0; i < addressWords; i++) hash = mix(hash, this.#slab.word(row, WordSlot.address, i));
    return hash;
  }
}

function hashOfKey(key: number): number {
  return mix(Math.floor(key / wordRange) | 0, key >>> 0);
}
