/** The bootstrap server: sessions of all devices over one CoAP endpoint. */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingRequest, OutgoingResponse, Peer, RequestOutcome } from "@lwm2m/protocol/coap/message";
import { defaultParameters, exchangeLifetimeMs, type TransmissionParameters } from "@lwm2m/protocol/coap/parameters";
import { findCoreAnswer } from "@lwm2m/protocol/coap/well-known-core";
import type { ResourceTypeLookup } from "@lwm2m/protocol/lwm2m/value";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import { type BootstrapRequest, bootstrapLinks, readBootstrapRequest, refusal } from "./bootstrap-coap.ts";
import type { BootstrapConfigs } from "./bootstrap-config.ts";
import { openSession, type SessionEvent, type SessionFailure, type SessionState, step } from "./bootstrap-machine.ts";
import { type PlanStep, toPlan } from "./bootstrap-plan.ts";
import { describeStep, readAnswer, requestOf } from "./session-request.ts";

export interface BootstrapServiceDeps {
  /** Its requests all go to this service; closed by who opened it, after the service. */
  readonly endpoint: CoapEndpoint;
  readonly configs: BootstrapConfigs;
  readonly clock: Clock;
  /** Types of objects 0 and 1, for the codecs: `typeLookup(registry, [], "1.1")`. */
  readonly typeOf: ResourceTypeLookup;
  readonly onSession?: (notice: SessionNotice) => void;
  /** Who a peer may be: it says no name, or another than its credential does. Without it every name is believed. */
  readonly admit?: (peer: Peer, endpointName: string | undefined) => Promise<BootstrapAdmission>;
  readonly maxSessions?: number;
  /** What the endpoint was opened with; default: RFC 7252 §4.8. */
  readonly usualLink?: TransmissionParameters;
  /** The link of a device that has one of its own, for the time of its session. */
  readonly linkOf?: (endpointName: string) => TransmissionParameters | undefined;
  /** Refuses what devices answer beyond the specifications. */
  readonly strict?: boolean;
  /** Told otherwise what was let pass, by stable codes. */
  readonly onTolerated?: (endpointName: string, codes: readonly string[]) => void;
}

/** What happened, for logs and events; never a value that was written. */
export type SessionNotice = { readonly at: number; readonly address: string } & (
  | { readonly kind: "refused"; readonly endpointName: string | undefined; readonly detail: string }
  | { readonly kind: "started"; readonly endpointName: string; readonly contentFormat: number; readonly steps: number }
  | {
      readonly kind: "answered";
      readonly endpointName: string;
      readonly request: string;
      readonly code: string;
      readonly accepted: boolean;
    }
  | { readonly kind: "finished"; readonly endpointName: string; readonly refused: number; readonly durationMs: number }
  | {
      readonly kind: "failed";
      readonly endpointName: string;
      readonly reason: SessionFailure;
      readonly detail: string;
      readonly durationMs: number;
    }
);

export type BootstrapAdmission = { readonly ok: true; readonly endpoint: string } | { readonly ok: false; readonly detail: string };

export interface BootstrapService {
  /** The secured connection of a peer is gone: its session will not be answered any more. */
  noteLost(peerKey: Peer["key"]): void;
  /** Ends what is open with `closed`. */
  close(): Promise<void>;
}

/** Sessions open at once; each holds a plan and one request. Further devices are asked to come later. */
const usualMaxSessions = 10_000;
/** How much later (RFC 7252 §5.9.3.4): a session takes seconds. */
const retryAfterSeconds = 30;

export function openBootstrapService(deps: BootstrapServiceDeps): BootstrapService {
  const service = new Sessions(deps);
  deps.endpoint.handle((request) => findCoreAnswer(request, bootstrapLinks) ?? service.accept(request));
  return service;
}

/** From whom it is, is settled. */
type NamedRequest = BootstrapRequest & { readonly endpointName: string };

