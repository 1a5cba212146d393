/**
 * Every secured connection of an endpoint: rows, and how they are found by key, own connection id, address and identity.
 *
 * `SocketAddress` and `Association` objects are made when somebody needs one and kept for the connections that are busy at the moment.
 */
import { sameBytes } from "../../bytes/same-bytes.ts";
import type { Association, SocketAddress } from "../../ports/datagram-socket.ts";
import type { Random } from "../../ports/random.ts";
import { suiteOf } from "../crypto/suites.ts";
import type { ConnectionKeys } from "../handshake-contract.ts";
import { openWindow } from "../record/replay-window.ts";
import { addressWords, formatAddress, readAddress } from "./address-words.ts";
import { AssociationIndexes } from "./association-indexes.ts";
import { BlockStore } from "./block-store.ts";
import { ByteSlot, ConnectionSlab, idPlaceBytes, keyPlaceBytes, NumberSlot, RowFlag, WordSlot } from "./connection-slab.ts";
import { type AssociationFacts, decodeFacts, encodeFacts } from "./facts-codec.ts";

export interface AssociationTableSettings {
  readonly mostConnections: number;
  /** Of the ids we hand out; 0 for none. */
  readonly ownIdBytes: number;
  /** How every own id begins: the process that owns the connection. */
  readonly ownerId: Uint8Array;
  /** Connections whose objects are kept. */
  readonly cachedAddresses: number;
}

/** Eight bits of a byte, for shifts. */
const byteBits = 8;
const none = -1;
const empty = new Uint8Array(0);
const wordRange = 2 ** 32;
/** Ids are random: one that is taken happens once in a blue moon, three times in a row means that there is no chance in `Random`. */
const idAttempts = 8;

export class AssociationTable {
  readonly slab: ConnectionSlab;
  readonly #facts = new BlockStore();
  /** Ids of peers that are longer than their place in the row. */
  readonly #longIds = new Map<number, Uint8Array>();
  /** Texts of link-local addresses: their scope is not in the row. */
  readonly #scoped = new Map<number, string>();
  readonly #addresses = new Map<number, SocketAddress>();
  readonly #settings: AssociationTableSettings;
  readonly #random: Random;
  readonly #scratch = new Uint32Array(addressWords);
  readonly #indexes: AssociationIndexes;
  #nextKey: number;

  constructor(settings: AssociationTableSettings, random: Random, firstKey: number) {
    this.slab = new ConnectionSlab(settings.mostConnections);
    this.#settings = settings;
    this.#random = random;
    this.#nextKey = firstKey;
    this.#indexes = new AssociationIndexes(this.slab, settings.ownIdBytes, Math.floor(random.fraction() * wordRange));
  }

  get nextKey(): number {
    return this.#nextKey;
  }

  /** Keys from here downward were never given. */
  keysBelow(key: number): void {
    this.#nextKey = Math.min(this.#nextKey, key);
  }

  /** Before so many rows are adopted. */
  reserve(rows: number): void {
    this.#indexes.reserve(Math.min(rows, this.#settings.mostConnections));
  }

  newOwnId(): Uint8Array {
    const { ownIdBytes, ownerId } = this.#settings;
    if (ownIdBytes === 0) return empty;
    for (let attempt = 0; attempt < idAttempts; attempt++) {
      const id = this.#random.bytes(ownIdBytes);
      id.set(ownerId.subarray(0, ownIdBytes));
      if (this.findByOwnId(id, 0) === none) return id;
    }
    throw new Error("no connection id is free: the random source repeats itself");
  }

