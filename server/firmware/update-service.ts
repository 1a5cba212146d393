/** Firmware updates of single devices: started by REST, moved on by the clock, by contacts and by the blocks that devices fetch. */

import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { EventLog, LoggedEvent } from "../events/event.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Operation, Operations } from "../operations/operation.ts";
import type { WakeUpQueue, WakeUps } from "../queue/wake-up-queue.ts";
import type { Registrations } from "../registration/registration.ts";
import type { Json } from "../storage/collection.ts";
import { nextClaim, type ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import { ulid } from "../ulid.ts";
import { DownloadProgress } from "./download-progress.ts";
import { type FirmwareUpdate, irrevocableStates } from "./update.ts";
import { type UpdateLimits, updateLimits } from "./update-limits.ts";
import { newUpdate, type UpdateOrder } from "./update-order.ts";
import { UpdateRunner } from "./update-runner.ts";
import { UpdateStore } from "./update-store.ts";
import { waitsForNothing } from "./update-words.ts";

export interface UpdateServiceDeps {
  readonly store: Store;
  readonly events: EventLog;
  readonly operations: Operations;
  readonly registrations: Registrations;
  readonly clock: Clock;
  readonly random: Random;
  readonly packageUri: (update: FirmwareUpdate) => Promise<string | undefined>;
  /** Moves the events of a changed document to the log. */
  readonly relay: Pick<OutboxRelay, "writes">;
  readonly supervisor: { run(work: Promise<unknown>, what: string): void };
  readonly wakeUps: WakeUpQueue;
  readonly owner: ProcessOwner;
  readonly limits?: UpdateLimits;
}

export type StartOutcome =
  | { readonly ok: true; readonly update: FirmwareUpdate }
  | { readonly ok: false; readonly reason: "update-under-way"; readonly active: FirmwareUpdate | undefined };

export type CancelOutcome =
  | { readonly ok: true; readonly update: FirmwareUpdate }
  | { readonly ok: false; readonly reason: "update-unknown" | "finished" | "irrevocable"; readonly update?: FirmwareUpdate };

interface Caller {
  readonly actor: string;
  readonly traceId: string;
}

/** Updates of one page at the start. */
const stepsAtOnce = 50;
const maxCancelTries = 5;
/** Who the operations of an update are created by. */
const actor = "firmware";

/** Goes on with what an earlier process left. */
export function openUpdateService(deps: UpdateServiceDeps): UpdateService {
  return new UpdateService(deps);
}

export class UpdateService {
  readonly #deps: UpdateServiceDeps;
  readonly #limits: UpdateLimits;
  readonly #store: UpdateStore;
  readonly #runner: UpdateRunner;
  readonly #progress: DownloadProgress;
  readonly #wakeUps: WakeUps;
  readonly #stopListening: () => void;
  readonly #endListeners: ((update: FirmwareUpdate) => void)[] = [];
  #closed = false;

  constructor(deps: UpdateServiceDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? updateLimits;
    const updates = new UpdateStore(deps.store, deps.relay);
    this.#store = updates;
    this.#runner = new UpdateRunner({ ...deps, updates, limits: this.#limits, onChanged: (update) => this.#changed(update) });
    this.#progress = new DownloadProgress({
      ...deps,
      store: (id, servedBytes, servedAt) => updates.noteServed(id, servedBytes, servedAt),
      onComplete: (id) => this.#supervise(id, () => this.#runner.advance(id, true)),
    });
    // What another process drives is due there; when that is gone, the take-over looks at it.
    const { owner } = deps;
    const ownName = (): string | undefined => (owner.isShared ? owner.name : undefined);
    this.#wakeUps = deps.wakeUps.open({
      name: "firmware-updates",
      findDue: async (dueUntilMs, limit) => (await updates.due(dueUntilMs, limit, ownName())).map(({ _id }) => _id),
      findNextDueAt: () => updates.nextWakeAt(ownName()),
      onDue: (id) => this.#advanceDue(id),
    });
    this.#stopListening = deps.events.subscribe((logged) => this.#hear(logged));
    // A fresh registration is how a device says that it restarted; plain contacts are served by the operations that wait.
    deps.registrations.onSignOfLife((endpoint, kind) => {
      if (kind === "registered") this.#supervise(endpoint, () => this.#hurry(endpoint));
    });
    deps.operations.onFinished((operation) => {
      if (operation.createdBy === actor) this.#supervise(operation.endpoint, () => this.#takeAnswer(operation));
    });
    this.#supervise("from before the start", () => this.#resume());
    owner.onGone(() => this.#resume());
  }

  newId(): string {
    return ulid(this.#deps.clock.now(), this.#deps.random);
  }

  async start(order: UpdateOrder): Promise<StartOutcome> {
    const { clock, random, owner } = this.#deps;
    const update = { ...newUpdate(order, clock.now(), random), claim: nextClaim(undefined, owner.name) };
    if (!(await this.#store.insert(update))) {
      return { ok: false, reason: "update-under-way", active: await this.#store.findActive(order.endpoint) };
    }
    this.#changed(update);
    this.#supervise(update._id, () => this.#runner.advance(update._id, true));
    return { ok: true, update };
  }

  find(id: string): Promise<FirmwareUpdate | undefined> {
    return this.#store.find(id);
  }

  /** Newest first. */
  page(endpoint: string, limit: number): Promise<readonly FirmwareUpdate[]> {
    return this.#store.page(endpoint, limit);
  }

  /** Takes back what the device has not begun to install. */
  cancel(id: string, by: Caller): Promise<CancelOutcome> {
    return this.#runner.inTurn(id, async () => {
      const resetId = ulid(this.#deps.clock.now(), this.#deps.random);
      for (let tries = 0; tries < maxCancelTries; tries += 1) {
        const outcome = await this.#cancel(id, by, resetId);
        if (outcome !== undefined) return outcome;
      }
      throw new Error(`update ${id} changed ${maxCancelTries} times while it was being cancelled`);
    });
  }

  isPackageInUse(packageId: string): Promise<boolean> {
    return this.#store.isPackageInUse(packageId);
  }

  findByToken(downloadToken: string): Promise<FirmwareUpdate | undefined> {
    return this.#store.findByToken(downloadToken);
  }

  /** The block server's news: the device fetched up to this byte. */
  noteServed(update: Pick<FirmwareUpdate, "_id" | "sizeBytes">, servedBytes: number): void {
    this.#progress.note(update, servedBytes);
  }

  /** After the update became final and durable. */
  onEnded(listener: (update: FirmwareUpdate) => void): void {
    this.#endListeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    this.#progress.close();
    await this.#wakeUps.close();
    await this.#runner.close();
  }

  #supervise(what: string, work: () => Promise<unknown>): void {
    if (!this.#closed) this.#deps.supervisor.run(work(), `firmware update ${what}`);
  }

  #changed(update: FirmwareUpdate): void {
    if (update.active) {
      this.#wakeUps.schedule(update._id, update.wakeAt);
      return;
    }
    this.#wakeUps.cancel(update._id);
    this.#progress.forget(update._id);
    for (const listener of this.#endListeners) listener(update);
  }

  /** One that fails has its turn again later. */
  async #advanceDue(id: string): Promise<void> {
    try {
      await this.#runner.advance(id, false);
    } catch (error) {
      this.#deps.supervisor.run(Promise.reject(error), `firmware update ${id}`);
      await this.#postpone(id);
    }
  }

  async #postpone(id: string): Promise<void> {
    const { clock, owner } = this.#deps;
    const nowMs = clock.now();
    const update = await this.#store.find(id);
    if (update === undefined || !update.active || update.wakeAt > nowMs) return;
    if (owner.isShared && update.claim?.owner !== owner.name) return;
    const postponed = await this.#store.change(update, { wakeAt: nowMs + this.#limits.leaseMs }, nowMs);
    if (postponed !== undefined) this.#wakeUps.schedule(id, postponed.wakeAt);
  }

  /** Looks at all, and so takes over those whose owner is gone: what one before was waiting for may have come. */
  async #resume(): Promise<void> {
    let page: readonly FirmwareUpdate[] = [];
    do {
      page = await this.#store.active(stepsAtOnce, page.at(-1));
      await Promise.all(page.map((update) => this.#runner.advance(update._id, false)));
    } while (page.length === stepsAtOnce && !this.#closed);
  }

  async #hurry(endpoint: string): Promise<void> {
    const update = await this.#store.findActive(endpoint);
    if (update !== undefined) await this.#runner.advance(update._id, true);
  }

  async #takeAnswer({ _id, endpoint }: Operation): Promise<void> {
    const update = await this.#store.findActive(endpoint);
    if (update?.pending?.operationIds.includes(_id)) await this.#runner.advance(update._id, false);
  }

  #hear(logged: readonly LoggedEvent[]): void {
    for (const { type, subject, data } of logged) {
      if (type === "resource.changed" && tellsOfFirmware(data)) this.#supervise(subject, () => this.#hurry(subject));
    }
  }

  /**
   * Undefined: somebody else was faster. The update is marked last: a crash before leaves one that goes on by itself, a crash
   * after has nothing left to do.
   */
  async #cancel(id: string, by: Caller, resetId: string): Promise<CancelOutcome | undefined> {
    const update = await this.#store.find(id);
    if (update === undefined) return { ok: false, reason: "update-unknown" };
    if (!update.active) return { ok: false, reason: "finished", update };
    if (irrevocableStates.includes(update.state) && !(await this.#takeBackExecute(update))) {
      return { ok: false, reason: "irrevocable", update };
    }
    const { operations, clock } = this.#deps;
    for (const operationId of update.pending?.operationIds ?? []) await operations.cancel(operationId);
    // The device forgets the package at its next contact (LwM2M Core 1.1 appendix E.6: an empty Package URI resets).
    if (update.packageUri !== null) {
      const reset = { kind: "write", path: "/5/0/1", value: "", expiresAt: update.expiresAt } as const;
      await operations.create(update.endpoint, reset, { ...by, id: resetId });
    }
    const nowMs = clock.now();
    const change = { state: "cancelled", active: false, finishedAt: nowMs, pending: null, waitingFor: waitsForNothing } as const;
    const cancelled = await this.#store.change(update, { ...change, failure: null, detail: `cancelled by ${by.actor}` }, nowMs);
    if (cancelled === undefined) return undefined;
    this.#changed(cancelled);
    return { ok: true, update: cancelled };
  }

  /** False: it left, or an earlier one did. An Execute still waits in the queue while the device sleeps. */
  async #takeBackExecute({ pending, applies }: FirmwareUpdate): Promise<boolean> {
    const [operationId] = pending?.operationIds ?? [];
    if (pending?.purpose !== "apply" || operationId === undefined || applies > 0) return false;
    const outcome = await this.#deps.operations.cancel(operationId);
    return outcome.ok || outcome.reason === "operation-unknown";
  }
}

/** The data of a `resource.changed` event: what the device said of /5 by itself; our own reads answer a step already. */
function tellsOfFirmware(data: Json): boolean {
  const { source, values } = data as { readonly source?: string; readonly values?: readonly { readonly path: string }[] };
  return (source === "notify" || source === "send") && (values ?? []).some(({ path }) => path.startsWith("/5/"));
}
