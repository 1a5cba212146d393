/** The CoAP endpoint: both roles over one datagram socket. Implements `endpoint-contract.ts`; the parts are listed in the README. */
import type { Clock } from "../ports/clock.ts";
import type { DatagramSocket, SocketAddress } from "../ports/datagram-socket.ts";
import type { Random } from "../ports/random.ts";
import type { Challenge } from "./address-proof.ts";
import { type TransferVariant, transfer } from "./body-transfer.ts";
import type { ExchangeEnd } from "./client-exchange.ts";
import { isSuccess } from "./codes.ts";
import { type CoapCounters, createCoapCounters } from "./counters.ts";
import type { CoapEndpoint } from "./endpoint-contract.ts";
import { HeldRelation } from "./held-observations.ts";
import { type CoapLimits, defaultLimits } from "./limits.ts";
import type { HandlerAbilities, OutgoingRequest, Peer, RequestControl, RequestHandler, RequestOutcome } from "./message.ts";
import { MessageLayer } from "./message-layer.ts";
import type { TraceTap } from "./message-layer-contract.ts";
import type { HeldObservation, ObservationKey, ObservationListener, ObserveOutcome } from "./observation.ts";
import type { Occupancy } from "./occupancy.ts";
import { defaultParameters, type TransmissionParameters } from "./parameters.ts";
import { noIdentity } from "./peer-table.ts";
import { type PingControl, type PingOutcome, ping } from "./ping.ts";
import { type FlowContext, RequestFlow } from "./request-flow.ts";
import { plainResponse } from "./response-fields.ts";
import { ServedRequests } from "./served-requests.ts";
import { TokenTable } from "./token-table.ts";

export interface EndpointSettings {
  readonly socket: DatagramSocket;
  readonly clock: Clock;
  readonly random: Random;
  readonly parameters?: TransmissionParameters;
  readonly limits?: Partial<CoapLimits>;
  /** Every message in and out; the bytes are valid only during the call. */
  readonly onTrace?: TraceTap;
  /** A handler or listener that threw or rejected: a bug above this endpoint, or in it. */
  readonly onBug?: (error: unknown) => void;
  /**
   * Which requests of a peer that has not proved yet that it receives at its address are answered 4.01 with an Echo value to repeat
   * (RFC 9175 §2.3, §2.4); without it none.
   */
  readonly challenge?: Challenge;
  /** Counted into, if given; made by `createCoapCounters`. */
  readonly counters?: CoapCounters;
}

export interface MeasuredEndpoint extends CoapEndpoint {
  /** Looks at every peer: for metrics and tests, not for the path of a datagram. */
  occupancy(): Occupancy;
}

export function openCoapEndpoint(settings: EndpointSettings): MeasuredEndpoint {
  return new Endpoint(settings);
}

class Endpoint implements MeasuredEndpoint {
  readonly #layer: MessageLayer;
  readonly #served: ServedRequests;
  readonly #context: FlowContext;
  readonly #relations = new Set<HeldRelation>();
  /** What cancels a ping under way. */
  readonly #pings = new Set<() => void>();

  constructor(settings: EndpointSettings) {
    this.#layer = new MessageLayer({
      socket: settings.socket,
      clock: settings.clock,
      random: settings.random,
      parameters: settings.parameters ?? defaultParameters,
      limits: { ...defaultLimits, ...settings.limits },
      counters: settings.counters ?? createCoapCounters(),
      onTrace: settings.onTrace,
      onBug: settings.onBug ?? (() => {}),
    });
    const tokens = new TokenTable(this.#layer);
    this.#context = { layer: this.#layer, tokens, open: new Set(), uploads: new Map() };
    this.#served = new ServedRequests(this.#layer, settings.challenge);
    this.#layer.start({
      onRequest: (record, view, receipt) => this.#served.onRequest(record, view, receipt),
      onResponse: (record, view, receipt) => tokens.onResponse(record, view, receipt),
      onRejected: (record, messageId) => this.#served.observations.onRejected(record, messageId),
    });
  }

  get local(): SocketAddress {
    return this.#layer.local;
  }

  peerAt(address: SocketAddress): Peer {
    return { key: this.#layer.keyOf(address), address, identity: address.association?.identity ?? noIdentity };
  }

  handle(handler: RequestHandler, abilities: HandlerAbilities = {}): void {
    this.#served.handle(handler, abilities);
  }

  async request(peer: Peer, request: OutgoingRequest, control: RequestControl = {}): Promise<RequestOutcome> {
    const flow = new RequestFlow(this.#context, this.#layer.recordOf(peer), request, control);
    const end = await transfer(flow).finally(() => flow.close());
    return outcomeOf(end, flow);
  }

  async observe(
    peer: Peer,
    request: OutgoingRequest,
    listener: ObservationListener,
    control: RequestControl = {},
  ): Promise<ObserveOutcome> {
    const flow = new RequestFlow(this.#context, this.#layer.recordOf(peer), request, control);
    const token = this.#context.tokens.newToken();
    let relation: HeldRelation | undefined;
    // Held from the moment the response is read: the first notification may be right behind it.
    const onEnd: TransferVariant["onEnd"] = (end) => {
      if (end.kind !== "response" || end.response.observe === undefined || !isSuccess(end.response.code)) return;
      relation = new HeldRelation(this.#context, this.#relations, { peer, token, request }, listener, end.response);
    };
    const end = await transfer(flow, { observe: 0, token, onEnd }).finally(() => flow.close());
    const outcome = outcomeOf(end, flow);
    if (relation === undefined) return outcome.ok ? { ...outcome, observing: false } : outcome;
    if (outcome.ok) return { ...outcome, observing: true, observation: relation };
    relation.end("cancelled");
    return outcome;
  }

  ping(peer: Peer, control: PingControl = {}): Promise<PingOutcome> {
    return ping(this.#layer, this.#layer.recordOf(peer), this.#pings, control);
  }

  restoreObservation(key: ObservationKey, listener: ObservationListener): HeldObservation {
    return new HeldRelation(this.#context, this.#relations, key, listener);
  }

  setParameters(peer: Peer, parameters: TransmissionParameters | undefined): void {
    this.#layer.setParameters(this.#layer.recordOf(peer), parameters);
  }

  tap(onTrace: TraceTap | undefined): void {
    this.#layer.onTrace = onTrace;
  }

  occupancy(): Occupancy {
    return {
      ...this.#served.occupancy(),
      peers: this.#layer.knownPeers,
      busyPeers: this.#layer.countBusyPeers(),
      ownRequests: this.#context.open.size + this.#pings.size,
      heldObservations: this.#relations.size,
      tokens: this.#context.tokens.size,
    };
  }

  async close(): Promise<void> {
    const closing = this.#layer.close();
    for (const flow of [...this.#context.open]) flow.fail("cancelled", "the endpoint closed");
    for (const cancel of [...this.#pings]) cancel();
    for (const relation of [...this.#relations]) relation.end("closed");
    this.#served.observations.close();
    await closing;
  }
}

function outcomeOf(end: ExchangeEnd, flow: RequestFlow): RequestOutcome {
  const facts = flow.facts();
  if (end.kind === "response") return { ok: true, response: plainResponse(end.response), facts };
  return end.detail === undefined ? { ok: false, reason: end.reason, facts } : { ok: false, reason: end.reason, detail: end.detail, facts };
}
