/** The relations this process holds at devices: one per target, its notifications taken in, its silence noticed. */
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import type { HeldObservation, ObservationListener } from "@lwm2m/protocol/coap/observation";
import { type LinkFacts, parametersOf } from "../devices/link-profile.ts";
import type { ObservedTarget } from "../operations/observation-exchange.ts";
import type { Registration } from "../registration/registration.ts";
import type { Supervisor } from "../supervisor.ts";
import { type ListenerDeps, notificationListener } from "./notification-listener.ts";
import { type Observation, observationId, observedPaths, type Relation, requestOf, targetOf } from "./observation.ts";
import type { ObservationStore } from "./observation-store.ts";
import { longestSilenceMs } from "./silence.ts";
import { SilenceWatch } from "./silence-watch.ts";

export interface HeldRelationsDeps extends ListenerDeps {
  readonly store: ObservationStore;
  readonly coap: CoapEndpoint;
  readonly links: Pick<LinkFacts, "linkOf">;
  readonly supervisor: Supervisor;
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
  readonly longestMs: number;
  isSilent: boolean;
}

export type PeerEnd = (last: IncomingResponse | undefined) => void;

export class HeldRelations {
  readonly #deps: HeldRelationsDeps;
  readonly #held = new Map<string, Kept>();
  readonly #silences: SilenceWatch;

  constructor(deps: HeldRelationsDeps) {
    this.#deps = deps;
    this.#silences = new SilenceWatch(deps.clock, (id, heardAt) => this.#noteSilence(id, heardAt));
  }

  find(id: string): Held | undefined {
    return this.#held.get(id);
  }

  /** The device has granted it. Returns what was held before: the device may still keep that too. */
  put(id: string, held: Held, attributes: Observation["attributes"], registration: Registration): Held | undefined {
    const before = this.take(id);
    const longestMs = longestSilenceMs(attributes, registration, parametersOf(this.#deps.links.linkOf(registration._id)));
    this.#held.set(id, { ...held, longestMs, isSilent: false });
    this.#silences.watch(id, longestMs);
    return before;
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
    this.put(observation._id, held, observation.attributes, registration);
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
