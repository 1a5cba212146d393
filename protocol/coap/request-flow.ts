/**
 * One request of the caller from the first datagram to the whole response: turn taking (NSTART), deadline, cancellation and
 * what it cost. `body-transfer.ts` makes one or many exchanges of it.
 */
import type { Timer } from "../ports/clock.ts";
import { findBackOffMs, startBackOff } from "./back-off.ts";
import { ClientExchange, type ExchangeEnd, type ExchangeHooks, type RequestMessage } from "./client-exchange.ts";
import type { CoapOption, ExchangeFacts, OutgoingRequest, RequestControl, RequestFailure } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import { exchangeLifetimeMs, type TransmissionParameters } from "./parameters.ts";
import type { PeerRecord } from "./peer-table.ts";
import type { ReceivedResponse } from "./response-fields.ts";
import { SendTurn } from "./send-turn.ts";
import type { TokenTable } from "./token-table.ts";

/** What the flows of one endpoint share. */
export interface FlowContext {
  readonly layer: MessageLayer;
  readonly tokens: TokenTable;
  /** Flows that have not ended: what `close` cancels. */
  readonly open: Set<RequestFlow>;
  /** Bodies on their way in blocks and those that wait for them, by peer and path. */
  readonly uploads: Map<string, SendTurn>;
}

export interface FlowMessage {
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
  /** A new one unless given. */
  readonly token?: Uint8Array | undefined;
  /** Hands over the exchange before it is sent: for an owner of the token that passes responses on. */
  readonly onExchange?: ((exchange: ClientExchange) => void) | undefined;
  /** Runs while the response is being received. */
  readonly onEnd?: ((end: ExchangeEnd) => void) | undefined;
}

type Failed = ExchangeEnd & { readonly kind: "failed" };

const noToken: Uint8Array = new Uint8Array(0);

export class RequestFlow {
  readonly request: OutgoingRequest;
  readonly record: PeerRecord;
  readonly #context: FlowContext;
  readonly #control: RequestControl;
  readonly #turn: SendTurn;
  #exchange: ClientExchange | undefined;
  #endWaiting: ((end: ExchangeEnd) => void) | undefined;
  #failure: Failed | undefined;
  #deadline: Timer | undefined;
  /** Runs while a message must not leave yet. */
  #pause: Timer | undefined;
  #upload: { readonly key: string; readonly turn: SendTurn; readonly proceed: () => void } | undefined;
  #datagramsSent = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  #token = noToken;
  #firstSentAt: number | undefined;
  #answeredAt: number | undefined;
  /** Of a body in blocks; undefined while there is none. */
  bodyBytesAcknowledged: number | undefined;
  readonly #onAbort = (): void => this.fail("cancelled");

  constructor(context: FlowContext, record: PeerRecord, request: OutgoingRequest, control: RequestControl) {
    this.#context = context;
    this.record = record;
    this.request = request;
    this.#control = control;
    record.turn ??= new SendTurn();
    this.#turn = record.turn;
    this.#open();
  }

  get parameters(): TransmissionParameters {
    return this.#context.layer.parametersOf(this.record);
  }

  get largestBodyBytes(): number {
    return this.#context.layer.limits.responseBodyBytes;
  }

  get resumeAtByte(): number {
    return this.#control.resumeAtByte ?? 0;
  }

  get goesAgainWhenPostponed(): boolean {
    return this.#control.againWhenPostponed ?? false;
  }

  /** Whether the response asks to come back later, so that sending the same again after the wait makes sense. */
  isPostponed(response: ReceivedResponse): boolean {
    return findBackOffMs(response, this.#context.layer.limits.longestBackOffMs) !== undefined;
  }

  facts(): ExchangeFacts {
    const roundTripMs =
      this.#firstSentAt === undefined || this.#answeredAt === undefined ? undefined : this.#answeredAt - this.#firstSentAt;
    const facts: ExchangeFacts = {
      datagramsSent: this.#datagramsSent,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      token: this.#token,
      roundTripMs,
    };
    return this.bodyBytesAcknowledged === undefined ? facts : { ...facts, bodyBytesAcknowledged: this.bodyBytesAcknowledged };
  }

  /** One message and its response. Later ones of the same flow go ahead of other requests to the peer. Rejects only for a message that cannot be encoded. */
  exchange(message: FlowMessage): Promise<ExchangeEnd> {
    if (this.#answeredAt !== undefined) this.#context.layer.guard(this.#control.onMoved);
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        resolve(this.#failure);
        return;
      }
      this.#endWaiting = resolve;
      // Another flow may be the one that hands over the turn: an error must not end up there.
      const start = (): void => {
        const waitMs = this.#context.layer.requestWaitMs(this.record, this.request.confirmable ?? true);
        if (waitMs > 0) {
          this.#pause = this.#context.layer.deadlines.after(waitMs, start);
          return;
        }
        try {
          this.#start(message, resolve);
        } catch (error) {
          reject(error);
        }
      };
      this.#turn.take(this, start, this.#datagramsSent > 0);
    });
  }

