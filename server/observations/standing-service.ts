/**
 * Standing observations of devices and groups. Who is a member is written down per device (`standingDevices`); from there on each device
 * is brought to what is wished of it by the establisher.
 */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Devices } from "../devices/device.ts";
import { type DueLoop, openDueLoop } from "../due-loop.ts";
import type { EventDraft, EventLog } from "../events/event.ts";
import { outboxOf } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Groups } from "../groups/group-service.ts";
import type { OperationService } from "../operations/operation-service.ts";
import type { Registrations } from "../registration/registration.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import { ulid } from "../ulid.ts";
import { type DeviceLookDeps, lookAtDevice, settleLook } from "./device-look.ts";
import { Establisher, type EstablisherCounters, type Look } from "./establisher.ts";
import type { ObservationService } from "./observation-service.ts";
import { ObservationStore } from "./observation-store.ts";
import type { RelationNews } from "./relation-news.ts";
import { RestartWatch } from "./restart-watch.ts";
import type { Attributes, DeviceState, StandingDevice, StandingObservation } from "./standing.ts";
import { StandingMembers } from "./standing-members.ts";
import { type StandingQuery, StandingStore } from "./standing-store.ts";

export interface StandingServiceDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly events: EventLog;
  readonly devices: Devices;
  readonly groups: Groups;
  readonly registrations: Registrations;
  readonly operations: OperationService;
  readonly observations: ObservationService;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly supervisor: Supervisor;
  readonly owner: ProcessOwner;
  /** New observations asked of all devices together, by the second. */
  readonly askedPerSecond: number;
}

export type NewStanding = Pick<StandingObservation, "endpoint" | "group" | "path" | "paths" | "attributes" | "restore">;

export interface StandingChange {
  readonly attributes?: Attributes | null;
  readonly restore?: StandingObservation["restore"];
}

const casAttempts = 5;
/** Standing observations of one device alone. */
const pageSize = 500;
/** What another process has written down is looked for this often, and members once more, should any news of them have been lost. */
const lookoutMs = 30_000;
const resyncMs = 3_600_000;

export function openStandingService(deps: StandingServiceDeps): StandingService {
  const service = new StandingService(deps);
  service.begin();
  return service;
}

export class StandingService {
  readonly #deps: StandingServiceDeps;
  readonly #store: StandingStore;
  readonly #restarts: RestartWatch;
  readonly #establisher: Establisher;
  readonly #lookDeps: DeviceLookDeps;
  readonly #members: StandingMembers;
  #lookout: DueLoop | undefined;
  #resyncAt = 0;
  #paused = 0;
  /** False: there is no standing observation, so a registration costs no look for one. */
  #mayStand: boolean;
  #isResumed = false;

