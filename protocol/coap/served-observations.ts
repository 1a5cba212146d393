/**
 * The served role of Observe (RFC 7641 §4): relations by peer and token.
 *
 *   absent --Observe 0, granted--> held --notify--> held (one confirmable notification under way at a time)
 *   held --Observe 1 | RST | confirmable given up | error notification | close--> absent
 *   held --Observe 0 with the same token--> replaced: the old one ends, the numbers go on
 */
import { isSuccess, Method } from "./codes.ts";
import type { NotifyOutcome, OutgoingResponse, Peer, ServedObservation } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import { MessageType } from "./message-view.ts";
import type { PeerRecord } from "./peer-table.ts";
import { etagOf, isBodySource, planSlice } from "./response-slice.ts";
import { type ResponsePart, writeResponse } from "./response-writer.ts";

/** RFC 7641 §4.4: 24 bits. */
const sequenceNumbers = 0x1000000;
/** Non-confirmable notifications whose RST is still understood; more than are under way on any link. */
const rememberedMessageIds = 16;

type Closed = NotifyOutcome & { readonly ok: false };

export class ServedRelation implements ServedObservation {
  readonly record: PeerRecord;
  readonly token: Uint8Array;
  readonly recentMessageIds: number[] = [];
  sequence: number;
  #layer: MessageLayer;
  #remove: (relation: ServedRelation) => void;
  #onEnd: (() => void) | undefined;
  #open = true;
  /** Ends the confirmable notification under way. */
  #abort: ((outcome: Closed) => void) | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(layer: MessageLayer, record: PeerRecord, token: Uint8Array, sequence: number, remove: (relation: ServedRelation) => void) {
    this.#layer = layer;
    this.record = record;
    this.token = token;
    this.sequence = sequence;
    this.#remove = remove;
  }

  get peer(): Peer {
    return this.record.peer;
  }

  notify(response: OutgoingResponse, confirmable: boolean): Promise<NotifyOutcome> {
    const turn = this.#last.then(() => this.#send(response, confirmable));
    this.#last = turn.catch(() => {});
    return turn;
  }

  onEnd(callback: () => void): void {
    this.#onEnd = callback;
  }

  close(): void {
    this.#onEnd = undefined;
    this.end("closed");
  }

  /** RFC 7641 §3.6, §4.5: the relation is over, whatever was under way ends with it. */
  end(reason: Closed["reason"]): void {
    if (!this.#open) return;
    this.#open = false;
    this.#remove(this);
    this.#abort?.({ ok: false, reason });
    this.#layer.guard(this.#onEnd);
  }

  async #send(response: OutgoingResponse, confirmable: boolean): Promise<NotifyOutcome> {
    const part = await firstPart(response, this.#layer.parametersOf(this.record).blockSizeBytes);
    if (!this.#open || this.#layer.closed) return { ok: false, reason: "closed" };
    const success = isSuccess(response.code);
    if (success) this.sequence = (this.sequence + 1) % sequenceNumbers;
    const messageId = this.#layer.takeMessageId(this.record);
    const type = confirmable ? MessageType.confirmable : MessageType.nonConfirmable;
    // RFC 7641 §4.2: an error notification carries no Observe and ends the relation.
    const whole: ResponsePart = success ? { ...part, observe: this.sequence } : part;
    const bytes = writeResponse(this.#layer.writer, { type, messageId, token: this.token }, whole);
    if (!confirmable) {
      this.recentMessageIds.push(messageId);
      if (this.recentMessageIds.length > rememberedMessageIds) this.recentMessageIds.shift();
      this.#layer.send(this.record, bytes);
      this.#layer.guard(response.afterSent);
      if (!success) this.end("closed");
      return { ok: true };
    }
    const outcome = await this.#transmit(messageId, bytes.slice(), response.afterSent);
    if (!outcome.ok) this.end(outcome.reason);
    else if (!success) this.end("closed");
    return outcome;
  }

  #transmit(messageId: number, bytes: Uint8Array, afterSent: (() => void) | undefined): Promise<NotifyOutcome> {
    return new Promise((resolve) => {
      const stop = this.#layer.transmit(this.record, messageId, bytes, {
        onDatagram: () => {},
        onOutcome: (outcome) => {
          this.#abort = undefined;
          if (outcome === "acknowledged") resolve({ ok: true });
          else resolve({ ok: false, reason: outcome === "rejected" ? "reset" : "timeout" });
        },
      });
      this.#abort = (outcome) => {
        this.#abort = undefined;
        stop();
        resolve(outcome);
      };
      this.#layer.guard(afterSent);
    });
  }
}