  /**
   * Before the first block of a body: Block1 cannot tell two bodies to one resource apart (RFC 7959 §2.5), and where a device answers a block
   * separately, another request may leave in between. Undefined when no other body is on its way there; else resolves when none is any more,
   * or when the flow has ended.
   */
  takeUpload(): Promise<void> | undefined {
    const { layer, uploads } = this.#context;
    const key = JSON.stringify([this.record.key, this.request.path]);
    const turn = uploads.get(key) ?? new SendTurn();
    uploads.set(key, turn);
    const upload = { key, turn, proceed: () => {} };
    this.#upload = upload;
    if (turn.idle) {
      turn.take(this, upload.proceed);
      return undefined;
    }
    if (turn.waiting >= layer.limits.waitingRequestsPerPeer) this.fail("queue-full");
    if (this.#failure !== undefined) return undefined;
    return new Promise((resolve) => {
      upload.proceed = resolve;
      turn.take(this, resolve);
    });
  }

  leaveUpload(): void {
    const upload = this.#upload;
    if (upload === undefined) return;
    this.#upload = undefined;
    upload.turn.leave(this);
    if (upload.turn.idle && this.#context.uploads.get(upload.key) === upload.turn) this.#context.uploads.delete(upload.key);
  }

  /** Ends the flow: what is under way stops, what would follow fails the same way. */
  fail(reason: RequestFailure, detail?: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = detail === undefined ? { kind: "failed", reason } : { kind: "failed", reason, detail };
    this.#pause?.cancel();
    const exchange = this.#exchange;
    if (exchange !== undefined) exchange.stop(this.#failure);
    else this.#endWaiting?.(this.#failure);
    this.#upload?.proceed();
    this.#turn.leave(this);
  }

  /** Gives everything back; call when the last exchange has ended. */
  close(): void {
    this.#deadline?.cancel();
    this.#control.signal?.removeEventListener("abort", this.#onAbort);
    this.#context.open.delete(this);
    this.leaveUpload();
    this.#turn.leave(this);
  }

  #open(): void {
    const { layer, open } = this.#context;
    const { signal, timeoutMs } = this.#control;
    open.add(this);
    if (layer.closed || signal?.aborted) this.fail("cancelled");
    else if (!this.#turn.idle && this.#turn.waiting >= layer.limits.waitingRequestsPerPeer) this.fail("queue-full");
    if (timeoutMs !== undefined) this.#deadline = layer.deadlines.after(timeoutMs, () => this.#onDeadline());
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  #onDeadline(): void {
    this.fail(this.#exchange?.acknowledged ? "response-timeout" : "no-answer");
  }

  #start(message: FlowMessage, resolve: (end: ExchangeEnd) => void): void {
    const { layer, tokens } = this.#context;
    const token = message.token ?? tokens.newToken();
    const confirmable = this.request.confirmable ?? true;
    if (this.#token.length === 0) this.#token = token;
    const sent: RequestMessage = { method: this.request.method, confirmable, token, options: message.options, payload: message.payload };
    let timer: Timer | undefined;
    const hooks: ExchangeHooks = {
      onDatagram: (length) => this.#countDatagram(length),
      onAcknowledged: () => {
        this.#turn.leave(this);
        this.#context.layer.guard(this.#control.onAcknowledged);
      },
      onEnd: (end, receivedBytes) => {
        timer?.cancel();
        this.#exchange = undefined;
        this.#bytesReceived += receivedBytes;
        if (end.kind === "response") this.#onAnswered(end.response);
        message.onEnd?.(end);
        resolve(end);
      },
    };
    const exchange = new ClientExchange(layer, tokens, this.record, sent, hooks, message.onExchange === undefined);
    this.#exchange = exchange;
    message.onExchange?.(exchange);
    // Without a deadline of the caller every exchange has its own, so that a long transfer lives as long as it moves.
    if (this.#control.timeoutMs === undefined) {
      timer = layer.deadlines.after(exchangeLifetimeMs(this.parameters), () => this.#onDeadline());
    }
    if (!confirmable) this.#turn.leave(this);
    // `onSent` may have cancelled the flow while the exchange was being made.
    if (this.#failure !== undefined) exchange.stop(this.#failure);
  }

  #onAnswered(response: ReceivedResponse): void {
    const { layer } = this.#context;
    this.#answeredAt = layer.deadlines.now();
    const backOffMs = findBackOffMs(response, layer.limits.longestBackOffMs);
    if (backOffMs === undefined || layer.closed) return;
    startBackOff(layer, this.#turn, backOffMs);
    // A transfer that goes on waits like all others.
    this.#turn.leave(this);
  }

  #countDatagram(lengthBytes: number): void {
    const first = this.#datagramsSent === 0;
    this.#datagramsSent++;
    this.#bytesSent += lengthBytes;
    if (!first) return;
    this.#firstSentAt = this.#context.layer.deadlines.now();
    this.#context.layer.guard(this.#control.onSent);
  }
}
