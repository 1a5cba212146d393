/**
 * Records of epoch 1 sealed and opened with the keys of a row (RFC 6347 §4.1, RFC 9146 §4 and §5).
 *
 * On the path of every datagram: one object for the place of the keys and one for the facts of the record, reused for all rows.
 */
import type { AssociationTable } from "../connections/association-table.ts";
import { ByteSlot, type ConnectionSlab, NumberSlot, RowFlag, WordSlot } from "../connections/connection-slab.ts";
import { ContentType } from "../constants.ts";
import { type KeyPlace, newRecordFacts, type RecordProtection, sealedBytes } from "../crypto/record-protection.ts";
import { type Suite, suiteOf } from "../crypto/suites.ts";
import { largestSequence, type RecordView, writeConnectionIdHeader, writeRecordHeader } from "../wire/record-header.ts";
import { isNew } from "./replay-window.ts";

/** Why a record was not opened. */
export const Unopened = { replay: -1, forged: -2, tooLong: -3 } as const;

/** RFC 9147 §4.5.3 bounds failed openings for suites with a tag of 64 bits; the same here, long before a forgery becomes likely. */
export const mostAuthenticationFailures = 2 ** 20;

export class RecordLayer {
  readonly #table: AssociationTable;
  readonly #slab: ConnectionSlab;
  readonly #protection: RecordProtection;
  readonly #facts = newRecordFacts();
  readonly #keys: KeyPlace;
  #contentType = 0;

  constructor(table: AssociationTable, protection: RecordProtection) {
    this.#table = table;
    this.#slab = table.slab;
    this.#protection = protection;
    const suite = suiteOf(0xc0a8);
    if (suite === undefined) throw new Error("the suite every LwM2M device speaks is missing");
    this.#keys = { suite, encryptThenMac: false, bytes: table.slab.bytes, macKeyAt: 0, keyAt: 0, ivAt: 0 };
  }

  /** Of the record opened last: that of its content. */
  get contentType(): number {
    return this.#contentType;
  }

  /** Whether a sequence number is left that the journal allows. */
  maySeal(row: number): boolean {
    const next = this.#slab.number(row, NumberSlot.writeSequence);
    return next < this.#slab.number(row, NumberSlot.writeLease) && next <= largestSequence;
  }

  /** Whether every sequence number was used or given away. */
  isExhausted(row: number): boolean {
    return this.#slab.number(row, NumberSlot.writeSequence) > largestSequence;
  }

  /** Bytes the record takes, header included. */
  sealedBytes(row: number, contentBytes: number): number {
    this.#take(row, ByteSlot.writeKeys);
    this.#facts.connectionIdBytes = this.#slab.word(row, WordSlot.idBytes) & 0xff;
    return 13 + this.#facts.connectionIdBytes + sealedBytes(this.#keys, this.#facts, contentBytes);
  }

  /** Writes the whole record into `out` and returns where it ends. Only when `maySeal`. */
  seal(row: number, type: number, content: Uint8Array, out: Uint8Array, outAt: number): number {
    const slab = this.#slab;
    if (!this.maySeal(row)) throw new Error("a sequence number beyond the lease would be used");
    const sequence = slab.number(row, NumberSlot.writeSequence);
    slab.setNumber(row, NumberSlot.writeSequence, sequence + 1);
    this.#take(row, ByteSlot.writeKeys);
    const facts = this.#facts;
    const peerId = this.#table.peerIdOf(row);
    facts.contentType = type;
    facts.sequence = sequence;
    facts.connectionId = peerId;
    facts.connectionIdAt = 0;
    facts.connectionIdBytes = peerId.length;
    facts.draftConnectionId = slab.has(row, RowFlag.draftId);
    const length = sealedBytes(this.#keys, facts, content.length);
    // RFC 9146 §3: a zero-length id leaves the records as they were.
    const fragmentAt =
      peerId.length === 0
        ? writeRecordHeader(out, outAt, { type, epoch: 1, sequence }, length)
        : writeConnectionIdHeader(out, outAt, { epoch: 1, sequence, connectionId: peerId }, length);
    return fragmentAt + this.#protection.seal(this.#keys, facts, content, 0, content.length, out, fragmentAt);
  }

  /** Length of the content, written to the start of `out`; or why there is none. The window is not touched yet. */
  open(row: number, view: RecordView, datagram: Uint8Array, out: Uint8Array): number {
    const slab = this.#slab;
    if (!isNew(slab, row, view.sequence)) return Unopened.replay;
    this.#take(row, ByteSlot.readKeys);
    const facts = this.#facts;
    facts.contentType = view.type;
    facts.sequence = view.sequence;
    facts.connectionId = datagram;
    facts.connectionIdAt = view.connectionIdAt;
    facts.connectionIdBytes = view.connectionIdBytes;
    facts.draftConnectionId = slab.has(row, RowFlag.draftId);
    const length = this.#protection.open(this.#keys, facts, datagram, view.fragmentAt, view.fragmentBytes, out, 0);
    if (length < 0) {
      slab.setWord(row, WordSlot.authenticationFailures, slab.word(row, WordSlot.authenticationFailures) + 1);
      return Unopened.forged;
    }
    this.#contentType = facts.contentType;
    // The inner type and padding of a record with connection id are not content (RFC 9146 §4).
    return length > slab.word(row, WordSlot.largestReceiveBytes) ? Unopened.tooLong : length;
  }

  #take(row: number, slot: number): void {
    const keys = this.#keys;
    const suite = this.#suiteOf(row);
    keys.suite = suite;
    keys.encryptThenMac = this.#slab.has(row, RowFlag.encryptThenMac);
    keys.bytes = this.#slab.bytes;
    keys.macKeyAt = this.#slab.at(row, slot);
    keys.keyAt = keys.macKeyAt + suite.macKeyBytes;
    keys.ivAt = keys.keyAt + suite.keyBytes;
  }

  #suiteOf(row: number): Suite {
    const id = this.#slab.word(row, WordSlot.cipherSuite);
    const suite = this.#keys.suite.id === id ? this.#keys.suite : suiteOf(id);
    if (suite === undefined) throw new Error(`row ${row} has no suite`);
    return suite;
  }
}

/** Whether a record of this type can belong to a row: with an own id every one carries it (RFC 9146 §3), without one none does. */
export function fitsRow(table: AssociationTable, row: number, type: number): boolean {
  return table.hasOwnId(row) === (type === ContentType.connectionId);
}
