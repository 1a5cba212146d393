/** Application data out, and the flights of handshakes packed into datagrams. */
import { PrefixViews } from "../../bytes/prefix-views.ts";
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { RowFlag, WordSlot } from "../connections/connection-slab.ts";
import { ContentType } from "../constants.ts";
import type { OutgoingRecord } from "../handshake-contract.ts";
import { recordHeaderBytes, writeRecordHeader } from "../wire/record-header.ts";
import type { Associations } from "./associations.ts";
import { type Site, sendDatagram } from "./site.ts";

/** One whole record: 2^14 of content, header with the longest id, protection (RFC 5246 §6.2.3). */
const scratchBytes = 20_000;
const none = -1;

export interface FlightSource {
  /** The row that seals epoch 1; -1 before the keys. */
  readonly row: number;
  readonly address: SocketAddress;
  /** Of epoch 0; the sender moves it on. */
  writeSequence: number;
}

export class Sender {
  readonly #site: Site;
  readonly #associations: Associations;
  readonly #out = new Uint8Array(scratchBytes);
  readonly #outgoing = new PrefixViews(this.#out);

  constructor(site: Site, associations: Associations) {
    this.#site = site;
    this.#associations = associations;
  }

  send(bytes: Uint8Array, to: SocketAddress): void {
    const { table, counters, records, persistence, clock } = this.#site;
    const row = to.association === undefined ? none : table.findByKey(to.association.key);
    if (row === none || !table.slab.has(row, RowFlag.established) || this.#associations.closeIfAged(row, clock.now())) {
      counters.sendWithoutAssociation += 1;
    } else if (bytes.length > table.slab.word(row, WordSlot.largestSendBytes)) {
      counters.sendTooLarge += 1;
    } else if (!records.maySeal(row)) {
      counters.sendWithoutLease += 1;
      // RFC 6347 §4.1: numbers do not wrap. Without one there is no alert either; the device finds out by the silence.
      if (records.isExhausted(row)) this.#associations.close(row, "aged", undefined);
      else persistence.wrote(row);
    } else {
      this.#sendOne(row, bytes);
    }
  }

  #sendOne(row: number, bytes: Uint8Array): void {
    const { table, counters, records, persistence } = this.#site;
    const { moves } = this.#associations;
    const unproved = moves.unproved(row);
    if (unproved !== undefined && !moves.spend(row, records.sealedBytes(row, bytes.length))) {
      counters.sendOverBudget += 1;
      return;
    }
    const end = records.seal(row, ContentType.applicationData, bytes, this.#out, 0);
    if (table.slab.has(row, RowFlag.unproven)) table.slab.mark(row, RowFlag.asked);
    counters.recordsOut += 1;
    persistence.wrote(row);
    sendDatagram(this.#site, this.#outgoing.upTo(end), unproved ?? table.addressOf(row));
  }

  /** As many records per datagram as fit `datagramBytes`, in order (RFC 6347 §4.1.1). */
  sendFlight(source: FlightSource, flight: readonly OutgoingRecord[], datagramBytes: number): void {
    let end = 0;
    for (const record of flight) {
      const size = this.#sizeOf(source, record);
      if (size === none) continue;
      if (end > 0 && end + size > datagramBytes) end = this.#flush(source, end);
      end = this.#write(source, record, end);
    }
    if (end > 0) this.#flush(source, end);
  }

  /** -1 for what cannot be sealed: the flight is repeated when the lease is there. */
  #sizeOf({ row }: FlightSource, { epoch, fragment }: OutgoingRecord): number {
    const { records, counters, persistence } = this.#site;
    if (epoch === 0) return recordHeaderBytes + fragment.length;
    if (row === none) throw new Error("a record of epoch 1 before its keys");
    if (records.maySeal(row)) return records.sealedBytes(row, fragment.length);
    counters.sendWithoutLease += 1;
    persistence.wrote(row);
    return none;
  }

  #write(source: FlightSource, { type, epoch, fragment }: OutgoingRecord, at: number): number {
    this.#site.counters.recordsOut += 1;
    if (epoch === 1) {
      const end = this.#site.records.seal(source.row, type, fragment, this.#out, at);
      this.#site.persistence.wrote(source.row);
      return end;
    }
    const fragmentAt = writeRecordHeader(this.#out, at, { type, epoch, sequence: source.writeSequence++ }, fragment.length);
    this.#out.set(fragment, fragmentAt);
    return fragmentAt + fragment.length;
  }

  #flush({ address }: FlightSource, end: number): number {
    sendDatagram(this.#site, this.#outgoing.upTo(end), address);
    return 0;
  }
}
