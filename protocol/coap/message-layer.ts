/**
 * The message layer: reliability, deduplication, message ids, reset rules (RFC 7252 §4) over one datagram socket.
 *
 * `receive` runs for every datagram, so it makes no object unless the message needs one and never a promise or a timer.
 */
import type { DatagramSocket, SocketAddress } from "../ports/datagram-socket.ts";
import type { Random } from "../ports/random.ts";
import { DeadlineQueue } from "../timing/deadline-queue.ts";
import { Admission, type Verdict } from "./admission.ts";
import type { CoapCounters } from "./counters.ts";
import { DedupTable, hashOfDatagram } from "./dedup-table.ts";
import { CoapFormatError } from "./format-error.ts";
import type { CoapLimits } from "./limits.ts";
import type { Peer } from "./message.ts";
import { messageIds, messageIdWaitMs, takeMessageId } from "./message-ids.ts";
import type { MessageEvents, MessageLayerSettings, Receipt, TraceTap, TransmissionHooks } from "./message-layer-contract.ts";
import { MessageType, MessageView } from "./message-view.ts";
import { MessageWriter } from "./message-writer.ts";
import { exchangeLifetimeMs, nonLifetimeMs, type TransmissionParameters } from "./parameters.ts";
import { type Lifetimes, type PeerRecord, PeerTable, peerKeyOf } from "./peer-table.ts";
import { noteProbe, probeWaitMs } from "./probing.ts";
import { expectReset, transmit } from "./transmission.ts";

/** Deduplication counts time in tenths of a second from the start: 31 bits last six years. */
const ticksPerMs = 0.01;
const resetBytes = 4;

export class MessageLayer {
  readonly deadlines: DeadlineQueue;
  readonly writer = new MessageWriter();
  readonly counters: CoapCounters;
  readonly limits: CoapLimits;
  readonly random: Random;
  /** Shown every message, both ways; undefined while nobody looks: then one costs one check each way. */
  onTrace: TraceTap | undefined;
  readonly #settings: MessageLayerSettings;
  readonly #socket: DatagramSocket;
  readonly #view = new MessageView();
  readonly #empty = new Uint8Array(resetBytes);
  readonly #dedup: DedupTable;
  readonly #peers: PeerTable;
  readonly #admission: Admission;
  readonly #startedAt: number;
  readonly #idleMs: number;
  readonly #lifetimes: Lifetimes;
  #closed = false;

