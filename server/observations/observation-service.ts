/**
 * Standing observations: established and cancelled by operations, held over our restart with their tokens, asked for again when
 * the device registers anew. A notification is acknowledged when what it says is durable (the listener's promise).
 */

import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { formatCode } from "@lwm2m/protocol/coap/codes";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingResponse, OutgoingRequest, RequestControl } from "@lwm2m/protocol/coap/message";
import type { HeldObservation, ObservationListener, ObserveOutcome } from "@lwm2m/protocol/coap/observation";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Leniency } from "../devices/leniency.ts";
import type { EventDraft } from "../events/event.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Learn } from "../operations/news.ts";
import type { ObservationExchange, ObservedTarget } from "../operations/observation-exchange.ts";
import type { Operation, OperationRequest } from "../operations/operation.ts";
import type { OperationService } from "../operations/operation-service.ts";
import type { Registration, Registrations } from "../registration/registration.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import { notificationListener } from "./notification-listener.ts";
import { type Observation, observationId, observedPaths, type Relation, relationOf, requestOf, targetOf } from "./observation.ts";
import { ObservationStore, observationCollection } from "./observation-store.ts";

export interface ObservationServiceDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly registrations: Registrations;
  readonly operations: OperationService;
  readonly registry: ObjectRegistry;
  readonly coap: CoapEndpoint;
  readonly clock: Clock;
  readonly random: Random;
  readonly supervisor: Supervisor;
  readonly learn: Learn;
  readonly leniency: Leniency;
  /** From `rememberObservations`, read before the endpoint was opened. */
  readonly remembered: readonly RememberedObservation[];
}

export interface RememberedObservation {
  readonly observation: Observation;
  readonly registration: Registration | undefined;
}

/**
 * What an earlier process held. Read it before the CoAP endpoint is opened and open the service in the same turn as the endpoint:
 * a notification that finds no relation is answered RST, and the device ends the relation.
 */
export async function rememberObservations(store: Store, registrations: Registrations): Promise<readonly RememberedObservation[]> {
  const remembered: RememberedObservation[] = [];
  for await (const observation of new ObservationStore(store).active()) {
    remembered.push({ observation, registration: await registrations.find(observation.endpoint) });
  }
  return remembered;
}

export function openObservationService(deps: ObservationServiceDeps): ObservationService {
  return new ObservationService(deps);
}

interface Held {
  readonly token: string;
  readonly observation: HeldObservation;
}

const actor = "server";
const traceIdBytes = 16;

export class ObservationService implements ObservationExchange {
  readonly #deps: ObservationServiceDeps;
  readonly #store: ObservationStore;
  readonly #held = new Map<string, Held>();

  constructor(deps: ObservationServiceDeps) {
    this.#deps = deps;
    this.#store = new ObservationStore(deps.store);
    deps.operations.attachObservations(this);
    for (const remembered of deps.remembered) this.#restore(remembered);
    deps.registrations.onSignOfLife((endpoint, kind) => {
      if (kind === "registered") deps.supervisor.run(this.#askAgain(endpoint), `observe ${endpoint} again`);
    });
    deps.registrations.onMoved((registration) => this.#follow(registration));
    deps.registrations.onGone((endpoint) => deps.supervisor.run(this.#suspend(endpoint), `suspend the observations of ${endpoint}`));
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
    const listener = this.#listener(registration, target, request.accept, (last) => {
      ended = true;
      if (token !== "") this.#endedByDevice(registration._id, target, token, last);
    });
    const outcome = await coap.observe(coap.peerAt(registration.address), request, listener, control);
    if (!outcome.ok || !outcome.observing) return outcome;
    const previous = this.#held.get(id);
    token = hex(outcome.observation.key.token);
    this.#held.set(id, { token, observation: outcome.observation });
    // One relation per target: the older one is forgotten, should the device still keep it.
    await previous?.observation.cancel("passive");
    const nowMs = this.#deps.clock.now();
    const relation = relationOf(request, token, registration.registeredAt);
    const granted = { _id: id, endpoint: registration._id, ...target, attributes: operation.attributes ?? null, relation, since: nowMs };
    await this.#store.grant(granted, this.#draft("observation.started", registration._id, target, token, {}));
    this.#deps.relay.nudge(observationCollection.name, id);
    if (ended) this.#endedByDevice(registration._id, target, token, undefined);
    return outcome;
  }

  async cancel(endpoint: string, wanted: ObservedTarget): Promise<"cancelled" | "unanswered" | "not-observing"> {
    const target = targetOf(wanted);
    const id = observationId(endpoint, target);
    const held = this.#held.get(id);
    this.#held.delete(id);
    const told = held === undefined ? undefined : await held.observation.cancel("active");
    const step = held?.token ?? String(this.#deps.clock.now());
    const event = this.#draft("observation.ended", endpoint, target, step, { reason: "cancelled" });
    const isEnded = await this.#store.end(id, { reason: "cancelled", coapCode: null }, event);
    if (isEnded) this.#deps.relay.nudge(observationCollection.name, id);
    await this.#withdrawRequests(endpoint, target);
    if (told === undefined) return isEnded ? "cancelled" : "not-observing";
    return told.ok ? "cancelled" : "unanswered";
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
    for (const { _id } of await this.#store.ofDevice(endpoint)) await this.#drop(_id);
    await this.#store.removeOfDevice(endpoint);
  }

  #restore({ observation, registration }: RememberedObservation): void {
    const { _id, relation } = observation;
    const { supervisor } = this.#deps;
    if (relation === null) throw new Error(`observation ${_id} is active without a relation`);
    if (registration === undefined) {
      supervisor.run(this.#store.suspend(observation), `suspend ${_id}`);
      return;
    }
    if (registration.registeredAt !== relation.registeredAt) {
      // The process ended between the registration and the request to observe again.
      supervisor.run(this.#ask(observation), `observe ${_id} again`);
      return;
    }
    this.#hold(observation, relation, registration);
  }

  /** The device has another address, its relations stay (LwM2M Core 1.1 §6.2.2): notifications are taken from there. */
  async #follow(registration: Registration): Promise<void> {
    for (const observation of await this.#store.ofDevice(registration._id)) {
      const { _id, relation } = observation;
      if (relation !== null && this.#held.get(_id)?.token === relation.token) this.#hold(observation, relation, registration);
    }
  }

  /** A relation that exists at the device already, at the address it has now. */
  #hold(observation: Observation, relation: Relation, registration: Registration): void {
    const { coap } = this.#deps;
    const { _id, endpoint } = observation;
    const target = targetOf(observation);
    const request = requestOf(relation);
    const listener = this.#listener(registration, target, request.accept, (last) =>
      this.#endedByDevice(endpoint, target, relation.token, last),
    );
    const key = { peer: coap.peerAt(registration.address), token: new Uint8Array(Buffer.from(relation.token, "hex")), request };
    this.#held.set(_id, { token: relation.token, observation: coap.restoreObservation(key, listener) });
  }

  #listener(
    registration: Registration,
    target: ObservedTarget,
    accept: number | undefined,
    onPeerEnd: (last: IncomingResponse | undefined) => void,
  ): ObservationListener {
    const id = observationId(registration._id, target);
    const noteFault = (at: number, detail: string): void =>
      this.#deps.supervisor.run(this.#store.noteFault(id, at, detail), `note a fault of ${registration._id}`);
    return notificationListener(this.#deps, {
      registration,
      asked: { paths: observedPaths(target), composite: target.paths !== undefined },
      accept,
      noteFault,
      onPeerEnd,
    });
  }

  #endedByDevice(endpoint: string, target: ObservedTarget, token: string, last: IncomingResponse | undefined): void {
    const id = observationId(endpoint, target);
    if (this.#held.get(id)?.token === token) this.#held.delete(id);
    const coapCode = last === undefined ? null : formatCode(last.code);
    const event = this.#draft("observation.ended", endpoint, target, token, { reason: "device-ended", coapCode });
    const end = this.#store.end(id, { reason: "device-ended", coapCode, token }, event);
    this.#deps.supervisor.run(
      end.then((ended) => {
        if (ended) this.#deps.relay.nudge(observationCollection.name, id);
      }),
      `end the observation ${id}`,
    );
  }

