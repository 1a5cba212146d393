/** The operations of all devices: accepted once durable, carried out by the dispatcher, expired and swept here. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Devices } from "../devices/device.ts";
import type { Leniency } from "../devices/leniency.ts";
import type { LinkFacts } from "../devices/link-profile.ts";
import { type DueLoop, openDueLoop } from "../due-loop.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Patience } from "../outlook/exchange-watch.ts";
import type { Registrations } from "../registration/registration.ts";
import type { SecretBox } from "../security/secret-box.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import { ulid } from "../ulid.ts";
import { deviceDisconnected } from "./exchange-failure.ts";
import { newOperation } from "./new-operation.ts";
import type { Learn } from "./news.ts";
import type { ObservationExchange } from "./observation-exchange.ts";
import type { CreateOutcome, Operation, OperationRequest, Operations } from "./operation.ts";
import { OperationDispatcher } from "./operation-dispatcher.ts";
import { type OperationServiceLimits, operationServiceLimits } from "./operation-limits.ts";
import { isInFlight, type OperationEvent, step } from "./operation-machine.ts";
import { findRefusal } from "./operation-refusal.ts";
import { OperationSecrets } from "./operation-secrets.ts";
import { type OperationListQuery, OperationStore, operationCollection, wakeUpHorizon } from "./operation-store.ts";
import { sealPlainOperations } from "./plain-operations.ts";
import type { DeviceQueue } from "./queue-view.ts";
import type { KnownValuesOf } from "./wake-up-planner.ts";

export interface OperationServiceDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly devices: Devices;
  readonly registrations: Registrations;
  readonly registry: ObjectRegistry;
  readonly coap: CoapEndpoint;
  readonly clock: Clock;
  readonly random: Random;
  readonly supervisor: Supervisor;
  /** Seals values that nobody is to see. */
  readonly secrets: SecretBox;
  readonly learn: Learn;
  readonly leniency: Leniency;
  readonly links: LinkFacts;
  readonly patience: Patience;
  readonly knownValues: KnownValuesOf;
  readonly owner: ProcessOwner;
  readonly limits?: Partial<OperationServiceLimits>;
}

/** Operations that one step of the sweeper ends. */
const expiryBatch = 200;

/** Nothing is sent before `start`: what an earlier process left in the air must be settled first. */
export function openOperationService(deps: OperationServiceDeps): OperationService {
  return new OperationService(deps);
}

export class OperationService implements Operations {
  readonly #deps: OperationServiceDeps;
  readonly #limits: OperationServiceLimits;
  readonly #secrets: OperationSecrets;
  readonly #store: OperationStore;
  readonly #dispatcher: OperationDispatcher;
  readonly #finishListeners: ((operation: Operation) => void)[] = [];
  readonly #waiting = new Map<string, Set<(operation: Operation | undefined) => void>>();
  #observations: ObservationExchange | undefined;
  #sweeper: DueLoop | undefined;
  #lastIdAt = 0;

