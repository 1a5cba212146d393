/** Runs the registration machine for one server account: sends its requests, feeds it their outcomes. */
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { OutgoingRequest, Peer, RequestFailure, RequestOutcome } from "@lwm2m/protocol/coap/message";
import { encodeRegisterQuery, encodeUpdateQuery } from "@lwm2m/protocol/lwm2m/register-query";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Lwm2mVersion } from "../objects/object-versions.ts";
import type { ServerSettings } from "../objects/server-object.ts";
import type { ServerLink } from "../security/server-link.ts";
import {
  type RegistrationEffect,
  type RegistrationEvent,
  type RegistrationParameters,
  type RegistrationState,
  step,
  type UpdateChanges,
} from "./registration-machine.ts";

export interface SessionOptions {
  readonly endpoint: CoapEndpoint;
  /** The session's own: it ends with it. */
  readonly link: ServerLink;
  readonly clock: Clock;
  readonly endpointName: string;
  readonly lwm2mVersion: Lwm2mVersion;
  readonly queueMode: boolean;
  /** Upper bound of the time between two Updates; undefined: the lifetime alone decides. */
  readonly updateEveryMs: number | undefined;
  readonly hasBootstrapAccount: boolean;
  readonly settings: () => ServerSettings;
  readonly objectLinks: () => Uint8Array;
  /** Before anything is sent: a sleeping device wakes up. */
  readonly beforeSend: () => void;
  readonly onRegistered: () => void;
  readonly onUpdated: () => void;
  readonly onDisabled: () => void;
  readonly onBootstrap: () => void;
  readonly log: (message: string) => void;
}

/** An Update leaves this long before the lifetime ends, so that all its retransmissions fit (MAX_TRANSMIT_WAIT, RFC 7252 §4.8.2). */
const updateMarginMs = 93_000;
/** A device that goes does not wait for a server that is gone already; the lifetime ends the registration anyway. */
const farewellMs = 5_000;

