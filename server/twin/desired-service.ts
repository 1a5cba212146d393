/**
 * The desired twin of each device: wishes come in here, and are brought to the device by writes that are ordinary operations.
 *
 * Every look is made from the store alone (wishes, last known values, operations), so it does not matter how many are made or which is
 * lost: at a change of the wishes, at the first sign of life after the start and at each registration, at a report that differs, when
 * a write is over, when a pause is. For a device without wishes there is none.
 */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { EventLog, LoggedEvent } from "../events/event.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Operation } from "../operations/operation.ts";
import type { OperationService } from "../operations/operation-service.ts";
import type { WakeUpQueue, WakeUps } from "../queue/wake-up-queue.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registrations } from "../registration/registration.ts";
import { openFields, sealFields } from "../security/sealed-documents.ts";
import type { SecretBox } from "../security/secret-box.ts";
import type { Json } from "../storage/collection.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import { ulid } from "../ulid.ts";
import type { ConflictPolicy, DesiredTwin, Wish } from "./desired.ts";
import { type DesiredEdit, type EditRefusal, editWishes, type Wished } from "./desired-edit.ts";
import { DesiredLook } from "./desired-look.ts";
import { retryPauses } from "./desired-machine.ts";
import { DesiredStore, desiredCollection } from "./desired-store.ts";
import { isFitting } from "./entity-tag.ts";
import { LookLanes } from "./look-lanes.ts";
import type { TwinService } from "./twin-service.ts";
import { WatchedWishes } from "./watched-wishes.ts";

export interface DesiredServiceDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly events: EventLog;
  readonly twins: TwinService;
  readonly operations: OperationService;
  readonly registrations: Registrations;
  readonly registry: ObjectRegistry;
  readonly secrets: SecretBox;
  readonly clock: Clock;
  readonly random: Random;
  readonly supervisor: Supervisor;
  readonly wakeUps: WakeUpQueue;
  readonly owner: ProcessOwner;
  /** For devices whose wishes name none. */
  readonly policy: ConflictPolicy;
}

export type ChangeOutcome =
  | { readonly ok: true; readonly desired: DesiredTwin | undefined }
  | { readonly ok: false; readonly refusal: EditRefusal | { readonly type: "version-conflict"; readonly detail: string } };

export interface Wisher {
  readonly actor: string;
  readonly traceId: string;
  /** Entity tags (RFC 9110 §13.1.1): without one of them nothing is changed. */
  readonly ifMatch?: string;
}

/** Who the writes are created by. */
export const twinActor = "twin";
/** Races of one change with looks and other changes. */
const casAttempts = 10;
const editedAtOnce = 100;

/** Knows every device that something is wished of, and looks at none before it is heard from. */
export async function openDesiredService(deps: DesiredServiceDeps): Promise<DesiredService> {
  const service = new DesiredService(deps);
  await service.load();
  return service;
}

export class DesiredService {
  readonly #deps: DesiredServiceDeps;
  readonly #store: DesiredStore;
  readonly #watched = new WatchedWishes();
  readonly #looks: LookLanes;
  #wakeUps: WakeUps | undefined;
  #stopListening: () => void = () => {};

  constructor(deps: DesiredServiceDeps) {
    this.#deps = deps;
    this.#store = new DesiredStore(deps.store, deps.relay);
    const look = new DesiredLook({
      ...deps,
      desired: this.#store,
      secretsOf: (desired) => this.#secretsOf(desired),
      onChanged: (desired) => this.#changed(desired),
      newId: () => ulid(deps.clock.now(), deps.random),
    });
    this.#looks = new LookLanes({ look, watched: this.#watched, supervisor: deps.supervisor });
  }

