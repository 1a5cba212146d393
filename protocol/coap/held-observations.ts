/**
 * The client role of Observe (RFC 7641 §3): relations this endpoint holds at its peers, by token.
 *
 *   absent --2.xx with Observe | restore--> held --fresh notification--> held (listener)
 *   held --error, or no Observe--> ended (peer-ended)     held --cancel--> ended (cancelled)     held --endpoint closes--> ended (closed)
 */
import { follow, transfer } from "./body-transfer.ts";
import type { ClientExchange } from "./client-exchange.ts";
import { isSuccess } from "./codes.ts";
import type { IncomingResponse } from "./message.ts";
import type { Receipt } from "./message-layer-contract.ts";
import { MessageType, type MessageView } from "./message-view.ts";
import type { HeldObservation, ObservationKey, ObservationListener } from "./observation.ts";
import { isNewer, type NotificationMark } from "./observe-order.ts";
import type { PeerRecord } from "./peer-table.ts";
import { type FlowContext, RequestFlow } from "./request-flow.ts";
import { plainResponse, type ReceivedResponse, readResponse } from "./response-fields.ts";
import type { TokenOwner } from "./token-table.ts";

type EndReason = Parameters<ObservationListener["onEnd"]>[0];

export class HeldRelation implements HeldObservation, TokenOwner {
  readonly key: ObservationKey;
  readonly peerKey: string | number;
  readonly #context: FlowContext;
  readonly #listener: ObservationListener;
  readonly #relations: Set<HeldRelation>;
  #last: NotificationMark | undefined;
  /** Fetches the later blocks of the newest notification. */
  #fetch: RequestFlow | undefined;
  #cancelling: ClientExchange | undefined;
  #open = true;

  /** `first`: the response that established it; undefined when restored. */
  constructor(
    context: FlowContext,
    relations: Set<HeldRelation>,
    key: ObservationKey,
    listener: ObservationListener,
    first?: IncomingResponse,
  ) {
    this.key = key;
    this.peerKey = key.peer.key;
    this.#context = context;
    this.#relations = relations;
    this.#listener = listener;
    if (first?.observe !== undefined) this.#last = { sequence: first.observe, receivedAt: context.layer.deadlines.now() };
    const before = context.tokens.set(key.token, this);
    if (before instanceof HeldRelation) before.end("closed");
    relations.add(this);
  }

  receive(record: PeerRecord, view: MessageView, receipt: Receipt | undefined): void {
    if (view.type === MessageType.acknowledgement) {
      if (this.#cancelling === undefined) this.#context.layer.counters.unmatchedAcknowledgements++;
      else this.#cancelling.receive(record, view, receipt);
      return;
    }
    const { layer } = this.#context;
    if (layer.admit(record) !== "admitted") {
      // Neither acknowledged nor rejected: a confirmable one comes again, the relation stays.
      layer.counters.refusedRate++;
      if (receipt !== undefined) layer.release(record, receipt);
      return;
    }
    const response = readResponse(view, record);
    if (response.flaw !== undefined) {
      if (receipt !== undefined) layer.reject(record, view.messageId, receipt);
    } else if (response.observe === undefined && this.#cancelling !== undefined) {
      this.#cancelling.receive(record, view, receipt);
    } else {
      this.#onNotification(record, view.messageId, response, receipt);
    }
  }

  async cancel(mode: "active" | "passive"): ReturnType<HeldObservation["cancel"]> {
    if (!this.#open) return { ok: false };
    if (mode === "passive") {
      this.end("cancelled");
      return { ok: true };
    }
    const { peer, request, token } = this.key;
    const flow = new RequestFlow(this.#context, this.#context.layer.recordOf(peer), request, {});
    const onExchange = (exchange: ClientExchange): void => {
      this.#cancelling = exchange;
    };
    const end = await transfer(flow, { observe: 1, token, onExchange }).finally(() => flow.close());
    this.#cancelling = undefined;
    // Whatever came of it, the relation is forgotten: the next notification is answered RST (RFC 7641 §3.6).
    this.end("cancelled");
    return end.kind === "response" && isSuccess(end.response.code) ? { ok: true, response: end.response } : { ok: false };
  }

  /** RFC 7641 §3.6: once forgotten, its notifications are rejected. */
  end(reason: EndReason, last?: IncomingResponse): void {
    if (!this.#open) return;
    this.#open = false;
    this.#context.tokens.remove(this.key.token, this);
    this.#relations.delete(this);
    this.#fetch?.fail("cancelled");
    this.#context.layer.guard(() => (last === undefined ? this.#listener.onEnd(reason) : this.#listener.onEnd(reason, last)));
  }

  #onNotification(record: PeerRecord, messageId: number, response: ReceivedResponse, receipt: Receipt | undefined): void {
    const { layer } = this.#context;
    const acknowledge = (): void => {
      if (receipt !== undefined) layer.acknowledge(record, messageId, receipt);
    };
    if (response.observe === undefined || !isSuccess(response.code)) {
      acknowledge();
      this.end("peer-ended", plainResponse(response));
      return;
    }
    const before = this.#last;
    const mark: NotificationMark = { sequence: response.observe, receivedAt: layer.deadlines.now() };
    if (!isNewer(before, mark)) {
      layer.counters.staleNotifications++;
      acknowledge();
      return;
    }
    this.#last = mark;
    // A newer notification ends the fetch for an older one, whose state it replaces (RFC 7641 §3.4, RFC 7959 §2.6).
    this.#fetch?.fail("cancelled", "a newer notification arrived");
    this.#fetch = undefined;
    // Not acknowledged means not seen: the peer's next copy must count as new again, in the order of numbers too.
    const forget = (): void => {
      if (receipt !== undefined) layer.release(record, receipt);
      if (this.#last === mark) this.#last = before;
    };
    const delivered = response.block2?.more ? this.#fetchAndDeliver(record, response) : this.#deliver(response);
    if (delivered instanceof Promise)
      delivered.then((ok) => (ok ? acknowledge() : forget())).catch((error: unknown) => layer.reportBug(error));
    else if (delivered) acknowledge();
    else forget();
  }

  /** True when the listener took it. */
  #deliver(response: ReceivedResponse): boolean | Promise<boolean> {
    try {
      const taken = this.#listener.onNotification(plainResponse(response));
      if (taken instanceof Promise) {
        return taken.then(
          () => true,
          () => false,
        );
      }
      return true;
    } catch (error) {
      this.#context.layer.reportBug(error);
      return false;
    }
  }

  async #fetchAndDeliver(record: PeerRecord, first: ReceivedResponse): Promise<boolean> {
    const flow = new RequestFlow(this.#context, record, this.key.request, {});
    this.#fetch = flow;
    const end = await follow(flow, first).finally(() => flow.close());
    const current = this.#fetch === flow;
    if (current) this.#fetch = undefined;
    // Superseded: the newer notification stands for this one, so the peer may stop repeating it.
    if (!current) return true;
    // An error in answer to a later block says nothing of the resource: the notification stays unacknowledged and comes again.
    if (end.kind === "failed" || !isSuccess(end.response.code) || !this.#open) return false;
    return this.#deliver(end.response);
  }
}