interface Session extends NamedRequest {
  readonly peer: Peer;
  readonly startedAt: number;
  readonly stop: AbortController;
  deadline: Timer | undefined;
  state: SessionState;
}

class Sessions implements BootstrapService {
  readonly #deps: BootstrapServiceDeps;
  /** By endpoint name: one at a time, the newest. */
  readonly #open = new Map<string, Session>();
  readonly #byPeer = new Map<Peer["key"], Session>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(deps: BootstrapServiceDeps) {
    this.#deps = deps;
  }

  async accept(request: IncomingRequest): Promise<OutgoingResponse> {
    const wanted = readBootstrapRequest(request);
    if (!wanted.ok) return this.#refuse(request.peer, undefined, wanted.code, wanted.detail);
    const admission = await this.#admit(request.peer, wanted.endpointName);
    // The one code for a name that is not accepted (LwM2M Transport 1.1 §6.4.3), for whatever reason.
    if (!admission.ok) return this.#refuse(request.peer, wanted.endpointName, ResponseCode.badRequest, admission.detail);
    const endpointName = admission.endpoint;
    const isNew = !this.#open.has(endpointName);
    if (this.#closed || (isNew && this.#open.size >= (this.#deps.maxSessions ?? usualMaxSessions))) {
      const response = this.#refuse(request.peer, endpointName, ResponseCode.serviceUnavailable, "too many sessions, come again later");
      return { ...response, maxAgeSeconds: retryAfterSeconds };
    }
    const config = await this.#deps.configs.find(endpointName);
    // The same answer for an unknown device and one without configuration (table of codes): nothing to learn for a stranger.
    if (config === undefined)
      return this.#refuse(request.peer, endpointName, ResponseCode.badRequest, "no configuration for this endpoint name");
    const { peer } = request;
    const steps = toPlan(config);
    // The device must see 2.04 before the first request of the plan.
    return { code: ResponseCode.changed, afterSent: () => this.#start({ ...wanted, endpointName }, peer, steps) };
  }

  async #admit(peer: Peer, endpointName: string | undefined): Promise<BootstrapAdmission> {
    if (this.#deps.admit !== undefined) return this.#deps.admit(peer, endpointName);
    return endpointName === undefined ? { ok: false, detail: "ep is missing" } : { ok: true, endpoint: endpointName };
  }

  noteLost(peerKey: Peer["key"]): void {
    const lost = this.#byPeer.get(peerKey);
    if (lost !== undefined) this.#stop(lost, { kind: "no-answer", detail: "the secured connection is gone" });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const session of [...this.#open.values()]) this.#stop(session, { kind: "closed" });
    await Promise.all(this.#running);
  }

  #refuse(peer: Peer, endpointName: string | undefined, code: ResponseCode, detail: string): OutgoingResponse {
    this.#deps.onSession?.({ at: this.#deps.clock.now(), address: addressOf(peer), kind: "refused", endpointName, detail });
    return refusal(code, detail);
  }

  #start(wanted: NamedRequest, peer: Peer, steps: readonly PlanStep[]): void {
    if (this.#closed) return;
    const older = this.#open.get(wanted.endpointName);
    if (older !== undefined) this.#stop(older, { kind: "superseded" });
    const { endpointName, contentFormat } = wanted;
    const session: Session = {
      endpointName,
      contentFormat,
      peer,
      startedAt: this.#deps.clock.now(),
      stop: new AbortController(),
      deadline: undefined,
      state: openSession(steps),
    };
    const link = this.#deps.linkOf?.(endpointName);
    if (link !== undefined) this.#deps.endpoint.setParameters(peer, link);
    // A device counts a session as failed that has not finished within its EXCHANGE_LIFETIME (LwM2M Core 1.1 §6.1.7.1).
    const deadlineMs = exchangeLifetimeMs(link ?? this.#deps.usualLink ?? defaultParameters);
    session.deadline = this.#deps.clock.after(deadlineMs, () => this.#stop(session, { kind: "deadline" }));
    this.#open.set(endpointName, session);
    this.#byPeer.set(peer.key, session);
    this.#notice(session, { kind: "started", endpointName, contentFormat, steps: steps.length });
    const run = this.#run(session).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Over at once, told as such; a request under way is abandoned. */
  #stop(session: Session, why: SessionEvent & { readonly kind: "superseded" | "deadline" | "closed" | "no-answer" }): void {
    this.#apply(session, why);
    this.#end(session);
    session.stop.abort();
  }

  /** Never rejects: a fault of ours ends this session and is told as such. */
  async #run(session: Session): Promise<void> {
    let next = this.#apply(session, { kind: "reply-left" });
    while (next !== undefined) {
      const event = await this.#ask(session, next);
      // Stopped while the request was under way.
      if (isOver(session.state)) return;
      next = this.#apply(session, event);
    }
    this.#end(session);
  }

  #end(session: Session): void {
    session.deadline?.cancel();
    if (this.#deps.linkOf !== undefined) this.#deps.endpoint.setParameters(session.peer, undefined);
    if (this.#open.get(session.endpointName) === session) this.#open.delete(session.endpointName);
    if (this.#byPeer.get(session.peer.key) === session) this.#byPeer.delete(session.peer.key);
    this.#report(session);
  }

  /** The request to send next, if any. */
  #apply(session: Session, event: SessionEvent): PlanStep | undefined {
    const [state, effects] = step(session.state, event);
    session.state = state;
    let next: PlanStep | undefined;
    for (const effect of effects) {
      if (effect.kind === "send") next = effect.step;
      else {
        const { code, accepted } = effect;
        this.#notice(session, { kind: "answered", endpointName: session.endpointName, request: describeStep(effect.step), code, accepted });
      }
    }
    return next;
  }

  async #ask(session: Session, next: PlanStep): Promise<SessionEvent> {
    try {
      const request = requestOf(next, session.contentFormat, this.#deps.typeOf);
      const outcome = await this.#deps.endpoint.request(session.peer, request, { signal: session.stop.signal });
      return this.#eventOf(outcome, next, session.endpointName);
    } catch (error) {
      return { kind: "internal", detail: `${describeStep(next)}: ${error instanceof Error ? error.message : String(error)}` };
    }
  }

  #eventOf(outcome: RequestOutcome, asked: PlanStep, endpointName: string): SessionEvent {
    if (!outcome.ok) {
      const why = outcome.detail === undefined ? outcome.reason : `${outcome.reason} (${outcome.detail})`;
      return { kind: "no-answer", detail: `${describeStep(asked)}: ${why}` };
    }
    const { response } = outcome;
    const { found, tolerances } = readAnswer(asked, response);
    const refused = this.#deps.strict === true && tolerances.length > 0;
    if (!refused && tolerances.length > 0) this.#deps.onTolerated?.(endpointName, tolerances);
    return { kind: "answer", code: response.code, found, refused };
  }

  #report({ state, endpointName, startedAt, peer }: Session): void {
    const at = this.#deps.clock.now();
    const common = { at, address: addressOf(peer), endpointName, durationMs: at - startedAt };
    if (state.kind === "finished") this.#deps.onSession?.({ ...common, kind: "finished", refused: state.refused });
    else if (state.kind === "failed") this.#deps.onSession?.({ ...common, kind: "failed", reason: state.reason, detail: state.detail });
    else throw new Error(`bootstrap session of ${endpointName} ended while ${state.kind}`);
  }

  #notice(session: Session, what: NoticeBody): void {
    this.#deps.onSession?.({ at: this.#deps.clock.now(), address: addressOf(session.peer), ...what });
  }
}

function isOver(state: SessionState): boolean {
  return state.kind === "finished" || state.kind === "failed";
}

type NoticeBody =
  | Omit<Extract<SessionNotice, { kind: "started" }>, "at" | "address">
  | Omit<Extract<SessionNotice, { kind: "answered" }>, "at" | "address">;

function addressOf({ address: { address, port } }: Peer): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
