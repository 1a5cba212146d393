/**
 * The server role: a received request to the handler, its answer back (RFC 7252 §5.2, RFC 7959 §2).
 *
 *   open --answer at hand--> done (piggybacked, or NON)
 *   open --handler thinks longer than the piggyback time--> acknowledged (empty ACK) --answer--> done (separate response)
 */
import { type Challenge, findChallenge } from "./address-proof.ts";
import { type Block, findBlock } from "./block-option.ts";
import { BodyAssemblies } from "./body-assembly.ts";
import { ByteBudget } from "./byte-budget.ts";
import { isSuccess, Method, ResponseCode } from "./codes.ts";
import { KeptResponses } from "./kept-responses.ts";
import type { HandlerAbilities, IncomingRequest, OutgoingResponse, RequestHandler } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import type { Receipt } from "./message-layer-contract.ts";
import { MessageType, type MessageView } from "./message-view.ts";
import type { ServedOccupancy } from "./occupancy.ts";
import { describeOption } from "./options.ts";
import type { PeerRecord } from "./peer-table.ts";
import { findPrecondition, isUnwanted, readRequestFields } from "./request-fields.ts";
import { isBodySource, planSlice } from "./response-slice.ts";
import { type ResponsePart, writeResponse } from "./response-writer.ts";
import { isRepeatable, partOf, requestOf, type ServedExchange, sliceHead, transferKey, wholeHead } from "./served-exchange.ts";
import { mayObserve, ServedObservations } from "./served-observations.ts";

const encoder = new TextEncoder();
/** A peer that was refused for load comes back after this many seconds. */
const busyMaxAgeSeconds = 10;
const highestMethod = Method.ipatch;

export class ServedRequests {
  readonly #layer: MessageLayer;
  readonly #challenge: Challenge | undefined;
  readonly #budget: ByteBudget;
  readonly #assemblies: BodyAssemblies;
  readonly #kept: KeptResponses;
  readonly observations: ServedObservations;
  #handler: RequestHandler = () => ({ code: ResponseCode.notFound });
  #keepsPreconditions = false;
  #thinking = 0;

  constructor(layer: MessageLayer, challenge: Challenge | undefined) {
    this.#layer = layer;
    this.#challenge = challenge;
    this.#budget = new ByteBudget(layer.limits.bodyBytes);
    this.#assemblies = new BodyAssemblies(layer, this.#budget);
    this.#kept = new KeptResponses(layer, this.#budget);
    this.observations = new ServedObservations(layer);
  }

  occupancy(): ServedOccupancy {
    return {
      servedRequests: this.#thinking,
      servedObservations: this.observations.size,
      assemblies: this.#assemblies.size,
      keptResponses: this.#kept.size,
      bodyBytes: this.#budget.used,
    };
  }

  handle(handler: RequestHandler, abilities: HandlerAbilities): void {
    this.#handler = handler;
    this.#keepsPreconditions = abilities.preconditions ?? false;
  }

  onRequest(record: PeerRecord, view: MessageView, receipt: Receipt): void {
    const verdict = this.#layer.admit(record);
    if (verdict !== "admitted") {
      this.#refuseRate(record, view, receipt, verdict);
      return;
    }
    const fields = readRequestFields(view);
    const asked = fields.block2 === undefined ? undefined : findBlock(fields.block2);
    const arriving = fields.block1 === undefined ? undefined : findBlock(fields.block1);
    const exchange: ServedExchange = {
      record,
      receipt,
      method: view.code as Method, // Checked below, before a handler sees it.
      confirmable: view.type === MessageType.confirmable,
      messageId: view.messageId,
      token: view.token(),
      observe: mayObserve(view.code) ? fields.observe : undefined,
      asked,
      echoed: arriving === undefined ? undefined : this.#echo(record, arriving),
      fields,
      acknowledged: false,
      timer: undefined,
    };
    const refusal = this.#findRefusal(exchange, asked, arriving);
    if (refusal !== undefined) this.#finish(exchange, refusal, undefined);
    else if (arriving !== undefined) this.#assemble(exchange, arriving, view.payload());
    else this.#serve(exchange, view.payload());
  }

