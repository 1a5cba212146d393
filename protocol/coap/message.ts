/** Requests and responses as the layers above the endpoint see them: whole bodies, no message ids, no blocks (RFC 7252 §5). */
import type { SecureIdentity, SocketAddress } from "../ports/datagram-socket.ts";
import type { Method, ResponseCode } from "./codes.ts";

/**
 * The other side of an exchange: remote address plus security identity. `key` is equal for two datagrams exactly when
 * they come from the same peer in the same security context; compare keys, never objects.
 */
export interface Peer {
  readonly key: string | number;
  readonly address: SocketAddress;
  readonly identity: PeerIdentity;
}

/** Plain UDP proves nothing but the address. */
export type PeerIdentity = { readonly kind: "none" } | SecureIdentity;

export interface CoapOption {
  readonly number: number;
  readonly value: Uint8Array;
}

/** A body that is too large to hold: read at the offset a block asks for. */
export interface BodySource {
  readonly sizeBytes: number;
  /** 1–8 bytes that change with the content (RFC 7252 §5.10.6). */
  readonly etag: Uint8Array;
  /** Resolves with exactly `length` bytes; `offset + length` never exceeds `sizeBytes`. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A request this endpoint received, its body complete. */
export interface IncomingRequest {
  readonly peer: Peer;
  readonly method: Method;
  readonly confirmable: boolean;
  /** Uri-Path segments, decoded. */
  readonly path: readonly string[];
  /** Uri-Query arguments, decoded, in order. */
  readonly query: readonly string[];
  readonly contentFormat: number | undefined;
  readonly accept: number | undefined;
  /** 0 asks to observe, 1 to stop (RFC 7641 §2). */
  readonly observe: number | undefined;
  /** ETags of If-Match, an empty one for "any" (RFC 7252 §5.10.8.1); only for handlers that keep preconditions, others never see such a request. */
  readonly ifMatch?: readonly Uint8Array[];
  /** If-None-Match (RFC 7252 §5.10.8.2); likewise. */
  readonly ifNoneMatch?: true;
  /** Options with no field of their own here: all of them elective or known critical. */
  readonly options: readonly CoapOption[];
  /** Owned by the receiver: never a view of the datagram. */
  readonly payload: Uint8Array;
}

/** What a handler answers; the endpoint adds message id, token, blocks and Observe. */
export interface OutgoingResponse {
  readonly code: ResponseCode;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array | BodySource;
  /** Location-Path segments of a 2.01. */
  readonly locationPath?: readonly string[];
  /** Seconds (RFC 7252 §5.10.5). */
  readonly maxAgeSeconds?: number;
  readonly etag?: Uint8Array;
  readonly options?: readonly CoapOption[];
  /** Runs once, after the reply was handed to the socket: "act only after the reply has left". */
  readonly afterSent?: () => void;
  /** Grants an observation when the request asked for one with Observe 0 (RFC 7641 §4.1); ignored otherwise. */
  readonly acceptObserve?: (relation: ServedObservation) => void;
}

/** A relation this endpoint serves: the client emulator's side of Observe (RFC 7641 §4). */
export interface ServedObservation {
  readonly peer: Peer;
  /** Sends the next notification; a class 4 or 5 code also ends the relation (§4.2). Resolves when it is acknowledged or given up. */
  notify(response: OutgoingResponse, confirmable: boolean): Promise<NotifyOutcome>;
  /** At most one callback: the client cancelled, answered RST, was given up on, or registered again with the same token. */
  onEnd(callback: () => void): void;
  close(): void;
}

export type NotifyOutcome = { readonly ok: true } | { readonly ok: false; readonly reason: "reset" | "timeout" | "closed" };

/** Synchronous where it can be: a returned promise costs a separate response when it takes long. */
export type RequestHandler = (request: IncomingRequest) => OutgoingResponse | Promise<OutgoingResponse>;

export interface HandlerAbilities {
  /** It looks at `ifMatch` and `ifNoneMatch` and answers 4.12 where they say so; default: such requests are refused with 4.02. */
  readonly preconditions?: boolean;
}

/** A request this endpoint sends; a body over the block size goes out by Block1 (RFC 7959 §2.5). */
export interface OutgoingRequest {
  readonly method: Method;
  readonly path: readonly string[];
  readonly query?: readonly string[];
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly payload?: Uint8Array;
  /** Default true. */
  readonly confirmable?: boolean;
  readonly options?: readonly CoapOption[];
}

/** A response this endpoint received, its body complete (Block2 already followed). */
export interface IncomingResponse {
  readonly peer: Peer;
  readonly code: ResponseCode;
  readonly contentFormat: number | undefined;
  readonly locationPath: readonly string[];
  readonly observe: number | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly etag: Uint8Array | undefined;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

/**
 * How a request ended. `no-answer`: never acknowledged (MAX_TRANSMIT_WAIT); `response-timeout`: acknowledged, but the deadline passed
 * without a response; `reset`: the peer answered RST; `cancelled`: by the caller or because the endpoint closed;
 * `invalid-response`: the answer broke the protocol (detail says how); `queue-full`: too many requests wait for this peer (NSTART 1).
 */
export type RequestOutcome =
  | { readonly ok: true; readonly response: IncomingResponse; readonly facts: ExchangeFacts }
  | { readonly ok: false; readonly reason: RequestFailure; readonly detail?: string; readonly facts: ExchangeFacts };

export type RequestFailure = "no-answer" | "response-timeout" | "reset" | "cancelled" | "invalid-response" | "queue-full";

/** What an exchange cost, for attempts in the operation resource and for metrics. */
export interface ExchangeFacts {
  /** Datagrams handed to the socket, retransmissions and blocks included; 0 means the request never left. */
  readonly datagramsSent: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly token: Uint8Array;
  /** Milliseconds from the first datagram to the response; undefined without a response. */
  readonly roundTripMs: number | undefined;
  /** Of a body that went out in blocks: how much of it the peer acknowledged (RFC 7959 §2.5); what `resumeAtByte` may go on from. */
  readonly bodyBytesAcknowledged?: number;
}

export interface RequestControl {
  /** Deadline for the whole response, from the call. Without it every exchange has EXCHANGE_LIFETIME (247 s), so that a block-wise transfer lives as long as it moves. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /**
   * Goes on with a body in blocks that an earlier request left unfinished, from the block this byte lies in. A peer that has dropped
   * what it had answers 4.08 and gets the body from the start.
   */
  readonly resumeAtByte?: number;
  /** A peer that says "later" (4.29, 5.03 with Max-Age) is asked once more when the time is over, unless the request is a POST or PATCH. */
  readonly againWhenPostponed?: boolean;
  /** Runs when the first datagram is handed to the socket, before any answer can arrive. */
  readonly onSent?: () => void;
  /** Runs when the peer has said that it has a request and will answer later (empty ACK, RFC 7252 §5.2.2); once per block. */
  readonly onAcknowledged?: () => void;
  /** Runs when the peer has answered a message of the flow and the next one follows: a body in blocks moves. */
  readonly onMoved?: () => void;
}