  /** RFC 7641 knows no relation that outlives a registration (LwM2M Core 1.1 §6.4.1): each is asked for again. */
  async #askAgain(endpoint: string): Promise<void> {
    for (const observation of await this.#store.ofDevice(endpoint)) {
      if (observation.state !== "ended") await this.#ask(observation);
    }
  }

  async #ask(observation: Observation): Promise<void> {
    await this.#drop(observation._id);
    await this.#store.suspend(observation);
    const { _id, endpoint, attributes } = observation;
    const target = targetOf(observation);
    const request: OperationRequest = {
      kind: target.paths === undefined ? "observe" : "observeComposite",
      ...target,
      ...(attributes === null ? {} : { attributes }),
      supersedeKey: `observe ${observationId("", target)}`,
    };
    const traceId = hex(this.#deps.random.bytes(traceIdBytes));
    const outcome = await this.#deps.operations.create(endpoint, request, { actor, traceId });
    // The object is gone from the device's list: the wish waits for a registration that has it.
    if (!outcome.ok) await this.#store.noteFault(_id, this.#deps.clock.now(), outcome.refusal.detail);
  }

  async #suspend(endpoint: string): Promise<void> {
    for (const observation of await this.#store.ofDevice(endpoint)) {
      await this.#drop(observation._id);
      if (observation.state === "active") await this.#store.suspend(observation);
    }
  }

  /** Forgets the relation without telling the device: its next notification is answered RST (RFC 7641 §3.6). */
  async #drop(id: string): Promise<void> {
    const held = this.#held.get(id);
    this.#held.delete(id);
    await held?.observation.cancel("passive");
  }

  /** An observation that was asked for again but not granted yet must not come back after its cancellation. */
  async #withdrawRequests(endpoint: string, target: ObservedTarget): Promise<void> {
    const id = observationId(endpoint, target);
    for (const operation of await this.#deps.operations.queue(endpoint, 1_000)) {
      const observes = operation.kind === "observe" || operation.kind === "observeComposite";
      const again = observes && observationId(endpoint, operation) === id && operation.createdBy === actor;
      if (again) await this.#deps.operations.cancel(operation._id, "the observation was cancelled");
    }
  }

  #draft(
    type: "observation.started" | "observation.ended",
    endpoint: string,
    target: ObservedTarget,
    step: string,
    more: { readonly [field: string]: string | null },
  ): EventDraft {
    const { path, paths } = target;
    const key = `observation/${observationId(endpoint, target)}/${step}/${type}`;
    const about = paths === undefined ? { path } : { path, paths: [...paths] };
    return { key, type, subject: endpoint, timeMs: this.#deps.clock.now(), data: { ...about, ...more } };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