  constructor(deps: OperationServiceDeps) {
    this.#deps = deps;
    this.#limits = { ...operationServiceLimits, ...deps.limits };
    this.#secrets = new OperationSecrets(deps.secrets, deps.registry, operationCollection);
    this.#store = new OperationStore(deps.store, deps.relay, this.#secrets);
    this.#dispatcher = new OperationDispatcher({
      ...deps,
      mostTogether: this.#limits.mostTogether,
      store: this.#store,
      observations: () => this.#observations,
      onChanged: (operation) => this.#changed(operation),
    });
    deps.registrations.onSignOfLife((endpoint, kind) => {
      // A device that registered anew forgot what it was asked (its answer would be lost): that goes back to the queue.
      if (kind === "registered") this.#dispatcher.interrupt(endpoint);
      // It may come from another process, which has operations for it.
      if (kind === "registered" && deps.owner.isShared) this.#dispatcher.expect(endpoint);
      else this.#dispatcher.wake(endpoint);
    });
    deps.registrations.onGone((endpoint) => this.#dispatcher.interrupt(endpoint));
    deps.registrations.onDisconnected((endpoint) => this.#dispatcher.interrupt(endpoint, deviceDisconnected));
  }

  attachObservations(observations: ObservationExchange): void {
    this.#observations = observations;
  }

  /** Settles what an earlier process left in the air, then sends. */
  async start(): Promise<void> {
    await sealPlainOperations(this.#deps.store, this.#secrets);
    const endpoints = await this.#takeOver();
    this.#sweeper = openDueLoop({
      clock: this.#deps.clock,
      step: (nowMs) => this.#sweep(nowMs),
      onError: (error) => this.#deps.supervisor.run(Promise.reject(error), "expire operations"),
    });
    this.#dispatcher.start();
    for (const endpoint of endpoints) this.#dispatcher.expect(endpoint);
    this.#deps.owner.onGone(async () => {
      for (const endpoint of await this.#takeOver()) this.#dispatcher.expect(endpoint);
    });
  }

  /** What owners that are gone had in the air is put back or ended. Returns the devices for which something is in the store. */
  async #takeOver(): Promise<ReadonlySet<string>> {
    const endpoints = new Set<string>();
    for await (const operation of this.#store.open()) {
      endpoints.add(operation.endpoint);
      if (!isInFlight(operation) || !(await this.#deps.owner.isGone(operation.claim?.owner))) continue;
      const detail = "the server stopped while it was under way";
      await this.#apply(operation, { kind: "interrupt", attempt: undefined, detail });
    }
    return endpoints;
  }

  /** Ids order the queue, so two of one millisecond differ in their time part. */
  newId(): string {
    this.#lastIdAt = Math.max(this.#deps.clock.now(), this.#lastIdAt + 1);
    return ulid(this.#lastIdAt, this.#deps.random);
  }

  async create(
    endpoint: string,
    request: OperationRequest,
    by: { readonly actor: string; readonly traceId: string; readonly id?: string },
  ): Promise<CreateOutcome> {
    const existing = by.id === undefined ? undefined : await this.#store.find(by.id);
    if (existing !== undefined) return { ok: true, operation: existing };
    const refusal = await findRefusal(this.#deps, endpoint, request, async () => {
      // Nothing waits for most devices most of the time, and then there is nothing to count.
      const open = this.#dispatcher.isIdle(endpoint) ? 0 : await this.countOpen(endpoint);
      return { open, most: this.#limits.maxQueuedPerDevice };
    });
    if (refusal !== undefined) return { ok: false, refusal };
    const operation = newOperation(
      { endpoint, request, actor: by.actor, traceId: by.traceId, id: by.id ?? this.newId() },
      this.#limits,
      this.#deps.clock.now(),
    );
    const beginning = await this.#dispatcher.begin(operation);
    const { outbox, hasOutbox: _, ...stored } = beginning?.claimed ?? operation;
    let isStored = false;
    try {
      isStored = await this.#store.insert(stored, outbox);
    } finally {
      beginning?.settle(isStored);
    }
    if (!isStored) {
      const present = await this.#store.find(operation._id);
      if (present === undefined) throw new Error(`operation ${operation._id} exists and does not`);
      return { ok: true, operation: present };
    }
    this.#sweeper?.hasten(operation.expiresAt);
    if (beginning !== undefined) return { ok: true, operation: beginning.claimed };
    await this.#supersede(operation);
    this.#dispatcher.expect(endpoint);
    return { ok: true, operation };
  }

  async waitFor(id: string, timeoutMs: number, signal?: AbortSignal): Promise<Operation | undefined> {
    let finish: (operation: Operation | undefined) => void = () => {};
    const finished = new Promise<Operation | undefined>((resolve) => {
      finish = resolve;
    });
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(finish));
    const giveUp = (): void => finish(undefined);
    const timer = this.#deps.clock.after(timeoutMs, giveUp);
    signal?.addEventListener("abort", giveUp);
    try {
      const present = await this.#store.find(id);
      if (present === undefined || !present.open || timeoutMs === 0 || signal?.aborted === true) return present;
      return (await finished) ?? (await this.#store.find(id));
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", giveUp);
      waiting.delete(finish);
      if (waiting.size === 0) this.#waiting.delete(id);
    }
  }

  find(id: string): Promise<Operation | undefined> {
    return this.#store.find(id);
  }

  /** Newest first. */
  list(query: OperationListQuery): Promise<readonly Operation[]> {
    return this.#store.list(query);
  }

  /** What is not final of a device, oldest first. */
  queue(endpoint: string, limit: number): Promise<readonly Operation[]> {
    return this.#store.openOf(endpoint, limit);
  }

  /** What waits for a device, as far as one wake-up looks, and what its next one does with it. */
  async wakeUp(endpoint: string): Promise<DeviceQueue> {
    const { registrations, clock } = this.#deps;
    const oldest = await this.#store.openOf(endpoint, wakeUpHorizon.oldest);
    const due = await this.#store.queuedOf(endpoint, clock.now());
    const operations = [...new Map([...oldest, ...due].map((operation) => [operation._id, operation])).values()];
    const registration = await registrations.findLast(endpoint);
    const wakeUp = registration === undefined ? undefined : await this.#dispatcher.preview(due, registration);
    const isAll = oldest.length < wakeUpHorizon.oldest;
    return { operations, behind: isAll ? 0 : Math.max(0, (await this.countOpen(endpoint)) - operations.length), wakeUp };
  }

  countOpen(endpoint: string): Promise<number> {
    return this.#store.countOpen(endpoint, this.#limits.maxQueuedPerDevice);
  }

  async cancel(
    id: string,
    detail = "cancelled by the caller",
  ): Promise<
    { readonly ok: true; readonly operation: Operation } | { readonly ok: false; readonly reason: "operation-unknown" | "conflict" }
  > {
    const operation = await this.#store.find(id);
    if (operation === undefined) return { ok: false, reason: "operation-unknown" };
    const cancelled = await this.#apply(operation, { kind: "cancel", detail });
    return cancelled === undefined ? { ok: false, reason: "conflict" } : { ok: true, operation: cancelled };
  }

  /** The device is awake, and what is due for it waits for a later wake-up all the same. */
  isHeldBack(endpoint: string): boolean {
    return this.#dispatcher.isHeldBack(endpoint);
  }

  onFinished(listener: (operation: Operation) => void): void {
    this.#finishListeners.push(listener);
  }

  /** The device was deleted: nothing will be sent to it any more. */
  async forget(endpoint: string): Promise<void> {
    await this.#dispatcher.release(endpoint);
    for (;;) {
      const open = (await this.#store.openOf(endpoint, expiryBatch)).filter(({ status }) => status === "queued");
      if (open.length === 0) return;
      for (const operation of open) await this.#apply(operation, { kind: "cancel", detail: "the device was deleted" });
    }
  }

  /** What is under way is put back or ended before this resolves; close it before the endpoint and the store. */
  async close(): Promise<void> {
    await this.#sweeper?.close();
    await this.#dispatcher.close();
    for (const waiting of this.#waiting.values()) for (const finish of waiting) finish(undefined);
  }

  async #supersede(operation: Operation): Promise<void> {
    const { endpoint, supersedeKey, _id } = operation;
    if (supersedeKey === undefined) return;
    for (const older of await this.#store.superseded(endpoint, supersedeKey, _id)) {
      await this.#apply(older, { kind: "cancel", detail: `superseded by operation ${_id}` });
    }
  }

  async #sweep(nowMs: number): Promise<number | undefined> {
    for (const operation of await this.#store.findExpired(nowMs, expiryBatch)) await this.#apply(operation, { kind: "expire" });
    await this.#store.removeFinishedBefore(nowMs - this.#limits.keptMs);
    return this.#store.nextExpiry(nowMs);
  }

  /** Undefined: the operation is in no state for it, or changed in the meantime. */
  async #apply(operation: Operation, event: OperationEvent): Promise<Operation | undefined> {
    const taken = step(operation, event, this.#deps.clock.now());
    const changed = taken === undefined ? undefined : await this.#store.apply(operation, taken);
    if (changed !== undefined) this.#changed(changed);
    return changed;
  }

  #changed(operation: Operation): void {
    if (operation.open) return;
    for (const finish of this.#waiting.get(operation._id) ?? []) finish(operation);
    for (const listener of this.#finishListeners) listener(operation);
  }
}