  constructor(deps: StandingServiceDeps) {
    this.#deps = deps;
    const { clock, store, relay, observations } = deps;
    this.#store = new StandingStore(store, relay);
    this.#mayStand = true;
    this.#restarts = new RestartWatch(store, clock);
    const observationStore = new ObservationStore(store, relay);
    const findStanding = (id: string): Promise<StandingObservation | undefined> => this.#store.find(id);
    this.#lookDeps = { ...deps, store: observationStore, standings: this.#store, findStanding, restarts: this.#restarts };
    this.#establisher = new Establisher({
      ...deps,
      store: observationStore,
      look: (endpoint) => lookAtDevice(this.#lookDeps, endpoint),
      settle: (look) => this.#settle(look),
    });
    this.#members = new StandingMembers({ ...deps, store: this.#store, kick: (endpoint) => this.#establisher.kick(endpoint) });
    observations.onAsk((endpoint) => this.#restarts.noteObserve(endpoint));
    deps.groups.protect((group) => this.#useOf(group));
    deps.registrations.onSignOfLife((endpoint) => this.#establisher.noteContact(endpoint));
    deps.events.subscribe((events) => {
      // Objects that came or went decide what can be observed.
      for (const { type, subject, data } of events) if (type === "device.updated" && namesObjects(data)) this.#establisher.kick(subject);
    });
  }

  begin(): void {
    const { supervisor, observations, clock } = this.#deps;
    observations.onNews((news) => supervisor.run(this.#noteRelations(news), `observe ${news.endpoint} again`));
    this.#deps.owner.onGone(() => this.#resume());
    this.#resyncAt = clock.now() + resyncMs;
    this.#lookout = openDueLoop({
      clock,
      step: (nowMs) => this.#look(nowMs),
      onError: (error) => supervisor.run(Promise.reject(error), "look for observations that wait"),
    });
  }

  async close(): Promise<void> {
    this.#establisher.close();
    await this.#lookout?.close();
    await this.#members.close();
  }

  counters(): EstablisherCounters & { readonly paused: number } {
    return { ...this.#establisher.counters(), paused: this.#paused };
  }

  find(id: string): Promise<StandingObservation | undefined> {
    return this.#store.find(id);
  }

  list(query: StandingQuery): Promise<readonly StandingObservation[]> {
    return this.#store.list(query);
  }

  counts(id: string): Promise<{ readonly [state in DeviceState]: number }> {
    return this.#store.counts(id);
  }

  devices(
    id: string,
    query: { readonly state?: DeviceState; readonly after?: string; readonly limit: number },
  ): Promise<readonly StandingDevice[]> {
    return this.#store.devices(id, query);
  }

  ofDevice(endpoint: string): Promise<readonly StandingDevice[]> {
    return this.#store.ofDevice(endpoint);
  }

  newId(): string {
    return ulid(this.#deps.clock.now(), this.#deps.random);
  }

  /** Durable when it resolves; its devices follow. Under an id that was promised before, it is made once. */
  async create(wish: NewStanding, createdBy: string, _id = this.newId()): Promise<StandingObservation> {
    const nowMs = this.#deps.clock.now();
    const standing: StandingObservation = {
      ...{ _id, ...wish, state: "standing", createdAt: nowMs, updatedAt: nowMs, createdBy, rev: 1 },
      ...outboxOf([]),
    };
    if (!(await this.#store.insert(standing, draft("observation.created", { _id, ...wish, rev: 0 }, nowMs)))) {
      const present = await this.#store.find(_id);
      if (present === undefined) throw new Error(`standing observation ${_id} exists and does not`);
      return present;
    }
    this.#mayStand = true;
    this.#members.begin(standing);
    return standing;
  }

  /** Undefined: there is none, or it is ending. */
  async change(id: string, { attributes, restore }: StandingChange): Promise<StandingObservation | undefined> {
    const change = { ...(attributes === undefined ? {} : { attributes }), ...(restore === undefined ? {} : { restore }) };
    const changed = await this.#change(id, "observation.changed", change);
    if (changed !== undefined) this.#members.change(id);
    return changed;
  }

  /** It ends where it holds, the last of it when the last device has been told or is known to forget. Undefined: there is none. */
  async remove(id: string): Promise<StandingObservation | undefined> {
    const ending = await this.#change(id, "observation.removed", { state: "ending" });
    if (ending !== undefined) this.#members.end(ending);
    return ending;
  }

  /** The device was deleted. */
  async forget(endpoint: string): Promise<void> {
    this.#establisher.forget(endpoint);
    await this.#restarts.forget(endpoint);
    await this.#store.forgetDevice(endpoint);
    for (const { _id } of await this.#store.list({ endpoint, limit: pageSize })) await this.remove(_id);
  }

  async #change(
    id: string,
    type: "observation.changed" | "observation.removed",
    change: Partial<Pick<StandingObservation, "attributes" | "restore" | "state">>,
  ): Promise<StandingObservation | undefined> {
    for (let attempt = 0; attempt < casAttempts; attempt += 1) {
      const present = await this.#store.find(id);
      if (present === undefined || present.state === "ending") return undefined;
      const updatedAt = this.#deps.clock.now();
      const changed = { ...present, ...change, updatedAt, rev: present.rev + 1 };
      if (!(await this.#store.change(present, { ...change, updatedAt }, draft(type, { ...changed, rev: present.rev }, updatedAt))))
        continue;
      return changed;
    }
    throw new Error(`the standing observation ${id} changed ${casAttempts} times while it was changed`);
  }

  async #settle(look: Look): Promise<void> {
    for (const standing of await settleLook(this.#lookDeps, look)) await this.#members.removeIfEmpty(standing);
  }

  async #noteRelations(news: RelationNews): Promise<void> {
    const { endpoint } = news;
    if (news.kind === "registered") {
      const pause = await this.#restarts.noteRegistration(endpoint, news.grantedAt);
      if (pause !== undefined) await this.#tellPause(endpoint, pause.strikes, pause.until);
      if (!news.had && (!this.#mayStand || (await this.#store.ofDevice(endpoint)).length === 0)) return;
    }
    this.#establisher.kick(endpoint);
  }

  async #tellPause(endpoint: string, strikes: number, until: number): Promise<void> {
    this.#paused += 1;
    const timeMs = this.#deps.clock.now();
    const data = { restarts: strikes, seconds: Math.round((until - timeMs) / 1_000) };
    await this.#deps.events.append([
      { key: `observation/${endpoint}/${timeMs}/paused`, type: "observation.paused", subject: endpoint, timeMs, data },
    ]);
  }

  async #useOf(group: string): Promise<string | undefined> {
    const [first] = await this.#store.list({ group, limit: 1 });
    return first === undefined ? undefined : `the standing observation ${first._id}`;
  }

  async #resume(): Promise<void> {
    const { store } = this.#lookDeps;
    await this.#restarts.load(this.#deps.owner.isShared);
    this.#mayStand = this.#deps.owner.isShared || (await this.#store.list({ limit: 1 })).length > 0;
    for await (const { endpoint, standingOnly } of store.inState("ended")) if (standingOnly) this.#establisher.kick(endpoint);
    for (const state of ["waiting", "refused"] as const) {
      for await (const { endpoint } of store.inState(state)) this.#establisher.kick(endpoint);
    }
    for (const state of ["pending", "leaving"] as const) {
      for await (const { endpoint } of this.#store.inState(state)) this.#establisher.kick(endpoint);
    }
    await this.#members.lookOverAll();
  }

  async #look(nowMs: number): Promise<number | undefined> {
    if (!this.#isResumed) await this.#resume();
    this.#isResumed = true;
    if (nowMs >= this.#resyncAt) {
      this.#resyncAt = nowMs + resyncMs;
      await this.#members.lookOverAll();
    } else await this.#members.removeEnded();
    if (!this.#deps.owner.isShared) return undefined;
    for (const state of ["pending", "leaving"] as const) {
      for await (const { endpoint } of this.#store.inState(state)) {
        if (this.#deps.registrations.isAwake(endpoint)) this.#establisher.kick(endpoint);
      }
    }
    return nowMs + lookoutMs;
  }
}

function namesObjects(data: EventDraft["data"]): boolean {
  const { changed = [] } = data as { readonly changed?: readonly string[] };
  return changed.includes("objects");
}

type Told = Pick<StandingObservation, "_id" | "endpoint" | "group" | "path" | "paths" | "attributes" | "restore" | "rev">;

/** The subject is the standing observation. */
function draft(type: "observation.created" | "observation.changed" | "observation.removed", told: Told, timeMs: number): EventDraft {
  const { _id, endpoint, group, path, paths, attributes, restore, rev } = told;
  const about = { ...(endpoint === null ? { group } : { endpoint }), path, ...(paths === undefined ? {} : { paths: [...paths] }) };
  return { key: `observation/${_id}/${rev + 1}/${type}`, type, subject: _id, timeMs, data: { ...about, attributes, restore } };
}