export class ServedObservations {
  readonly #layer: MessageLayer;
  readonly #byPeer = new Map<string | number, Map<string, ServedRelation>>();

  constructor(layer: MessageLayer) {
    this.#layer = layer;
  }

  get size(): number {
    let size = 0;
    for (const relations of this.#byPeer.values()) size += relations.size;
    return size;
  }

  /** The relation a response grants, replacing an older one of the same token (RFC 7641 §4.1); undefined when it grants none. */
  findGrant(
    record: PeerRecord,
    token: Uint8Array,
    observe: number | undefined,
    response: OutgoingResponse | undefined,
  ): ServedRelation | undefined {
    if (observe !== 0 || response?.acceptObserve === undefined || !isSuccess(response.code)) return undefined;
    const relations = this.#byPeer.get(record.key) ?? new Map<string, ServedRelation>();
    const older = relations.get(keyOf(token));
    if (older === undefined && relations.size >= this.#layer.limits.servedObservationsPerPeer) return undefined;
    const sequence = older === undefined ? 1 : (older.sequence + 1) % sequenceNumbers;
    older?.end("closed");
    const relation = new ServedRelation(this.#layer, record, token, sequence, (ended) => this.#remove(ended));
    relations.set(keyOf(token), relation);
    this.#byPeer.set(record.key, relations);
    record.holds++;
    return relation;
  }

  /** Observe 1 with the token of a relation ends it (RFC 7641 §3.6). */
  cancel(record: PeerRecord, token: Uint8Array): void {
    this.#byPeer.get(record.key)?.get(keyOf(token))?.end("closed");
  }

  /** RST for a non-confirmable notification ends its relation (RFC 7641 §3.6). */
  onRejected(record: PeerRecord, messageId: number): void {
    for (const relation of this.#byPeer.get(record.key)?.values() ?? []) {
      if (relation.recentMessageIds.includes(messageId)) relation.end("reset");
    }
  }

  close(): void {
    for (const relations of [...this.#byPeer.values()]) for (const relation of [...relations.values()]) relation.end("closed");
  }

  #remove(relation: ServedRelation): void {
    const relations = this.#byPeer.get(relation.record.key);
    if (relations?.get(keyOf(relation.token)) !== relation) return;
    relations.delete(keyOf(relation.token));
    relation.record.holds--;
    if (relations.size === 0) this.#byPeer.delete(relation.record.key);
  }
}

function keyOf(token: Uint8Array): string {
  return token.join();
}

/** What of a notification goes out: the first block of a large one, whose rest the peer fetches (RFC 7959 §2.6). */
async function firstPart(response: OutgoingResponse, blockBytes: number): Promise<ResponsePart> {
  const { acceptObserve: _, afterSent: __, payload, ...head } = response;
  if (payload === undefined) return head;
  const source = isBodySource(payload);
  const sizeBytes = source ? payload.sizeBytes : payload.length;
  const plan = planSlice(sizeBytes, undefined, blockBytes);
  const length = plan.kind === "slice" ? plan.length : sizeBytes;
  const slice = source ? await payload.read(0, length) : payload.subarray(0, length);
  if (plan.kind !== "slice") return { ...head, payload: slice };
  const etag = response.etag ?? (source ? payload.etag : etagOf(payload));
  return { ...head, etag, block2: plan.block, size2: sizeBytes, payload: slice };
}

/** Methods that may carry Observe (RFC 7641 §1.2, RFC 8132 §2.4). */
export function mayObserve(method: number): boolean {
  return method === Method.get || method === Method.fetch;
}
