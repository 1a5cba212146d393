/**
 * Datagrams from the network, record by record (RFC 6347 §4.1, RFC 9146 §4): to a row, to a handshake, to the front door, or dropped.
 *
 * On the path of every datagram: one reused record view and one buffer for plaintext; nothing else is made for application data.
 */
import { sameBytes } from "../../bytes/same-bytes.ts";
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { NumberSlot, RowFlag, WordSlot } from "../connections/connection-slab.ts";
import { AlertDescription, AlertLevel, ContentType, HandshakeType, ProtocolVersion } from "../constants.ts";
import type { FrontDoor } from "../cookie/front-door.ts";
import { fitsRow, mostAuthenticationFailures, Unopened } from "../record/record-layer.ts";
import { admit, isNew } from "../record/replay-window.ts";
import { decodeAlert } from "../wire/alert.ts";
import { DtlsFormatError } from "../wire/format-error.ts";
import { largestFragmentBytes, RecordView } from "../wire/record-header.ts";
import type { Associations } from "./associations.ts";
import type { HandshakeRun } from "./handshake-run.ts";
import type { Handshakes } from "./handshakes.ts";
import { type Site, sendDatagram } from "./site.ts";

export interface InboundEvents {
  /** Application data; the bytes are valid during the call. */
  deliver(bytes: Uint8Array, from: SocketAddress): void;
  /** A ClientHello with the right cookie. */
  accept(hello: Uint8Array, recordSequence: number, from: SocketAddress): void;
}

/** No renegotiation is refused more often than this per second, all peers together: each answer is a record. */
const refusalsPerSecond = 100;
const none = -1;

export class Inbound {
  readonly #site: Site;
  readonly #associations: Associations;
  readonly #handshakes: Handshakes;
  /** Undefined for an endpoint that is a client only. */
  readonly #frontDoor: FrontDoor | undefined;
  readonly #events: InboundEvents;
  readonly #view = new RecordView();
  readonly #content = new Uint8Array(largestFragmentBytes);
  #refusalsPaidUntil = 0;

