/** Who waits for a response with which token: open requests and held observations (RFC 7252 §5.3.2). */
import type { MessageLayer } from "./message-layer.ts";
import type { Receipt } from "./message-layer-contract.ts";
import { headerBytes, MessageType, type MessageView } from "./message-view.ts";
import { OptionNumber } from "./options.ts";
import type { PeerRecord } from "./peer-table.ts";

export interface TokenOwner {
  readonly peerKey: string | number;
  /** A response with the owner's token from the owner's peer. */
  receive(record: PeerRecord, view: MessageView, receipt: Receipt | undefined): void;
}

/** RFC 7252 §5.3.1: at least 32 random bits without a security layer; 64 make a clash not worth a check. */
const tokenBytes = 8;

export class TokenTable {
  readonly #layer: MessageLayer;
  readonly #owners = new Map<string, TokenOwner>();

  constructor(layer: MessageLayer) {
    this.#layer = layer;
  }

  get size(): number {
    return this.#owners.size;
  }

  newToken(): Uint8Array {
    return this.#layer.random.bytes(tokenBytes);
  }

  /** Replaces the token's owner and returns the one before. */
  set(token: Uint8Array, owner: TokenOwner): TokenOwner | undefined {
    const key = textOf(token, 0, token.length);
    const before = this.#owners.get(key);
    this.#owners.set(key, owner);
    return before;
  }

  /** Only if the token is still this owner's. */
  remove(token: Uint8Array, owner: TokenOwner): void {
    const key = textOf(token, 0, token.length);
    if (this.#owners.get(key) === owner) this.#owners.delete(key);
  }

  onResponse(record: PeerRecord, view: MessageView, receipt: Receipt | undefined): void {
    const owner = this.#owners.get(textOf(view.bytes, headerBytes, view.tokenLength));
    if (owner === undefined) this.#onUnknown(record, view, receipt);
    else if (owner.peerKey === record.key) owner.receive(record, view, receipt);
    else this.#onForeign(record, receipt);
  }

  /**
   * RFC 7252 §4.2, §5.3.2: an unexpected response is rejected if confirmable; an ACK is never answered. A notification is rejected in
   * either case: without RST the peer would go on for ever (RFC 7641 §3.6).
   */
  #onUnknown(record: PeerRecord, view: MessageView, receipt: Receipt | undefined): void {
    const { counters } = this.#layer;
    if (view.type === MessageType.acknowledgement && record.transmissions?.some((open) => open.messageId === view.messageId)) {
      counters.tokenMismatches++;
    } else {
      counters.unmatchedResponses++;
    }
    if (receipt !== undefined || isUnaskedNotification(view)) this.#layer.reject(record, view.messageId, receipt);
  }

  /**
   * The right token from another address: most likely a device behind a NAT that notifies before its Update. RST would end its
   * observation, so it hears nothing and repeats until the relation is restored at the new address. Never accepted as it is.
   */
  #onForeign(record: PeerRecord, receipt: Receipt | undefined): void {
    this.#layer.counters.foreignAddress++;
    if (receipt !== undefined) this.#layer.release(record, receipt);
  }
}

function isUnaskedNotification(view: MessageView): boolean {
  return view.type === MessageType.nonConfirmable && view.hasOption(OptionNumber.observe);
}

function textOf(bytes: Uint8Array, offset: number, length: number): string {
  let text = "";
  for (let i = offset; i < offset + length; i++) text += String.fromCharCode(bytes[i] ?? 0);
  return text;
}