  /** A row with keys, before the handshake is proved: found by its own id, and by nothing else yet. -1 when the table is full. */
  open(keys: ConnectionKeys, role: "client" | "server", address: SocketAddress, now: number): number {
    const row = this.slab.allocate();
    if (row === none) return none;
    const { slab } = this;
    slab.setNumber(row, NumberSlot.key, this.#nextKey--);
    slab.setNumber(row, NumberSlot.openedAt, now);
    slab.setNumber(row, NumberSlot.heardAt, now);
    // What the journal does not know of needs no lease: nobody but this process has the keys.
    slab.setNumber(row, NumberSlot.writeLease, Number.POSITIVE_INFINITY);
    openWindow(slab, row);
    this.#install(row, keys, role);
    this.#writeAddress(row, address);
    this.#indexKeyAndId(row);
    return row;
  }

  /** Adds a row whose bytes are there already: restored from the journal. */
  adopt(fill: (row: number) => void, facts: Uint8Array, peerId: Uint8Array): number {
    const row = this.slab.allocate();
    if (row === none) return none;
    fill(row);
    if (peerId.length > idPlaceBytes) this.#longIds.set(row, peerId.slice());
    this.#indexKeyAndId(row);
    // The hash of the identity is that of another process.
    this.#establish(row, facts, this.slab.word(row, WordSlot.identityHash) !== 0);
    this.keysBelow(this.slab.number(row, NumberSlot.key) - 1);
    return row;
  }

  /** The handshake is proved: the row can be found by address when it has no own id, and by identity. */
  establish(row: number, facts: AssociationFacts): void {
    this.#establish(row, encodeFacts(facts), facts.identity !== undefined && !this.slab.has(row, RowFlag.client));
  }

  free(row: number): void {
    const { slab } = this;
    this.#indexes.byKey.remove(row);
    if (this.hasOwnId(row)) this.#indexes.byId.remove(row);
    else if (slab.has(row, RowFlag.established)) this.#indexes.byAddress.remove(row);
    if (slab.word(row, WordSlot.identityHash) !== 0) this.#indexes.byIdentity.remove(row);
    this.#facts.remove(slab.word(row, WordSlot.facts));
    this.#longIds.delete(row);
    this.#scoped.delete(row);
    this.#addresses.delete(row);
    slab.free(row);
  }

  /** -1 for a key that is gone. */
  findByKey(key: number): number {
    return this.#indexes.findByKey(key);
  }

  findByOwnId(bytes: Uint8Array, at: number): number {
    return this.#indexes.findByOwnId(bytes, at);
  }

  /** Among the established that have no own connection id. */
  findByAddress(address: SocketAddress): number {
    return this.#indexes.findByAddress(address);
  }

  /** The other established rows of clients with the same identity and server name. */
  twinsOf(row: number): number[] {
    const { slab } = this;
    const twins: number[] = [];
    const hash = slab.word(row, WordSlot.identityHash);
    if (hash === 0) return twins;
    const own = this.factsBytes(row);
    const index = this.#indexes.byIdentity;
    for (let slot = index.slotOf(hash); ; slot = index.after(slot)) {
      const other = index.rowAt(slot);
      if (other === none) return twins;
      if (other !== row && slab.word(other, WordSlot.identityHash) === hash && sameBytes(own, this.factsBytes(other))) twins.push(other);
    }
  }

  /** The last address of which nothing unproved is known. One object as long as nothing of it changes and it is in use. */
  addressOf(row: number): SocketAddress {
    const cached = this.#addresses.get(row);
    if (cached !== undefined) return cached;
    const { address, port } = this.bareAddressOf(row);
    return this.#remember(row, { address, port, association: this.associationOf(row) });
  }

  bareAddressOf(row: number): SocketAddress {
    const words = this.#scratch;
    for (let i = 0; i < addressWords; i++) words[i] = this.slab.word(row, WordSlot.address, i);
    return { address: this.#scoped.get(row) ?? formatAddress(words), port: this.slab.word(row, WordSlot.port) };
  }

  associationOf(row: number): Association {
    const { slab } = this;
    const { identity, serverName } = decodeFacts(this.factsBytes(row));
    return { key: slab.number(row, NumberSlot.key), identity, serverName, fresh: !slab.has(row, RowFlag.unproven) };
  }

  /** Whether the row is at that address. */
  isAt(row: number, address: SocketAddress): boolean {
    const cached = this.#addresses.get(row);
    if (cached !== undefined) return cached.port === address.port && cached.address === address.address;
    return this.#indexes.isAt(row, address);
  }

  setAddress(row: number, address: SocketAddress): void {
    const indexed = !this.hasOwnId(row) && this.slab.has(row, RowFlag.established);
    if (indexed) this.#indexes.byAddress.remove(row);
    this.#writeAddress(row, address);
    if (indexed) this.#indexes.byAddress.add(row);
    this.#addresses.delete(row);
  }

  /** Freshness of the association changed: who holds the old object keeps what was true then. */
  prove(row: number): void {
    this.slab.mark(row, RowFlag.unproven | RowFlag.asked, false);
    this.#addresses.delete(row);
  }

  hasOwnId(row: number): boolean {
    return this.slab.word(row, WordSlot.idBytes) >>> byteBits > 0;
  }

  /** A view until the next `open`. */
  peerIdOf(row: number): Uint8Array {
    const length = this.slab.word(row, WordSlot.idBytes) & 0xff;
    if (length === 0) return empty;
    return length > idPlaceBytes ? (this.#longIds.get(row) ?? empty) : this.slab.view(row, ByteSlot.peerId, length);
  }

  /** Empty for an id that stands in the row. */
  longPeerIdOf(row: number): Uint8Array {
    return this.#longIds.get(row) ?? empty;
  }

  /** A view until the next `establish`. */
  factsBytes(row: number): Uint8Array {
    return this.#facts.get(this.slab.word(row, WordSlot.facts));
  }

  close(): void {
    this.slab.close();
    this.#addresses.clear();
    this.#longIds.clear();
    this.#scoped.clear();
  }

  #establish(row: number, facts: Uint8Array, identified: boolean): void {
    const { slab } = this;
    slab.setWord(row, WordSlot.facts, this.#facts.put(facts));
    slab.mark(row, RowFlag.established);
    if (!this.hasOwnId(row)) this.#indexes.byAddress.add(row);
    slab.setWord(row, WordSlot.identityHash, identified ? this.#indexes.hashOfBytes(facts) || 1 : 0);
    if (identified) this.#indexes.byIdentity.add(row);
  }

  #install(row: number, keys: ConnectionKeys, role: "client" | "server"): void {
    const { slab } = this;
    const suite = suiteOf(keys.cipherSuite);
    if (suite === undefined) throw new Error(`suite ${keys.cipherSuite} was negotiated and is not spoken`);
    slab.setWord(row, WordSlot.cipherSuite, suite.id);
    slab.setWord(row, WordSlot.largestSendBytes, keys.largestSendBytes);
    slab.setWord(row, WordSlot.largestReceiveBytes, keys.largestReceiveBytes);
    if (role === "client") slab.mark(row, RowFlag.client);
    if (keys.encryptThenMac) slab.mark(row, RowFlag.encryptThenMac);
    const own = [keys.clientMacKey, keys.clientKey, keys.clientIv];
    const peers = [keys.serverMacKey, keys.serverKey, keys.serverIv];
    this.#writeKeys(row, ByteSlot.writeKeys, role === "client" ? own : peers);
    this.#writeKeys(row, ByteSlot.readKeys, role === "client" ? peers : own);
    const ids = keys.connectionIds;
    if (ids === undefined) return;
    if (ids.own.length > 0 && ids.own.length !== this.#settings.ownIdBytes) throw new Error(`an own id of ${ids.own.length} bytes`);
    if (ids.draft) slab.mark(row, RowFlag.draftId);
    slab.setWord(row, WordSlot.idBytes, (ids.own.length << byteBits) | ids.peer.length);
    slab.bytes.set(ids.own, slab.at(row, ByteSlot.ownId));
    if (ids.peer.length > idPlaceBytes) this.#longIds.set(row, ids.peer.slice());
    else slab.bytes.set(ids.peer, slab.at(row, ByteSlot.peerId));
  }

  #writeKeys(row: number, slot: number, parts: readonly Uint8Array[]): void {
    const start = this.slab.at(row, slot);
    let at = start;
    for (const part of parts) {
      if (at + part.length > start + keyPlaceBytes) throw new Error("too many bytes of keys in one direction");
      this.slab.bytes.set(part, at);
      at += part.length;
    }
  }

  #indexKeyAndId(row: number): void {
    this.#indexes.byKey.add(row);
    if (this.hasOwnId(row)) this.#indexes.byId.add(row);
  }

  #remember(row: number, address: SocketAddress): SocketAddress {
    if (this.#addresses.size >= this.#settings.cachedAddresses) {
      for (const oldest of this.#addresses.keys()) {
        this.#addresses.delete(oldest);
        break;
      }
    }
    this.#addresses.set(row, address);
    return address;
  }

  #writeAddress(row: number, address: SocketAddress): void {
    if (!readAddress(address.address, this.#scratch)) throw new Error(`${address.address} is no address`);
    for (let i = 0; i < addressWords; i++) this.slab.setWord(row, WordSlot.address, this.#scratch[i] ?? 0, i);
    this.slab.setWord(row, WordSlot.port, address.port);
    if (address.address.includes("%")) this.#scoped.set(row, address.address);
    else this.#scoped.delete(row);
  }
}
