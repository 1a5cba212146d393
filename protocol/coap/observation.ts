/** The client role of Observe: what a server of LwM2M holds per observed path (RFC 7641 §3). */
import type { ExchangeFacts, IncomingResponse, OutgoingRequest, Peer, RequestFailure } from "./message.ts";

/** Enough to go on after a restart of this process: the peer keeps sending with the same token. */
export interface ObservationKey {
  readonly peer: Peer;
  readonly token: Uint8Array;
  /** The request as it was first sent: an active cancel repeats it with Observe 1. */
  readonly request: OutgoingRequest;
}

export interface ObservationListener {
  /**
   * A notification, fresh by RFC 7641 §3.4, its body complete. A confirmable one is acknowledged when the returned promise
   * resolves (at once without a promise); if it rejects, nothing is sent and the peer repeats it.
   */
  onNotification(response: IncomingResponse): void | Promise<void>;
  /** At most once: the peer ended it (error notification, or one without Observe), or `cancel`/`close` did. */
  onEnd(reason: "peer-ended" | "cancelled" | "closed", last?: IncomingResponse): void;
}

export interface HeldObservation {
  readonly key: ObservationKey;
  /** Active: GET with Observe 1, the response is its answer, with the value as it is now; passive: forget it, the next notification is answered RST (§3.6). */
  cancel(mode: "active" | "passive"): Promise<{ readonly ok: boolean; readonly response?: IncomingResponse }>;
}

/** `observing` false: the peer answered, but without Observe or with an error; the response says which. */
export type ObserveOutcome =
  | {
      readonly ok: true;
      readonly observing: true;
      readonly observation: HeldObservation;
      readonly response: IncomingResponse;
      readonly facts: ExchangeFacts;
    }
  | { readonly ok: true; readonly observing: false; readonly response: IncomingResponse; readonly facts: ExchangeFacts }
  | { readonly ok: false; readonly reason: RequestFailure; readonly detail?: string; readonly facts: ExchangeFacts };