  constructor(
    site: Site,
    parts: { associations: Associations; handshakes: Handshakes; frontDoor: FrontDoor | undefined },
    events: InboundEvents,
  ) {
    this.#site = site;
    this.#associations = parts.associations;
    this.#handshakes = parts.handshakes;
    this.#frontDoor = parts.frontDoor;
    this.#events = events;
    this.#handshakes.onKeys = (records, from) => {
      for (const record of records) this.#receiveRecords(record, from);
    };
  }

  receive(datagram: Uint8Array, from: SocketAddress): void {
    this.#site.counters.datagramsIn += 1;
    this.#receiveRecords(datagram, from);
  }

  #receiveRecords(datagram: Uint8Array, from: SocketAddress): void {
    const { counters, settings } = this.#site;
    const ownIdBytes = settings.connectionIdBytes ?? 0;
    let at = 0;
    while (at < datagram.length) {
      // Work for one record may reach another datagram's records (early ones), so the view is read anew each time round.
      const next = this.#view.read(datagram, at, ownIdBytes);
      if (next < 0) {
        counters.malformedRecords += 1;
        return;
      }
      counters.recordsIn += 1;
      this.#receiveRecord(datagram, at, next, from);
      at = next;
    }
  }

  #receiveRecord(datagram: Uint8Array, at: number, end: number, from: SocketAddress): void {
    const view = this.#view;
    if (view.epoch === 0) this.#receivePlain(datagram, at, end, from);
    else if (view.epoch === 1 && view.version === ProtocolVersion.dtls12) this.#receiveProtected(datagram, at, end, from);
    else this.#site.counters.unknownRecords += 1;
  }

  #receiveProtected(datagram: Uint8Array, at: number, end: number, from: SocketAddress): void {
    const { table, counters } = this.#site;
    const run = this.#handshakes.runs.at(from);
    if (this.#view.type === ContentType.connectionId) {
      const row = table.findByOwnId(datagram, this.#view.connectionIdAt);
      if (row !== none && this.#keptForItsTurn(this.#handshakes.runs.ofRow(row), datagram, at, end)) return;
      if (row !== none) this.#open(row, datagram, end - at, from);
      else if (run !== undefined && run.row === none) this.#handshakes.keepEarly(run, datagram.subarray(at, end));
      else counters.unknownConnectionIds += 1;
      return;
    }
    // The row of a handshake first; but what it does not open may still be the association it is going to replace (RFC 6347 §4.2.8).
    const underWay = run?.row ?? none;
    const established = table.findByAddress(from);
    if (underWay !== none && underWay !== established && this.#keptForItsTurn(run, datagram, at, end)) return;
    if (underWay !== none && underWay !== established && fitsRow(table, underWay, this.#view.type)) {
      if (this.#open(underWay, datagram, end - at, from) || established === none) return;
    }
    const beforeKeys = run !== undefined && run.row === none;
    // A device that begins anew counts from zero again: to the old association the Finished that overtook its keys looks like a repeat.
    const mayBeOld = established !== none && (!beforeKeys || isNew(table.slab, established, this.#view.sequence));
    if (mayBeOld && this.#open(established, datagram, end - at, from)) return;
    if (beforeKeys) this.#handshakes.keepEarly(run, datagram.subarray(at, end));
    else if (established === none) counters.unknownRecords += 1;
  }

  /**
   * Data right behind a Finished that waits for its turn (an abbreviated handshake ends with the client's) is taken up after it: dropped,
   * it would cost the device a retransmission of CoAP.
   */
  #keptForItsTurn(run: HandshakeRun | undefined, datagram: Uint8Array, at: number, end: number): boolean {
    if (run === undefined || run.connected || run.waiting === 0) return false;
    this.#handshakes.keepEarly(run, datagram.subarray(at, end));
    return true;
  }

  /** True when the record belonged to that row. */
  #open(row: number, datagram: Uint8Array, recordBytes: number, from: SocketAddress): boolean {
    const { records, table, clock, persistence } = this.#site;
    const { slab } = table;
    const { sequence } = this.#view;
    const length = records.open(row, this.#view, datagram, this.#content);
    if (length < 0) return this.#countUnopened(row, length);
    const now = clock.now();
    slab.setNumber(row, NumberSlot.heardAt, now);
    // What every later step asks of this record is read before another one is: the view is shared.
    const newest = admit(slab, row, sequence);
    const type = records.contentType;
    const content = this.#content.subarray(0, length);
    if (!slab.has(row, RowFlag.established)) {
      this.#receiveInHandshake(row, type, content);
      return true;
    }
    if (this.#associations.closeIfAged(row, now)) return true;
    if (newest) {
      if (slab.has(row, RowFlag.asked)) table.prove(row);
      persistence.heard(row);
    }
    this.#receiveContent(row, type, content, this.#associations.heardFrom(row, from, recordBytes, newest));
    return true;
  }

  #countUnopened(row: number, why: number): boolean {
    const { counters, table } = this.#site;
    switch (why) {
      case Unopened.replay:
        counters.replayedRecords += 1;
        return true;
      case Unopened.tooLong:
        counters.oversizedRecords += 1;
        return true;
      default:
        counters.forgedRecords += 1;
        if (table.slab.word(row, WordSlot.authenticationFailures) < mostAuthenticationFailures) return false;
        // RFC 9147 §4.5.3: keys that were guessed at so often are not used any more.
        if (table.slab.has(row, RowFlag.established)) this.#associations.close(row, "aged", AlertDescription.closeNotify);
        return true;
    }
  }

  #receiveInHandshake(row: number, type: number, content: Uint8Array): void {
    const run = this.#handshakes.runs.ofRow(row);
    // Data before the peer's Finished is proved is nobody's (RFC 6347 §4.1).
    if (run === undefined || type === ContentType.applicationData) {
      this.#site.counters.unknownRecords += 1;
      return;
    }
    this.#handshakes.feed(run, type, 1, content);
  }

  #receiveContent(row: number, type: number, content: Uint8Array, peer: SocketAddress): void {
    const run = this.#handshakes.runs.ofRow(row);
    switch (type) {
      case ContentType.applicationData:
        if (run !== undefined) this.#handshakes.heardData(run);
        this.#events.deliver(content, peer);
        return;
      case ContentType.alert:
        this.#receiveAlert(row, content);
        return;
      case ContentType.handshake:
        if (run !== undefined) {
          this.#handshakes.feed(run, type, 1, content);
          return;
        }
        this.#refuseRenegotiation(row, content);
        return;
      default:
        this.#site.counters.unknownRecords += 1;
        return;
    }
  }

  #receiveAlert(row: number, content: Uint8Array): void {
    const alert = findAlert(content);
    if (alert === undefined) {
      this.#site.counters.malformedRecords += 1;
    } else if (alert.description === AlertDescription.closeNotify) {
      // RFC 5246 §7.2.1: the other side answers with a close_notify of its own.
      this.#associations.close(row, "close-notify", AlertDescription.closeNotify);
    } else if (alert.level === AlertLevel.fatal) {
      this.#associations.close(row, "alert", undefined);
    }
  }

  /** RFC 5746 §4.2 lets us refuse; a repeat of a last flight whose handshake is long over means nothing. */
  #refuseRenegotiation(row: number, content: Uint8Array): void {
    const { counters, clock, table } = this.#site;
    const asks = table.slab.has(row, RowFlag.client) ? HandshakeType.helloRequest : HandshakeType.clientHello;
    if (content[0] !== asks) return;
    const now = clock.now();
    if (this.#refusalsPaidUntil - now > 1_000) return;
    this.#refusalsPaidUntil = Math.max(now, this.#refusalsPaidUntil) + 1_000 / refusalsPerSecond;
    counters.renegotiationsRefused += 1;
    this.#associations.sendAlert(row, AlertDescription.noRenegotiation);
  }

  #receivePlain(datagram: Uint8Array, at: number, end: number, from: SocketAddress): void {
    const { counters } = this.#site;
    const { type, fragmentAt } = this.#view;
    const fragment = datagram.subarray(fragmentAt, end);
    const run = this.#handshakes.runs.at(from);
    if (type === ContentType.handshake && fragment[0] === HandshakeType.clientHello && !isRepeat(run, fragment)) {
      // RFC 6347 §4.2.1: a hello is the first of its datagram; anything that follows it there belongs to no handshake.
      if (at === 0) this.#receiveHello(datagram.subarray(0, end), from);
      else counters.hellosDropped += 1;
    } else if (run === undefined) {
      if (type === ContentType.alert) counters.plainAlertsIgnored += 1;
      else counters.unknownRecords += 1;
    } else if (type === ContentType.alert && run.connected) {
      // RFC 6347 §4.1.2.7: what is not protected cannot end what is.
      counters.plainAlertsIgnored += 1;
    } else if (type === ContentType.handshake || type === ContentType.changeCipherSpec || type === ContentType.alert) {
      this.#handshakes.feed(run, type, 0, fragment);
    } else {
      counters.unknownRecords += 1;
    }
  }

  #receiveHello(record: Uint8Array, from: SocketAddress): void {
    const { counters, admission, clock } = this.#site;
    if (this.#frontDoor === undefined) {
      counters.hellosDropped += 1;
      return;
    }
    const now = clock.now();
    const considered = this.#frontDoor.consider(record, from, now);
    // The rate is for answers to whoever has proved nothing: nobody who forges addresses can use up the way in of a right cookie.
    if (considered.kind === "reply" && !admission.mayAnswerHello(from, now)) {
      counters.hellosRefusedRate += 1;
      return;
    }
    switch (considered.kind) {
      case "drop":
        counters.hellosDropped += 1;
        return;
      case "reply":
        counters.helloVerifyRequests += 1;
        sendDatagram(this.#site, considered.datagram, from);
        return;
      case "accept":
        this.#events.accept(considered.hello, considered.recordSequence, from);
    }
  }
}

/** The hello that is being answered already: its handshake repeats the answer. */
function isRepeat(run: HandshakeRun | undefined, fragment: Uint8Array): boolean {
  if (run === undefined) return false;
  if (run.role === "client") return true;
  return sameBytes(run.hello, fragment);
}

function findAlert(content: Uint8Array): { level: number; description: number } | undefined {
  try {
    return decodeAlert(content);
  } catch (error) {
    if (error instanceof DtlsFormatError) return undefined;
    throw error;
  }
}