  /** The answer is not kept: what was refused is judged anew when it comes again. A non-confirmable message just meets silence. */
  #refuseRate(record: PeerRecord, view: MessageView, receipt: Receipt, verdict: "peer-over" | "all-over"): void {
    this.#layer.counters.refusedRate++;
    this.#layer.release(record, receipt);
    if (view.type !== MessageType.confirmable) return;
    // RFC 8516 §3 for a peer that asks too much, RFC 7252 §5.9.3.4 for a server that has too much to do.
    const code = verdict === "peer-over" ? ResponseCode.tooManyRequests : ResponseCode.serviceUnavailable;
    const head = { type: MessageType.acknowledgement, messageId: view.messageId, token: view.token() };
    this.#layer.send(record, writeResponse(this.#layer.writer, head, { code, maxAgeSeconds: busyMaxAgeSeconds }));
  }

  /** What stands in the way of a handler, in the order the standard decides it. */
  #findRefusal(exchange: ServedExchange, asked: Block | undefined, arriving: Block | undefined): ResponsePart | undefined {
    const { fields, method } = exchange;
    // A handler that does not look at a precondition would break its promise.
    const badOption = fields.badOption ?? (this.#keepsPreconditions ? undefined : findPrecondition(fields));
    if (badOption !== undefined) {
      this.#layer.counters.badOptions++;
      return { code: ResponseCode.badOption, payload: encoder.encode(describeOption(badOption)) };
    }
    if (fields.proxied) return { code: ResponseCode.proxyingNotSupported };
    if (method > highestMethod) return { code: ResponseCode.methodNotAllowed };
    // RFC 7959 §2.2: SZX 7 is reserved and answered 4.00.
    if (fields.block2 !== undefined && asked === undefined) return { code: ResponseCode.badRequest };
    if (fields.block1 !== undefined && arriving === undefined) return { code: ResponseCode.badRequest };
    return findChallenge(exchange, this.#challenge, this.#layer.random);
  }

  /** Our own block size, if smaller, stands in the answer, and the peer goes on with it (RFC 7959 §2.5, "early negotiation"). */
  #echo(record: PeerRecord, arriving: Block): Block {
    const preferred = this.#layer.parametersOf(record).blockSizeBytes;
    return arriving.number === 0 && arriving.more ? { ...arriving, sizeBytes: Math.min(arriving.sizeBytes, preferred) } : arriving;
  }

  #assemble(exchange: ServedExchange, block: Block, payload: Uint8Array): void {
    const { fields, record } = exchange;
    const key = transferKey(exchange, fields.requestTag);
    const step = this.#assemblies.accept(record, key, {
      block,
      payload,
      contentFormat: fields.contentFormat,
      announcedBytes: fields.size1,
    });
    switch (step.kind) {
      case "continue":
        this.#finish(exchange, { code: ResponseCode.continue }, undefined);
        return;
      case "complete":
        this.#serve(exchange, step.body);
        return;
      case "too-large":
        this.#finish(exchange, { code: ResponseCode.requestEntityTooLarge, size1: step.limitBytes }, undefined);
        return;
      case "no-room":
        this.#refuseBusy(exchange);
        return;
      case "incomplete":
        this.#finish(exchange, { code: ResponseCode.requestEntityIncomplete }, undefined);
        return;
      case "malformed":
        this.#finish(exchange, { code: ResponseCode.badRequest }, undefined);
        return;
    }
  }

  #serve(exchange: ServedExchange, payload: Uint8Array): void {
    const { asked, method, record } = exchange;
    if (asked !== undefined && asked.number > 0 && method !== Method.get) {
      const kept = this.#kept.find(record, transferKey(exchange, undefined));
      if (kept !== undefined) {
        this.#respond(exchange, kept);
        return;
      }
      // FETCH is safe to run again when its body came along (RFC 8132 §2.1); nothing else is.
      if (method !== Method.fetch || payload.length === 0) {
        this.#finish(exchange, { code: ResponseCode.requestEntityIncomplete }, undefined);
        return;
      }
    }
    if (exchange.observe === 1) this.observations.cancel(record, exchange.token);
    if (this.#isBusy(record)) {
      this.#refuseBusy(exchange);
      return;
    }
    this.#call(exchange, requestOf(exchange, payload));
  }

  #refuseBusy(exchange: ServedExchange): void {
    this.#layer.counters.refusedBusy++;
    this.#finish(exchange, { code: ResponseCode.serviceUnavailable, maxAgeSeconds: busyMaxAgeSeconds }, undefined);
  }

  #isBusy(record: PeerRecord): boolean {
    const { servedRequests, servedRequestsPerPeer } = this.#layer.limits;
    return this.#thinking >= servedRequests || record.servedRequests >= servedRequestsPerPeer;
  }

  #call(exchange: ServedExchange, request: IncomingRequest): void {
    let answer: OutgoingResponse | Promise<OutgoingResponse>;
    try {
      answer = this.#handler(request);
    } catch (error) {
      this.#failed(exchange, error);
      return;
    }
    if (answer instanceof Promise) this.#await(exchange, answer, (response) => this.#respond(exchange, response));
    else this.#attempt(exchange, () => this.#respond(exchange, answer));
  }

  /** A response that cannot be written is the handler's bug, and the peer gets an answer all the same. */
  #attempt(exchange: ServedExchange, respond: () => void): void {
    try {
      respond();
    } catch (error) {
      this.#failed(exchange, error);
    }
  }

  /** The empty ACK leaves when the handler needs longer than the piggyback time (RFC 7252 §5.2.2). */
  #await<T>(exchange: ServedExchange, promise: Promise<T>, then: (value: T) => void): void {
    const { record } = exchange;
    record.servedRequests++;
    this.#thinking++;
    if (exchange.confirmable && !exchange.acknowledged) {
      exchange.timer ??= this.#layer.deadlines.after(this.#layer.parametersOf(record).piggybackMs, () => {
        exchange.acknowledged = true;
        this.#layer.acknowledge(record, exchange.messageId, exchange.receipt);
      });
    }
    const settled = (): void => {
      record.servedRequests--;
      this.#thinking--;
    };
    promise
      .then(
        (value) => {
          settled();
          this.#attempt(exchange, () => then(value));
        },
        (error: unknown) => {
          settled();
          this.#failed(exchange, error);
        },
      )
      .catch((error: unknown) => this.#layer.reportBug(error));
  }

  #failed(exchange: ServedExchange, error: unknown): void {
    this.#layer.reportBug(error);
    this.#finish(exchange, { code: ResponseCode.internalServerError }, undefined);
  }

  #respond(exchange: ServedExchange, response: OutgoingResponse): void {
    const { payload } = response;
    const { asked, method, record } = exchange;
    const preferred = this.#layer.parametersOf(record).blockSizeBytes;
    if (payload === undefined || (!isSuccess(response.code) && !isBodySource(payload) && payload.length <= preferred)) {
      this.#finish(exchange, partOf(response, payload), response);
      return;
    }
    const sizeBytes = isBodySource(payload) ? payload.sizeBytes : payload.length;
    const plan = planSlice(sizeBytes, asked, preferred);
    if (plan.kind === "beyond") {
      this.#finish(exchange, { code: ResponseCode.badOption, payload: encoder.encode("Block2 lies behind the end") }, undefined);
      return;
    }
    const { offset, length } = plan.kind === "slice" ? plan : { offset: 0, length: sizeBytes };
    const head = plan.kind === "slice" ? sliceHead(response, payload, plan.block, sizeBytes) : wholeHead;
    if (plan.kind === "slice" && plan.block.more && offset === 0 && method !== Method.get) {
      this.#kept.keep(record, transferKey(exchange, undefined), response);
    }
    if (!isBodySource(payload)) {
      const slice = length === payload.length ? payload : payload.subarray(offset, offset + length);
      this.#finish(exchange, partOf(response, slice, head), response);
      return;
    }
    const read = length === 0 ? Promise.resolve(new Uint8Array(0)) : payload.read(offset, length);
    this.#await(exchange, read, (slice) => this.#finish(exchange, partOf(response, slice, head), response));
  }

  /** The one place an answer leaves. `response` is what the handler made, if it did. */
  #finish(exchange: ServedExchange, part: ResponsePart, response: OutgoingResponse | undefined): void {
    const { record, token } = exchange;
    const layer = this.#layer;
    if (layer.closed) return;
    exchange.timer?.cancel();
    const relation = this.observations.findGrant(record, token, exchange.observe, response);
    const whole: ResponsePart =
      relation === undefined && exchange.echoed === undefined ? part : { ...part, observe: relation?.sequence, block1: exchange.echoed };
    if (relation === undefined && isUnwanted(exchange.fields, whole.code)) {
      // RFC 7967 §2.1: a confirmable request is still acknowledged.
      if (exchange.confirmable && !exchange.acknowledged) layer.acknowledge(record, exchange.messageId, exchange.receipt);
    } else if (exchange.confirmable && !exchange.acknowledged) {
      const head = { type: MessageType.acknowledgement, messageId: exchange.messageId, token };
      layer.reply(record, writeResponse(layer.writer, head, whole), exchange.receipt, isRepeatable(exchange.method));
    } else {
      const messageId = layer.takeMessageId(record);
      const type = exchange.confirmable ? MessageType.confirmable : MessageType.nonConfirmable;
      const bytes = writeResponse(layer.writer, { type, messageId, token }, whole);
      if (exchange.confirmable) layer.transmit(record, messageId, bytes.slice(), { onDatagram: () => {}, onOutcome: () => {} });
      else layer.send(record, bytes);
    }
    if (relation !== undefined) layer.guard(() => response?.acceptObserve?.(relation));
    layer.guard(response?.afterSent);
  }
}