  async load(): Promise<void> {
    for await (const desired of this.#store.watched()) this.#watched.remember(desired, true);
    await this.#makeGood();
    const { wakeUps, operations, registrations, twins, events, owner } = this.#deps;
    this.#wakeUps = wakeUps.open({
      name: "desired-twins",
      findDue: async (dueUntilMs, limit) => (await this.#store.due(dueUntilMs, limit)).map(({ _id }) => _id),
      findNextDueAt: () => this.#store.nextWakeAt(),
      onDue: (endpoint) => this.#lookDue(endpoint),
    });
    registrations.onSignOfLife((endpoint, kind) => {
      // Wishes of a device that comes from another process are not known here.
      const isNews = kind === "registered" && (owner.isShared || this.#watched.has(endpoint));
      if (isNews || this.#watched.isUnseen(endpoint)) this.#looks.soon(endpoint);
    });
    operations.onFinished(({ createdBy, endpoint }: Operation) => {
      if (createdBy === twinActor) this.#looks.soon(endpoint);
    });
    twins.onLearned((endpoint, set, unset) => {
      if (this.#watched.isConcerned(endpoint, set, unset)) this.#looks.soon(endpoint);
    });
    this.#stopListening = events.subscribe((logged) => this.#hear(logged));
  }

  find(endpoint: string): Promise<DesiredTwin | undefined> {
    return this.#store.find(endpoint);
  }

  policyOf(desired: DesiredTwin | undefined): ConflictPolicy {
    return desired?.policy ?? this.#deps.policy;
  }

  /** Durable when it resolves, and on its way as far as the device allows. The caller has made sure that the device is known. */
  async change(endpoint: string, edit: DesiredEdit, by: Wisher): Promise<ChangeOutcome> {
    for (let attempt = 0; attempt < casAttempts; attempt += 1) {
      const outcome = await this.#tryChange(endpoint, edit, by);
      if (outcome === undefined) continue;
      if (outcome.ok) await this.#looks.within(endpoint);
      return outcome;
    }
    throw new Error(`the desired twin of ${endpoint} changed ${casAttempts} times while it was changed`);
  }

  /** The device is being deleted; before its operations are. */
  async forget(endpoint: string): Promise<void> {
    await this.#store.remove(endpoint);
    this.#watched.forget(endpoint);
    await this.#looks.settled(endpoint);
  }

  /** Before the operations. */
  async close(): Promise<void> {
    this.#stopListening();
    await this.#wakeUps?.close();
    await this.#looks.close();
  }

  /** What a crash left between a change and its look, before anything is sent: a write that is not wanted any more must not leave. */
  async #makeGood(): Promise<void> {
    const seen = new Set<string>();
    for (;;) {
      const page = await this.#store.edited(editedAtOnce);
      // One that fails is looked at again when its device is heard from; it must not keep the server from starting.
      const fresh = page.filter(({ _id }) => !seen.has(_id));
      if (fresh.length === 0) return;
      for (const { _id } of fresh) await this.#looks.within(_id);
      for (const { _id } of fresh) seen.add(_id);
    }
  }

  /** Undefined: somebody else was faster. */
  async #tryChange(endpoint: string, edit: DesiredEdit, by: Wisher): Promise<ChangeOutcome | undefined> {
    const present = await this.#store.find(endpoint);
    if (by.ifMatch !== undefined && !isFitting(by.ifMatch, present)) {
      return {
        ok: false,
        refusal: { type: "version-conflict", detail: "what is desired has changed meanwhile: read it again (If-Match)" },
      };
    }
    const { registry, registrations, clock } = this.#deps;
    const last = await registrations.findLast(endpoint);
    const before: Wished = { wishes: present?.wishes ?? {}, secrets: present === undefined ? {} : this.#secretsOf(present) };
    const context = { model: deviceModel(registry, last), target: last, nowMs: clock.now(), ...by };
    const outcome = editWishes(before, edit, context);
    if (!outcome.ok) return outcome;
    const former = present?.policy ?? null;
    const policy = edit.policy === undefined && edit.mode === "merge" ? former : (edit.policy ?? null);
    if (!outcome.changed && policy === former) return { ok: true, desired: present };
    const desired = await this.#put(endpoint, present, policy, outcome.wished);
    return desired === undefined ? undefined : { ok: true, desired };
  }

  async #put(
    endpoint: string,
    present: DesiredTwin | undefined,
    policy: ConflictPolicy | null,
    { wishes, secrets }: Wished,
  ): Promise<DesiredTwin | undefined> {
    const isNewPolicy = (policy ?? this.#deps.policy) !== this.policyOf(present);
    const plain = Object.fromEntries(Object.entries(secrets).map(([path, value]) => [path, Buffer.from(JSON.stringify(value))]));
    const writes = present?.writes ?? {};
    const change = {
      policy,
      wishes: isNewPolicy ? Object.fromEntries(Object.entries(wishes).map(([path, wish]) => [path, reopened(wish)])) : wishes,
      watched: Object.keys(wishes).length + Object.keys(writes).length > 0,
      edited: true,
      version: (present?.version ?? 0) + 1,
      ...sealFields(this.#deps.secrets, desiredCollection, endpoint, plain),
    };
    if (present !== undefined) {
      const desired = await this.#store.change(present, change, []);
      if (desired !== undefined) this.#changed(desired);
      return desired;
    }
    const made = { ...change, _id: endpoint, since: this.#deps.clock.now(), writes, wakeAt: null, rev: 1 };
    if (!(await this.#store.insert(made))) return undefined;
    const desired: DesiredTwin = { ...made, outbox: [], hasOutbox: false };
    this.#changed(desired);
    return desired;
  }

  #secretsOf(desired: DesiredTwin): { readonly [path: string]: Json } {
    const opened = openFields(this.#deps.secrets, desiredCollection, desired);
    return Object.fromEntries(Object.entries(opened).map(([path, plain]) => [path, JSON.parse(Buffer.from(plain).toString()) as Json]));
  }

  #changed(desired: DesiredTwin): void {
    this.#watched.remember(desired);
    if (desired.wakeAt === null) this.#wakeUps?.cancel(desired._id);
    else this.#wakeUps?.schedule(desired._id, desired.wakeAt);
  }

  #hear(logged: readonly LoggedEvent[]): void {
    for (const { type, subject, data } of logged) {
      if (type === "device.updated" && this.#watched.has(subject) && tellsOfObjects(data)) this.#looks.soon(subject);
    }
  }

  /** One that fails, and not because the store is away, must not be due again at once. */
  async #lookDue(endpoint: string): Promise<void> {
    try {
      await this.#looks.now(endpoint);
    } catch (error) {
      const desired = await this.#store.find(endpoint);
      const postponed = desired && (await this.#store.change(desired, { wakeAt: this.#deps.clock.now() + retryPauses.firstMs }, []));
      if (postponed !== undefined) this.#changed(postponed);
      throw error;
    }
  }
}

/** Under another policy a conflict that was left is judged anew. */
function reopened(wish: Wish): Wish {
  if (wish.state.kind !== "conflict") return wish;
  return { ...wish, rewrites: [], state: { kind: "held", since: wish.state.since, by: "reported" } };
}

function tellsOfObjects(data: Json): boolean {
  const changed: unknown = Reflect.get(Object(data), "changed");
  return Array.isArray(changed) && changed.includes("objects");
}
