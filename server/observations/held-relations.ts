/** The relations this process holds at devices: one per target, its notifications taken in, its silence noticed. */
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import type { HeldObservation, ObservationListener } from "@lwm2m/protocol/coap/observation";
import { type LinkFacts, parametersOf } from "../devices/link-profile.ts";
import type { ObservedTarget } from "../operations/observation-exchange.ts";
import type { Registration } from "../registration/registration.ts";
import type { Supervisor } from "../supervisor.ts";
import { type ListenerDeps, notificationListener } from "./notification-listener.ts";
import { getTarget, type Observation, observationId, observedPaths, type Relation, requestOf, targetOf } from "./observation.ts";
import type { ObservationStore } from "./observation-store.ts";
import { leastListeningMs, longestSilenceMs } from "./silence.ts";
import { type HeardBefore, SilenceWatch } from "./silence-watch.ts";

export interface HeldRelationsDeps extends ListenerDeps {
  readonly store: ObservationStore;
  readonly coap: CoapEndpoint;
  readonly links: Pick<LinkFacts, "linkOf">;
  readonly supervisor: Supervisor;
  /** When the device last said something of what is observed, as it is stored; undefined: nothing is. */
  readonly lastSaid: (endpoint: string, target: ObservedTarget) => Promise<number | undefined>;
  /** No notification of it came for longer than it may stay silent; it is held on, and watched no more. */
  readonly onSilent: (id: string, token: string, heardAt: number) => void;
  /** One that was told as silent is heard again. False: it is being asked for, or is another by now. */
  readonly onHeard: (id: string, token: string) => Promise<boolean>;
}

export interface Held {
  readonly token: string;
  readonly observation: HeldObservation;
  /** What its notifications say is taken in by. */
  readonly listener: ObservationListener;
}

interface Kept extends Held {
  longestMs: number;
  isSilent: boolean;
  /** Held before this process was there, and not heard since: when it was last heard is stored, and looked up when it matters. */
  isRecalled: boolean;
}

interface Keeping {
  readonly attributes: Observation["attributes"];
  readonly registration: Registration;
  readonly heard?: HeardBefore;
}

/** After a failure of the store. */
const againMs = 60_000;

export type PeerEnd = (last: IncomingResponse | undefined) => void;

export class HeldRelations {
  readonly #deps: HeldRelationsDeps;
  readonly #held = new Map<string, Kept>();
  readonly #silences: SilenceWatch;
  /** One look into the store after the other: thousands may seem silent after a restart. */
  #recalls: Promise<void> = Promise.resolve();

  constructor(deps: HeldRelationsDeps) {
    this.#deps = deps;
    this.#silences = new SilenceWatch(deps.clock, (id, heardAt) => this.#seemsSilent(id, heardAt));
  }

  find(id: string): Held | undefined {
    return this.#held.get(id);
  }

  /** The device has granted it. Returns what was held before: the device may still keep that too. */
  put(id: string, held: Held, attributes: Observation["attributes"], registration: Registration): Held | undefined {
    const before = this.take(id);
    this.#keep(id, held, { attributes, registration });
    return before;
  }

