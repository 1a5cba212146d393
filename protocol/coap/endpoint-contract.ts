/** What the layers above CoAP may rely on; `endpoint.ts` implements it over any `DatagramSocket`. */
import type { SocketAddress } from "../ports/datagram-socket.ts";
import type { HandlerAbilities, OutgoingRequest, Peer, RequestControl, RequestHandler, RequestOutcome } from "./message.ts";
import type { TraceTap } from "./message-layer-contract.ts";
import type { HeldObservation, ObservationKey, ObservationListener, ObserveOutcome } from "./observation.ts";
import type { TransmissionParameters } from "./parameters.ts";
import type { PingControl, PingOutcome } from "./ping.ts";

export interface CoapEndpoint {
  readonly local: SocketAddress;
  /** The peer at an address: without an association the one without a security context (NoSec). */
  peerAt(address: SocketAddress): Peer;
  /** Serves every request; replaces an earlier handler. Without one: 4.04. A handler that throws or rejects is a bug: 5.00, logged. */
  handle(handler: RequestHandler, abilities?: HandlerAbilities): void;
  /** One request at a time to a peer (NSTART 1); further ones wait in a bounded queue. Never rejects. */
  request(peer: Peer, request: OutgoingRequest, control?: RequestControl): Promise<RequestOutcome>;
  /** GET or FETCH with Observe 0. Never rejects. */
  observe(peer: Peer, request: OutgoingRequest, listener: ObservationListener, control?: RequestControl): Promise<ObserveOutcome>;
  /** Whether the peer is there: an empty confirmable message (RFC 7252 §4.3). Never rejects. */
  ping(peer: Peer, control?: PingControl): Promise<PingOutcome>;
  /** Holds a relation again that an earlier process established (same peer, same token); sends nothing. */
  restoreObservation(key: ObservationKey, listener: ObservationListener): HeldObservation;
  /** Link profile of one peer; undefined restores the default. */
  setParameters(peer: Peer, parameters: TransmissionParameters | undefined): void;
  /** Shows every message, both ways, with peer and time, from now on; replaces an earlier one, undefined ends it. The bytes are valid only during the call. */
  tap(onTrace: TraceTap | undefined): void;
  /** Fails what is open with `cancelled`, ends relations with `closed`, closes the socket. */
  close(): Promise<void>;
}

/** Counted, never thrown: what happened below the handlers. Bounded cardinality: the names are the whole set. */
export interface EndpointCounters {
  readonly [name: string]: number;
}
