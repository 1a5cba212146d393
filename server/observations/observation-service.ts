/**
 * The relations behind observations: established and cancelled by operations, held over our restart with their tokens. When one is void
 * whoever asks for it anew (`establisher.ts`) is told. A notification is acknowledged when what it says is durable (the listener's promise).
 */

import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { formatCode } from "@lwm2m/protocol/coap/codes";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingResponse, OutgoingRequest, RequestControl } from "@lwm2m/protocol/coap/message";
import type { ObserveOutcome } from "@lwm2m/protocol/coap/observation";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Leniency } from "../devices/leniency.ts";
import type { LinkFacts } from "../devices/link-profile.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Learn } from "../operations/news.ts";
import type { ObservationExchange, ObservedTarget } from "../operations/observation-exchange.ts";
import type { Operation } from "../operations/operation.ts";
import type { OperationService } from "../operations/operation-service.ts";
import type { Registration, Registrations } from "../registration/registration.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import { HeldRelations } from "./held-relations.ts";
import { lastSaidOf, type SaidValuesOf } from "./last-said.ts";
import { getTarget, type Observation, observationId, relationOf, targetOf } from "./observation.ts";
import { type EventDetails, type ObservationEvent, observationDraft } from "./observation-events.ts";
import { ObservationStore } from "./observation-store.ts";
import { ObservedAttributes } from "./observed-attributes.ts";
import { actor, type RelationListener, type RelationNews } from "./relation-news.ts";
import { observationsLeft, type RememberedObservation } from "./remembered-observations.ts";

export interface ObservationServiceDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly registrations: Registrations;
  readonly operations: OperationService;
  readonly registry: ObjectRegistry;
  readonly coap: CoapEndpoint;
  readonly clock: Clock;
  readonly owner: ProcessOwner;
  readonly supervisor: Supervisor;
  readonly learn: Learn;
  readonly leniency: Leniency;
  readonly links: Pick<LinkFacts, "linkOf">;
  /** What is known of a device, by path. */
  readonly knownValues: SaidValuesOf;
  /** From `rememberObservations`, read before the endpoint was opened. */
  readonly remembered: readonly RememberedObservation[];
}

export function openObservationService(deps: ObservationServiceDeps): ObservationService {
  return new ObservationService(deps);
}

export class ObservationService implements ObservationExchange {
  readonly #deps: ObservationServiceDeps;
  readonly #store: ObservationStore;
  readonly #held: HeldRelations;
  readonly #attributes: ObservedAttributes;
  readonly #listeners: RelationListener[] = [];
  readonly #askListeners: ((endpoint: string) => void)[] = [];
  /** Before anybody listens. */
  #lostEarly: Set<string> | undefined = new Set<string>();