  /** The attributes of that relation are others now; when it was last heard is as it was. */
  expect(id: string, token: string, attributes: Observation["inForce"], registration: Registration): void {
    const held = this.#held.get(id);
    if (held?.token !== token) return;
    held.longestMs = longestSilenceMs(attributes ?? null, registration, parametersOf(this.#deps.links.linkOf(registration._id)));
    this.#silences.expect(id, held.longestMs);
  }

  #keep(id: string, held: Held, { attributes, registration, heard }: Keeping): void {
    const longestMs = longestSilenceMs(attributes, registration, parametersOf(this.#deps.links.linkOf(registration._id)));
    this.#held.set(id, { ...held, longestMs, isSilent: false, isRecalled: heard?.notBefore !== undefined });
    this.#silences.watch(id, longestMs, heard);
  }

  /** Not held any more; ending it at the device is the caller's. */
  take(id: string): Held | undefined {
    const held = this.#held.get(id);
    this.#held.delete(id);
    this.#silences.forget(id);
    return held;
  }

  /** Forgets the relation without telling the device: its next notification is answered RST (RFC 7641 §3.6). */
  async drop(id: string): Promise<void> {
    await this.take(id)?.observation.cancel("passive");
  }

  /** A relation that exists at the device already, at the address it has now. */
  restore(observation: Observation, relation: Relation, registration: Registration, onPeerEnd: PeerEnd): void {
    const { coap } = this.#deps;
    const request = requestOf(relation);
    const listener = this.listener(registration, targetOf(observation), request.accept, onPeerEnd);
    const key = { peer: coap.peerAt(registration.address), token: new Uint8Array(Buffer.from(relation.token, "hex")), request };
    const held = { token: relation.token, observation: coap.restoreObservation(key, listener), listener };
    const attributes = observation.inForce ?? observation.attributes;
    const heardAt = this.#silences.heardAt(observation._id);
    const isRecalled = this.#held.get(observation._id)?.isRecalled ?? true;
    this.take(observation._id);
    const leastMs = leastListeningMs(attributes, registration, parametersOf(this.#deps.links.linkOf(registration._id)));
    const recalled = { heardAt: heardAt ?? observation.since, notBefore: this.#deps.clock.now() + leastMs };
    this.#keep(observation._id, held, { attributes, registration, heard: isRecalled ? recalled : { heardAt } });
    if (observation.silentSince) this.#expectAgain(observation._id);
  }

  listener(registration: Registration, target: ObservedTarget, accept: number | undefined, onPeerEnd: PeerEnd): ObservationListener {
    const { store, supervisor } = this.#deps;
    const id = observationId(registration._id, target);
    const noteFault = (at: number, detail: string): void =>
      supervisor.run(store.noteFault(id, at, detail), `note a fault of ${registration._id}`);
    return notificationListener(this.#deps, {
      registration,
      asked: { paths: observedPaths(target), composite: target.paths !== undefined },
      accept,
      noteFault,
      onHeard: () => this.#noteHeard(id),
      onPeerEnd,
    });
  }

  close(): void {
    this.#silences.close();
  }

  #seemsSilent(id: string, heardAt: number): void {
    const held = this.#held.get(id);
    if (held?.isRecalled !== true) {
      this.#noteSilence(id, heardAt);
      return;
    }
    const recall = this.#recalls.then(() => this.#recall(id, held, heardAt));
    // One that fails must not hold up the others.
    this.#recalls = recall.catch(() => {});
    this.#deps.supervisor.run(recall, `look when ${id} was last heard`);
  }

  /** What it said before this process was there counts as well. */
  async #recall(id: string, held: Kept, heardAt: number): Promise<void> {
    const { endpoint, target } = getTarget(id);
    const saidAt = await this.#deps.lastSaid(endpoint, target).catch((error: unknown) => {
      // The store is not there: it is looked up another time.
      if (this.#held.get(id) === held) this.#silences.watch(id, held.longestMs, { heardAt, notBefore: this.#deps.clock.now() + againMs });
      throw error;
    });
    if (this.#held.get(id) !== held) return;
    const lastAt = held.isRecalled ? Math.max(saidAt ?? 0, heardAt) : this.#deps.clock.now();
    held.isRecalled = false;
    if (lastAt + held.longestMs > this.#deps.clock.now()) this.#silences.watch(id, held.longestMs, { heardAt: lastAt });
    else this.#noteSilence(id, lastAt);
  }

  #noteSilence(id: string, heardAt: number): void {
    const held = this.#expectAgain(id);
    if (held !== undefined) this.#deps.onSilent(id, held.token, heardAt);
  }

  /** Told as silent: from now on only news of it count. */
  #expectAgain(id: string): Held | undefined {
    this.#silences.forget(id);
    const held = this.#held.get(id);
    if (held !== undefined) held.isSilent = true;
    return held;
  }

  #noteHeard(id: string): void {
    const held = this.#held.get(id);
    if (held !== undefined) held.isRecalled = false;
    if (held?.isSilent !== true) {
      this.#silences.noteHeard(id);
      return;
    }
    const told = this.#deps.onHeard(id, held.token).then((isActive) => {
      if (!isActive || this.#held.get(id) !== held) return;
      held.isSilent = false;
      this.#silences.watch(id, held.longestMs);
    });
    this.#deps.supervisor.run(told, `note that ${id} is heard again`);
  }
}