  constructor(settings: MessageLayerSettings) {
    const { clock, counters, limits, parameters, random, socket } = settings;
    this.#settings = settings;
    this.#socket = socket;
    this.onTrace = settings.onTrace;
    this.counters = counters;
    this.limits = limits;
    this.random = random;
    this.deadlines = new DeadlineQueue(clock);
    this.#dedup = new DedupTable(limits.rememberedMessagesPerPeer);
    this.#admission = new Admission(limits);
    this.#startedAt = clock.now();
    this.#idleMs = exchangeLifetimeMs(parameters);
    this.#lifetimes = lifetimesOf(parameters);
    const firstMessageId = (): number => Math.floor(random.fraction() * messageIds);
    this.#peers = new PeerTable(limits.peers, firstMessageId, (record, evicted) => {
      this.#dedup.forget(record);
      if (evicted) counters.peersEvicted++;
    });
  }

  start(events: MessageEvents): void {
    this.#view.ownsBytes = this.#socket.givesBytesAway ?? false;
    this.#socket.onDatagram((bytes, from) => this.#receive(bytes, from, events));
  }

  get local(): SocketAddress {
    return this.#socket.local;
  }

  get closed(): boolean {
    return this.#closed;
  }

  countBusyPeers(): number {
    return this.#peers.countBusy();
  }

  get knownPeers(): number {
    return this.#peers.size;
  }

  recordOf(peer: Peer): PeerRecord {
    return this.recordAt(peer.address);
  }

  recordAt(address: SocketAddress): PeerRecord {
    const now = this.deadlines.now();
    return this.#peers.at(address, now, now - this.#idleMs);
  }

  keyOf(address: SocketAddress): string | number {
    return peerKeyOf(address);
  }

  parametersOf(record: PeerRecord): TransmissionParameters {
    return record.parameters ?? this.#settings.parameters;
  }

  /** The link of one peer, and how long its message ids stay taken there; undefined: as all others. */
  setParameters(record: PeerRecord, parameters: TransmissionParameters | undefined): void {
    record.parameters = parameters;
    record.lifetimes = parameters === undefined ? undefined : lifetimesOf(parameters);
  }

  takeMessageId(record: PeerRecord): number {
    return takeMessageId(record, this.deadlines.now());
  }

  /** How long a new request must wait, milliseconds: for a message id that is free again, and for PROBING_RATE if it is non-confirmable. */
  requestWaitMs(record: PeerRecord, confirmable: boolean): number {
    const now = this.deadlines.now();
    const parameters = this.parametersOf(record);
    const idMs = messageIdWaitMs(record, now, exchangeLifetimeMs(parameters));
    return confirmable ? idMs : Math.max(idMs, probeWaitMs(record, parameters, now));
  }

  /** Sends a request that nobody acknowledges. */
  probe(record: PeerRecord, bytes: Uint8Array): void {
    noteProbe(record, this.parametersOf(record), bytes.length, this.deadlines.now());
    this.send(record, bytes);
  }

  /** How long an unfinished body of this peer is kept: two blocks may lie an exchange of its link apart. */
  bodyAgeMs(record: PeerRecord): number {
    return Math.max(this.limits.bodyAgeMs, record.parameters === undefined ? 0 : exchangeLifetimeMs(record.parameters));
  }

  /** Whether a message just received may go on to be read. */
  admit(record: PeerRecord): Verdict {
    return this.#admission.judge(record, record.lastSeenAt - this.#startedAt);
  }

  /** Hands one datagram to the socket. */
  send(record: PeerRecord, bytes: Uint8Array): void {
    if (!this.#closed) this.#sendTo(record.address, bytes);
  }

  /**
   * Sends the answer to a received message and keeps it for duplicates. `repeatable`: executing the request again is harmless,
   * so that its answer need not be kept when memory for answers is short (RFC 7252 §4.5).
   */
  reply(record: PeerRecord, bytes: Uint8Array, receipt: Receipt, repeatable: boolean): void {
    if (repeatable && this.#dedup.storedReplyBytes > this.limits.rememberedReplyBytes) this.release(record, receipt);
    else this.#dedup.answer(receipt.entry, receipt.serial, bytes);
    this.send(record, bytes);
  }

  acknowledge(record: PeerRecord, messageId: number, receipt: Receipt): void {
    this.reply(record, this.#emptyMessage(MessageType.acknowledgement, messageId), receipt, false);
  }

  /** RST; the message is forgotten, so that it is judged anew when it comes again. */
  reject(record: PeerRecord, messageId: number, receipt: Receipt | undefined): void {
    if (receipt !== undefined) this.release(record, receipt);
    this.counters.resetsOut++;
    this.send(record, this.#emptyMessage(MessageType.reset, messageId));
  }

  /** Forgets a received message: its next copy is handed up again. */
  release(record: PeerRecord, receipt: Receipt): void {
    this.#dedup.release(record, receipt.entry, receipt.serial);
  }

  /** Sends a confirmable message until it is acknowledged, rejected or given up; `bytes` are kept. Returns what stops it without an outcome. */
  transmit(record: PeerRecord, messageId: number, bytes: Uint8Array, hooks: TransmissionHooks): () => void {
    return transmit(this, record, { messageId, bytes }, hooks);
  }

  /** RST may answer a non-confirmable message as well (RFC 7252 §4.3); returns what stops listening for it. */
  expectReset(record: PeerRecord, messageId: number, onReset: () => void): () => void {
    return expectReset(record, messageId, onReset);
  }

  /** What was thrown above this endpoint, or in it: told, never thrown on into the socket. */
  reportBug(error: unknown): void {
    this.counters.bugs++;
    this.#settings.onBug(error);
  }

  /** Runs code of the caller. */
  guard(callback: (() => void) | undefined): void {
    if (callback === undefined) return;
    try {
      callback();
    } catch (error) {
      this.reportBug(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.deadlines.close();
    await this.#socket.close();
  }

  #receive(bytes: Uint8Array, from: SocketAddress, events: MessageEvents): void {
    if (this.#closed) return;
    this.counters.datagramsIn++;
    this.counters.bytesIn += bytes.length;
    const now = this.deadlines.now();
    this.onTrace?.({ direction: "in", at: now, peer: from, bytes });
    const view = this.#view;
    try {
      view.decode(bytes);
    } catch (error) {
      if (!(error instanceof CoapFormatError)) throw error;
      this.counters.malformed++;
      if (error.answer === "reset") this.#resetStranger(from, view.messageId);
      return;
    }
    const record = this.#peers.at(from, now, now - this.#idleMs);
    record.lastSeenAt = now;
    record.probesPaidUntil = undefined;
    if (view.code === 0) this.#receiveEmpty(record, view, events);
    else if (view.code < 0x20) this.#receiveRequest(record, view, events, now);
    else this.#receiveResponse(record, view, events, now);
  }

  /** Without a record: a malformed datagram is no reason to remember its sender. */
  #resetStranger(from: SocketAddress, messageId: number): void {
    this.counters.resetsOut++;
    this.#sendTo(from, this.#emptyMessage(MessageType.reset, messageId));
  }

  #sendTo(peer: SocketAddress, bytes: Uint8Array): void {
    this.counters.datagramsOut++;
    this.counters.bytesOut += bytes.length;
    this.onTrace?.({ direction: "out", at: this.deadlines.now(), peer, bytes });
    this.#socket.send(bytes, peer);
  }

  #receiveEmpty(record: PeerRecord, view: MessageView, events: MessageEvents): void {
    if (view.type === MessageType.confirmable) {
      // RFC 7252 §4.3: an empty confirmable message is a ping and is answered with RST.
      this.counters.pings++;
      this.reject(record, view.messageId, undefined);
      return;
    }
    const transmission = record.transmissions?.find((open) => open.messageId === view.messageId);
    if (view.type === MessageType.reset) {
      this.counters.resetsIn++;
      if (transmission !== undefined) transmission.rejected();
      else events.onRejected(record, view.messageId);
      return;
    }
    if (transmission !== undefined) transmission.acknowledged();
    else this.counters.unmatchedAcknowledgements++;
  }

  #receiveRequest(record: PeerRecord, view: MessageView, events: MessageEvents, now: number): void {
    const receipt = this.#claim(record, view, now);
    if (receipt === undefined) return;
    this.counters.requests++;
    events.onRequest(record, view, receipt);
  }

  #receiveResponse(record: PeerRecord, view: MessageView, events: MessageEvents, now: number): void {
    this.counters.responses++;
    if (view.type !== MessageType.confirmable) {
      events.onResponse(record, view, undefined);
      return;
    }
    const receipt = this.#claim(record, view, now);
    if (receipt !== undefined) events.onResponse(record, view, receipt);
  }

  /** Undefined for a duplicate, which got its stored answer if there is one (RFC 7252 §4.5). */
  #claim(record: PeerRecord, view: MessageView, now: number): Receipt | undefined {
    const ticks = Math.floor((now - this.#startedAt) * ticksPerMs);
    const { exchangeTicks, nonTicks } = record.lifetimes ?? this.#lifetimes;
    const lifetime = view.type === MessageType.confirmable ? exchangeTicks : nonTicks;
    const entry = this.#dedup.claim(record, view.messageId, hashOfDatagram(view.bytes), ticks, lifetime);
    if (this.#dedup.reused) this.counters.messageIdsReused++;
    if (this.#dedup.fresh) return { entry, serial: this.#dedup.serialOf(entry) };
    this.counters.duplicates++;
    const answer = this.#dedup.findAnswer(entry);
    if (answer !== undefined) this.send(record, answer);
    return undefined;
  }

  #emptyMessage(type: number, messageId: number): Uint8Array {
    const bytes = this.#empty;
    bytes[0] = 0x40 | (type << 4);
    bytes[1] = 0;
    bytes[2] = messageId >> 8;
    bytes[3] = messageId & 0xff;
    return bytes;
  }
}

function lifetimesOf(parameters: TransmissionParameters): Lifetimes {
  return {
    exchangeTicks: Math.ceil(exchangeLifetimeMs(parameters) * ticksPerMs),
    nonTicks: Math.ceil(nonLifetimeMs(parameters) * ticksPerMs),
  };
}