export class ServerSession {
  readonly #options: SessionOptions;
  #state: RegistrationState = { kind: "off" };
  #timer: Timer | undefined;
  #request: AbortController | undefined;
  #settled: (() => void)[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
    options.link.onLost = (livedMs) => this.#lost(livedMs);
  }

  /** Undefined while there is no security session. */
  get peer(): Peer | undefined {
    return this.#options.link.peer;
  }

  get address(): SocketAddress {
    return this.#options.link.address;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  get busy(): boolean {
    return this.#request !== undefined;
  }

  start(): void {
    this.#dispatch({ kind: "start" });
  }

  update(changes: UpdateChanges): void {
    this.#dispatch({ kind: "change", changes });
  }

  disable(disableMs: number): void {
    this.#dispatch({ kind: "disable", disableMs });
  }

  /** Forgets the registration without telling the server, and lets go of the security session. */
  reset(): void {
    this.#dispatch({ kind: "reset" });
    this.#options.link.drop();
  }

  /** De-registers where there is something to de-register; resolves when the server answered or was given up on. */
  async stop(): Promise<void> {
    this.#dispatch({ kind: "stop" });
    if (this.#state.kind !== "off") await new Promise<void>((resolve) => this.#settled.push(resolve));
  }

  /** A session that ends as soon as it was made is not made again at once: the delay is that of a failed registration. */
  #lost(livedMs: number): void {
    const { retryTimerMs } = this.#parameters();
    this.#dispatch({ kind: "lost", delayMs: livedMs < retryTimerMs ? retryTimerMs : 0 });
  }

  #dispatch(event: RegistrationEvent): void {
    const before = this.#state;
    const [state, effects] = step(before, event, this.#parameters());
    this.#state = state;
    for (const effect of effects) this.#run(effect);
    if (state.kind === "off") for (const resolve of this.#settled.splice(0)) resolve();
    if (state.kind === "waiting" && before.kind !== "waiting") this.#options.log("waiting before the next attempt to register");
    if (state.kind === "disabled" && before.kind !== "disabled") this.#options.onDisabled();
    if (event.kind === "registered") this.#options.onRegistered();
    if (event.kind === "updated" && state.kind !== before.kind) this.#options.onUpdated();
  }

  #parameters(): RegistrationParameters {
    const settings = this.#options.settings();
    return {
      updateAfterMs: updateAfter(settings.lifetimeSeconds * 1_000, this.#options.updateEveryMs),
      retryCount: settings.retryCount,
      retryTimerMs: settings.retryTimerSeconds * 1_000,
      bootstrapOnFailure: settings.bootstrapOnFailure && this.#options.hasBootstrapAccount,
    };
  }

  #run(effect: RegistrationEffect): void {
    switch (effect.kind) {
      case "arm":
        this.#timer?.cancel();
        this.#timer =
          effect.delayMs === undefined ? undefined : this.#options.clock.after(effect.delayMs, () => this.#dispatch({ kind: "due" }));
        return;
      case "abandon-request":
        this.#request?.abort();
        this.#request = undefined;
        return;
      case "send-register":
        this.#send("register", this.#registerRequest(), (outcome) => this.#afterRegister(outcome));
        return;
      case "send-update":
        this.#send("update", this.#updateRequest(effect.location, effect.changes), (outcome) => this.#afterUpdate(outcome));
        return;
      case "send-deregister":
        this.#send("de-register", { method: Method.delete, path: effect.location }, () => ({ kind: "deregistered" }), farewellMs);
        return;
      case "bootstrap":
        this.#options.onBootstrap();
        return;
    }
  }

  #send(
    what: string,
    request: OutgoingRequest,
    eventOf: (outcome: RequestOutcome | undefined) => RegistrationEvent,
    timeoutMs?: number,
  ): void {
    const { beforeSend, link, log } = this.#options;
    const own = new AbortController();
    this.#request = own;
    beforeSend();
    void this.#exchange(what === "register", request, own.signal, timeoutMs).then((outcome) => {
      // A request that was abandoned has no say any more: the device rebooted or went away meanwhile.
      if (this.#request !== own) return;
      this.#request = undefined;
      if (outcome !== undefined) log(`${what}: ${outcome.ok ? formatCode(outcome.response.code) : outcome.reason}`);
      // Silence for MAX_TRANSMIT_WAIT: the server may have lost the security session, and it says nothing to what it cannot read.
      if (outcome?.ok === false && isSilence(outcome.reason)) link.drop();
      this.#dispatch(eventOf(outcome));
    });
  }

  /** Undefined: there is no security session. Only a registration begins one, because the server knows no other by its old name. */
  async #exchange(begins: boolean, request: OutgoingRequest, signal: AbortSignal, timeoutMs?: number): Promise<RequestOutcome | undefined> {
    const { endpoint, link } = this.#options;
    const peer = begins ? await link.connect(signal) : link.peer;
    if (peer === undefined || signal.aborted) return undefined;
    return endpoint.request(peer, request, { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }

  #registerRequest(): OutgoingRequest {
    const { endpointName, lwm2mVersion, queueMode, settings, objectLinks } = this.#options;
    const { lifetimeSeconds, binding } = settings();
    const query = encodeRegisterQuery({ endpointName, lifetimeSeconds, lwm2mVersion, binding, queueMode, profileIds: [], additional: {} });
    return { method: Method.post, path: ["rd"], query, contentFormat: ContentFormat.linkFormat, payload: objectLinks() };
  }

  #updateRequest(location: readonly string[], changes: UpdateChanges): OutgoingRequest {
    const { lwm2mVersion, queueMode, settings, objectLinks } = this.#options;
    const { lifetimeSeconds, binding } = settings();
    const told = { ...(changes.lifetime ? { lifetimeSeconds } : {}), ...(changes.binding ? { binding, queueMode } : {}), additional: {} };
    return {
      method: Method.post,
      path: location,
      query: encodeUpdateQuery(told, lwm2mVersion),
      ...(changes.objects ? { contentFormat: ContentFormat.linkFormat, payload: objectLinks() } : {}),
    };
  }

  #afterRegister(outcome: RequestOutcome | undefined): RegistrationEvent {
    if (outcome?.ok !== true) return { kind: "unanswered" };
    const { code, locationPath, maxAgeSeconds } = outcome.response;
    if (code === ResponseCode.created) return { kind: "registered", location: locationPath };
    return { kind: "refused", maxAgeMs: (code === ResponseCode.serviceUnavailable ? (maxAgeSeconds ?? 0) : 0) * 1_000 };
  }

  #afterUpdate(outcome: RequestOutcome | undefined): RegistrationEvent {
    if (outcome?.ok !== true) return { kind: "unanswered" };
    return outcome.response.code === ResponseCode.changed ? { kind: "updated" } : { kind: "refused", maxAgeMs: 0 };
  }
}

function isSilence(reason: RequestFailure): boolean {
  return reason === "no-answer" || reason === "response-timeout";
}

/** Early enough to be answered within the lifetime, and not before half of it; 0 is no lifetime at all (object 1, resource 1). */
function updateAfter(lifetimeMs: number, everyMs: number | undefined): number | undefined {
  if (lifetimeMs === 0) return everyMs;
  const byLifetime = Math.max(lifetimeMs / 2, lifetimeMs - updateMarginMs);
  return everyMs === undefined ? byLifetime : Math.min(byLifetime, everyMs);
}