  constructor(deps: ObservationServiceDeps) {
    this.#deps = deps;
    this.#store = new ObservationStore(deps.store, deps.relay);
    this.#held = new HeldRelations({
      ...deps,
      store: this.#store,
      lastSaid: lastSaidOf(deps.knownValues),
      onSilent: (id, token, heardAt) => deps.supervisor.run(this.#noteSilence(id, token, heardAt), `note the silence of ${id}`),
      onHeard: (id, token) => this.#noteHeard(id, token),
    });
    this.#attributes = new ObservedAttributes(deps.store, this.#store, this.#held);
    deps.operations.attachObservations(this);
    for (const remembered of deps.remembered) this.#restore(remembered);
    deps.registrations.onSignOfLife((endpoint, kind) => {
      if (kind === "registered") deps.supervisor.run(this.#void(endpoint), `observe ${endpoint} again`);
    });
    deps.owner.onGone(() => this.#takeOver());
    deps.registrations.onMoved((registration) => this.#follow(registration));
    deps.registrations.onGone((endpoint) => deps.supervisor.run(this.#suspend(endpoint), `suspend the observations of ${endpoint}`));
  }

  /** Whoever asks for what is void, and what was void at the start. */
  onNews(listener: RelationListener): void {
    this.#listeners.push(listener);
    for (const endpoint of this.#lostEarly ?? []) listener({ kind: "restored", endpoint });
    this.#lostEarly = undefined;
  }

  /** An Observe leaves for the device. */
  onAsk(listener: (endpoint: string) => void): void {
    this.#askListeners.push(listener);
  }

  async observe(
    registration: Registration,
    operation: Operation,
    request: OutgoingRequest,
    control: RequestControl,
  ): Promise<ObserveOutcome> {
    const { coap } = this.#deps;
    const target = targetOf(operation);
    const id = observationId(registration._id, target);
    let ended = false;
    let token = "";
    const listener = this.#held.listener(registration, target, request.accept, (last) => {
      ended = true;
      if (token !== "") this.#endedByDevice(registration._id, target, token, last);
    });
    for (const tell of this.#askListeners) tell(registration._id);
    const outcome = await coap.observe(coap.peerAt(registration.address), request, listener, control);
    if (!outcome.ok || !outcome.observing) return outcome;
    token = Buffer.from(outcome.observation.key.token).toString("hex");
    const attributes = operation.attributes ?? null;
    const previous = this.#held.put(id, { token, observation: outcome.observation, listener }, attributes, registration);
    // One relation per target: the older one is forgotten, should the device still keep it.
    await previous?.observation.cancel("passive");
    const relation = relationOf(request, token, registration.registeredAt);
    const granted = { _id: id, endpoint: registration._id, ...target, attributes, relation, since: this.#deps.clock.now() };
    const inForce = await this.#attributes.granted(registration, granted);
    this.#held.expect(id, token, inForce, registration);
    await this.#store.grant(
      { ...granted, inForce },
      operation.createdBy !== actor,
      this.#draft("observation.started", registration._id, target, token, {}),
    );
    if (ended) this.#endedByDevice(registration._id, target, token, undefined);
    return outcome;
  }

  async cancel(endpoint: string, wanted: ObservedTarget): Promise<"cancelled" | "unanswered" | "not-observing"> {
    const target = targetOf(wanted);
    const id = observationId(endpoint, target);
    const held = this.#held.take(id);
    const told = held === undefined ? undefined : await held.observation.cancel("active");
    const step = held?.token ?? String(this.#deps.clock.now());
    const event = this.#draft("observation.ended", endpoint, target, step, { reason: "cancelled" });
    const asking = (await this.#store.find(id))?.asking;
    const endedAt = this.#deps.clock.now();
    const isEnded = await this.#store.end(id, { reason: "cancelled", coapCode: null, endedAt }, event);
    // One that was asked for again but not granted yet must not come back.
    if (asking) await this.#deps.operations.cancel(asking.operationId, "the observation was cancelled");
    this.#tell({ kind: "ended", endpoint });
    // Its answer is the last that is heard of the value (RFC 7641 §3.6).
    if (told?.response !== undefined && told.response.payload.length > 0) await held?.listener.onNotification(told.response);
    if (told === undefined) return isEnded ? "cancelled" : "not-observing";
    return told.ok ? "cancelled" : "unanswered";
  }

  async noteAttributes(registration: Registration, path: string, attributes: NonNullable<Operation["attributes"]>): Promise<void> {
    if (await this.#attributes.noteWritten(registration, path, attributes)) this.#tell({ kind: "rewritten", endpoint: registration._id });
  }

  /** No standing observation wishes it, or with other attributes: the relation ends, at the device too if `isAwake`, else at its next notification. */
  async release(observation: Observation, isAwake: boolean, isWished: boolean): Promise<void> {
    const { _id, endpoint } = observation;
    const held = this.#held.take(_id);
    await held?.observation.cancel(isAwake ? "active" : "passive");
    if (isWished) return this.#store.suspend(observation);
    const event = this.#draft("observation.ended", endpoint, targetOf(observation), held?.token ?? String(observation.rev), {
      reason: "withdrawn",
    });
    await this.#store.end(_id, { reason: "withdrawn", coapCode: null, endedAt: this.#deps.clock.now() }, event);
  }

  find(endpoint: string, path: string): Promise<Observation | undefined> {
    return this.#store.find(observationId(endpoint, { path }));
  }

  findById(id: string): Promise<Observation | undefined> {
    return this.#store.find(id);
  }

  list(query: { readonly endpoint?: string; readonly after?: string; readonly limit: number }): Promise<readonly Observation[]> {
    return this.#store.list(query);
  }

  /** The device was deleted. */
  async forget(endpoint: string): Promise<void> {
    for (const { _id } of await this.#store.ofDevice(endpoint)) await this.drop(_id);
    await this.#store.removeOfDevice(endpoint);
    await this.#attributes.forget(endpoint);
  }

  /** Forgets the relation without telling the device. */
  drop(id: string): Promise<void> {
    return this.#held.drop(id);
  }

  close(): void {
    this.#held.close();
  }

  #restore({ observation, registration }: RememberedObservation): void {
    const { _id, relation } = observation;
    if (relation === null) throw new Error(`observation ${_id} is active without a relation`);
    if (registration?.registeredAt !== relation.registeredAt) {
      // The process ended between the registration and the request to observe again, or between the end of it and what follows.
      const suspended = this.#store.suspend(observation).then(() => this.#tellLost(observation.endpoint));
      this.#deps.supervisor.run(suspended, `suspend ${_id}`);
      return;
    }
    this.#hold(observation, registration);
    if (observation.silentSince) this.#tellLost(observation.endpoint);
  }

  /** What a process that is gone held at devices that are this one's now. */
  async #takeOver(): Promise<void> {
    for await (const { observation, registration } of observationsLeft(this.#deps)) {
      if (this.#held.find(observation._id) === undefined) this.#restore({ observation, registration });
    }
  }

  /** The device has another address, its relations stay (LwM2M Core 1.1 §6.2.2): notifications are taken from there. */
  async #follow(registration: Registration): Promise<void> {
    for (const observation of await this.#store.ofDevice(registration._id)) {
      const { _id, relation } = observation;
      if (relation === null || relation.registeredAt !== registration.registeredAt) continue;
      // On a shared store it may have been another process that held it.
      if (this.#deps.owner.isShared || this.#held.find(_id)?.token === relation.token) this.#hold(observation, registration);
    }
  }

  #hold(observation: Observation, registration: Registration): void {
    const { endpoint, relation } = observation;
    if (relation === null) throw new Error(`${observation._id} has no relation that could be held`);
    this.#held.restore(observation, relation, registration, (last) =>
      this.#endedByDevice(endpoint, targetOf(observation), relation.token, last),
    );
  }

  async #noteSilence(id: string, token: string, heardAt: number): Promise<void> {
    const { endpoint, target } = getTarget(id);
    const seconds = Math.round((this.#deps.clock.now() - heardAt) / 1_000);
    const event = this.#draft("observation.silent", endpoint, target, `${token}/${heardAt}`, { seconds });
    if (!(await this.#store.noteSilence(id, token, heardAt, event))) return;
    this.#tell({ kind: "silent", endpoint });
  }

  async #noteHeard(id: string, token: string): Promise<boolean> {
    const isActive = await this.#store.noteHeard(id, token);
    if (isActive) this.#tell({ kind: "heard", endpoint: getTarget(id).endpoint });
    return isActive;
  }

  #endedByDevice(endpoint: string, target: ObservedTarget, token: string, last: IncomingResponse | undefined): void {
    const id = observationId(endpoint, target);
    if (this.#held.find(id)?.token === token) this.#held.take(id);
    const coapCode = last === undefined ? null : formatCode(last.code);
    const event = this.#draft("observation.ended", endpoint, target, token, { reason: "device-ended", coapCode });
    const end = this.#store.end(id, { reason: "device-ended", coapCode, token, endedAt: this.#deps.clock.now() }, event);
    this.#deps.supervisor.run(
      end.then((ended) => {
        if (!ended) return;
        this.#tell({ kind: "ended", endpoint });
      }),
      `end the observation ${id}`,
    );
  }

  /** RFC 7641 knows no relation that outlives a registration (LwM2M Core 1.1 §6.4.1). */
  async #void(endpoint: string): Promise<void> {
    const observations = await this.#store.ofDevice(endpoint);
    const registration = observations.length === 0 ? undefined : await this.#deps.registrations.find(endpoint);
    const isVoid = ({ relation }: Observation): boolean => relation !== null && relation.registeredAt !== registration?.registeredAt;
    const granted = observations.filter(isVoid).map(({ since }) => since);
    await this.#letGo(observations.filter(isVoid));
    const grantedAt = granted.length === 0 ? undefined : Math.max(...granted);
    this.#tell({ kind: "registered", endpoint, had: observations.length > 0, grantedAt });
  }

  async #suspend(endpoint: string): Promise<void> {
    await this.#letGo(await this.#store.ofDevice(endpoint));
    this.#tell({ kind: "gone", endpoint });
  }

  async #letGo(observations: readonly Observation[]): Promise<void> {
    for (const observation of observations) {
      await this.drop(observation._id);
      if (observation.relation !== null) await this.#store.suspend(observation);
    }
  }

  #tell(news: RelationNews): void {
    for (const listener of this.#listeners) listener(news);
  }

  #tellLost(endpoint: string): void {
    if (this.#lostEarly === undefined) this.#tell({ kind: "restored", endpoint });
    else this.#lostEarly.add(endpoint);
  }

  #draft(type: ObservationEvent, endpoint: string, target: ObservedTarget, step: string, more: EventDetails) {
    return observationDraft(type, { endpoint, target, step, timeMs: this.#deps.clock.now() }, more);
  }
}
