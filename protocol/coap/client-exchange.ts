/**
 * One request message of ours and its response (RFC 7252 §5.2, §5.3).
 *
 *   sent --empty ACK--> acknowledged --response--> ended
 *   sent --response, piggybacked or overtaking the ACK--> ended
 *   sent --RST | given up--> ended        sent | acknowledged --stop--> ended
 */
import type { CoapOption, RequestFailure } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import type { Receipt } from "./message-layer-contract.ts";
import { MessageType, type MessageView } from "./message-view.ts";
import type { PeerRecord } from "./peer-table.ts";
import { type ReceivedResponse, readResponse } from "./response-fields.ts";
import type { TokenOwner, TokenTable } from "./token-table.ts";

export interface RequestMessage {
  readonly method: number;
  readonly confirmable: boolean;
  readonly token: Uint8Array;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export type ExchangeEnd =
  | { readonly kind: "response"; readonly response: ReceivedResponse }
  | { readonly kind: "failed"; readonly reason: RequestFailure; readonly detail?: string };

export interface ExchangeHooks {
  onDatagram(lengthBytes: number): void;
  /** The peer has the request; its response may take its time. */
  onAcknowledged(): void;
  /** Once. Runs while the response is being received, before anything after it is. */
  onEnd(end: ExchangeEnd, receivedBytes: number): void;
}

export class ClientExchange implements TokenOwner {
  readonly peerKey: string | number;
  readonly messageId: number;
  acknowledged = false;
  readonly #layer: MessageLayer;
  readonly #tokens: TokenTable;
  readonly #token: Uint8Array;
  readonly #hooks: ExchangeHooks;
  #stopTransmission: (() => void) | undefined;
  #open = true;

  /** `register` false: another owner holds the token and hands on what is for this exchange. */
  constructor(layer: MessageLayer, tokens: TokenTable, record: PeerRecord, message: RequestMessage, hooks: ExchangeHooks, register = true) {
    this.peerKey = record.key;
    this.messageId = layer.takeMessageId(record);
    this.#layer = layer;
    this.#tokens = tokens;
    this.#token = message.token;
    this.#hooks = hooks;
    this.#send(record, message);
    if (register) tokens.set(message.token, this);
  }

  receive(record: PeerRecord, view: MessageView, receipt: Receipt | undefined): void {
    // RFC 7252 §5.3.2: a piggybacked response must match in message id, token and peer.
    if (view.type === MessageType.acknowledgement && view.messageId !== this.messageId) {
      this.#layer.counters.unmatchedAcknowledgements++;
      return;
    }
    const response = readResponse(view, record);
    if (response.flaw !== undefined) {
      if (receipt !== undefined) this.#layer.reject(record, view.messageId, receipt);
      this.#end({ kind: "failed", reason: "invalid-response", detail: response.flaw }, view.bytes.length);
      return;
    }
    if (receipt !== undefined) this.#layer.acknowledge(record, view.messageId, receipt);
    this.#end({ kind: "response", response }, view.bytes.length);
  }

  /** Ends it from outside; the hook is told `end`. */
  stop(end: ExchangeEnd): void {
    this.#end(end, 0);
  }

  #send(record: PeerRecord, message: RequestMessage): void {
    const { writer } = this.#layer;
    const type = message.confirmable ? MessageType.confirmable : MessageType.nonConfirmable;
    writer.begin(type, message.method, this.messageId, message.token);
    writer.weave(message.options);
    writer.payload(message.payload);
    const bytes = writer.finish();
    if (!message.confirmable) {
      this.#layer.probe(record, bytes);
      this.#hooks.onDatagram(bytes.length);
      this.#stopTransmission = this.#layer.expectReset(record, this.messageId, () => this.#end({ kind: "failed", reason: "reset" }, 0));
      return;
    }
    this.#stopTransmission = this.#layer.transmit(record, this.messageId, bytes.slice(), {
      onDatagram: (length) => this.#hooks.onDatagram(length),
      onOutcome: (outcome) => {
        if (outcome === "acknowledged") {
          this.acknowledged = true;
          this.#hooks.onAcknowledged();
        } else {
          this.#end({ kind: "failed", reason: outcome === "rejected" ? "reset" : "no-answer" }, 0);
        }
      },
    });
  }

  #end(end: ExchangeEnd, receivedBytes: number): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stopTransmission?.();
    this.#tokens.remove(this.#token, this);
    this.#hooks.onEnd(end, receivedBytes);
  }
}
