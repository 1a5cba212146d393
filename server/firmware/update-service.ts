/** Firmware updates of single devices: started by REST, moved on by the clock, by contacts and by the blocks that devices fetch. */
import { Buffer } from "node:buffer";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { openDueLoop } from "../due-loop.ts";
import type { EventLog } from "../events/event.ts";
import type { Operations } from "../operations/operation.ts";
import type { Registrations } from "../registration/registration.ts";
import type { Json } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { ulid } from "../ulid.ts";
import type { FirmwarePackage } from "./package.ts";
import { type FirmwareUpdate, irrevocableStates } from "./update.ts";
import { type UpdateLimits, updateLimits } from "./update-machine.ts";
import { openUpdateRunner } from "./update-runner.ts";
import { changeEvent, UpdateStore } from "./update-store.ts";

export interface UpdateServiceDependencies {
  readonly store: Store;
  readonly events: EventLog;
  readonly operations: Operations;
  readonly registrations: Registrations;
  readonly clock: Clock;
  readonly random: Random;
  readonly packageUri: (update: FirmwareUpdate) => Promise<string | undefined>;
  /** Moves the events of a changed document to the log. */
  readonly relay: { nudge(collection: string, id: string): void };
  readonly supervisor: { run(work: Promise<unknown>, what: string): void };
  readonly limits?: UpdateLimits;
}

export type StartOutcome =
  | { readonly ok: true; readonly update: FirmwareUpdate }
  | { readonly ok: false; readonly reason: "update-under-way"; readonly active: FirmwareUpdate | undefined };

export type CancelOutcome =
  | { readonly ok: true; readonly update: FirmwareUpdate }
  | { readonly ok: false; readonly reason: "update-unknown" | "finished" | "irrevocable"; readonly update?: FirmwareUpdate };

export interface UpdateService {
  start(order: {
    readonly endpoint: string;
    readonly package: FirmwarePackage;
    readonly expiresAt?: number;
    readonly actor: string;
    readonly traceId: string;
  }): Promise<StartOutcome>;
  find(id: string): Promise<FirmwareUpdate | undefined>;
  /** Newest first. */
  page(endpoint: string, limit: number): Promise<readonly FirmwareUpdate[]>;
  /** Takes back what the device has not begun to install. */
  cancel(id: string, by: { readonly actor: string; readonly traceId: string }): Promise<CancelOutcome>;
  isPackageInUse(packageId: string): Promise<boolean>;
  /** The block server's news: the device fetched up to this byte. */
  noteServed(update: FirmwareUpdate, servedBytes: number): void;
  findByToken(downloadToken: string): Promise<FirmwareUpdate | undefined>;
  close(): Promise<void>;
}

/** Milliseconds: 7 days, long enough for a device that calls once a week. */
const standardDurationMs = 604_800_000;
/** Steps taken at once by the clock. */
const stepsAtOnce = 50;
/** Progress of a download is stored at most this often (milliseconds). */
const progressEveryMs = 5_000;
/** After the last block the device digests the package before it reports State 2. */
const digestPauseMs = 300;
const downloadTokenBytes = 16;
const maxCancelTries = 5;

export function openUpdateService(dependencies: UpdateServiceDependencies): UpdateService {
  const { clock, random, supervisor, registrations, operations, events } = dependencies;
  const updates = new UpdateStore(dependencies.store);
  const served = new Map<string, number>();
  const digestTimers = new Map<string, Timer>();
  const nudge = (update: FirmwareUpdate): void => {
    if (update.hasOutbox) dependencies.relay.nudge("updates", update._id);
    if (!update.active) served.delete(update._id);
    else loop.hasten(update.wakeAt);
  };
  const runner = openUpdateRunner({
    updates,
    operations,
    clock,
    random,
    limits: dependencies.limits ?? updateLimits,
    packageUri: dependencies.packageUri,
    onChanged: nudge,
  });
  const advance = (id: string, hurry: boolean): void => supervisor.run(runner.advance(id, hurry), `firmware update ${id}`);
  const loop = openDueLoop({
    clock,
    step: async (nowMs) => {
      const due = await updates.due(nowMs, stepsAtOnce);
      await Promise.all(due.map((update) => runner.advance(update._id, false)));
      return updates.nextWakeAt();
    },
    onError: (error) => supervisor.run(Promise.reject(error), "firmware updates that are due"),
  });

  // Leases of an earlier process are void: it is gone, or this one could not have opened the store.
  const resume = async (): Promise<void> => {
    let page: readonly FirmwareUpdate[] = [];
    do {
      page = await updates.active(stepsAtOnce, page.at(-1));
      await Promise.all(page.map((update) => runner.advance(update._id, false)));
    } while (page.length === stepsAtOnce);
  };
  supervisor.run(resume(), "firmware updates from before the start");

  const hurryActive = async (endpoint: string): Promise<void> => {
    const update = await updates.findActive(endpoint);
    if (update !== undefined) await runner.advance(update._id, true);
  };
  // A fresh registration is how a device says that it restarted; plain contacts are served by the operations that wait.
  registrations.onSignOfLife((endpoint, kind) => {
    if (kind === "registered") supervisor.run(hurryActive(endpoint), `firmware update of ${endpoint}`);
  });
  operations.onFinished((operation) => {
    if (operation.createdBy === "firmware")
      supervisor.run(hurryPending(operation.endpoint, operation._id), `firmware update of ${operation.endpoint}`);
  });
  const stopListening = events.subscribe((logged) => {
    for (const event of logged) {
      if (event.type === "resource.changed" && tellsOfFirmware(event.data)) {
        supervisor.run(hurryActive(event.subject), `firmware update of ${event.subject}`);
      }
    }
  });

  async function hurryPending(endpoint: string, operationId: string): Promise<void> {
    const update = await updates.findActive(endpoint);
    if (update?.pending?.operationIds.includes(operationId)) await runner.advance(update._id, false);
  }

  async function cancelOnce(id: string, by: { readonly actor: string; readonly traceId: string }): Promise<CancelOutcome | undefined> {
    const update = await updates.find(id);
    if (update === undefined) return { ok: false, reason: "update-unknown" };
    if (!update.active) return { ok: false, reason: "finished", update };
    if (irrevocableStates.includes(update.state) || update.pending?.purpose === "apply")
      return { ok: false, reason: "irrevocable", update };
    const now = clock.now();
    const change = {
      state: "cancelled",
      active: false,
      finishedAt: now,
      pending: null,
      detail: `cancelled by ${by.actor}`,
      waitingFor: { code: "nothing", text: "The update is over." },
    } as const;
    const cancelled = await updates.change(update, change, now);
    if (cancelled === undefined) return undefined;
    nudge(cancelled);
    for (const operationId of update.pending?.operationIds ?? []) await operations.cancel(operationId);
    // The device forgets the package at its next contact (LwM2M Core 1.1 appendix E.6: an empty Package URI resets).
    if (update.packageUri !== null) {
      await operations.create(update.endpoint, { kind: "write", path: "/5/0/1", value: "", expiresAt: update.expiresAt }, { ...by });
    }
    return { ok: true, update: cancelled };
  }

  return {
    async start(order): Promise<StartOutcome> {
      const update = newUpdate(order, clock.now(), random);
      if (!(await updates.insert(update))) {
        return { ok: false, reason: "update-under-way", active: await updates.findActive(order.endpoint) };
      }
      nudge(update);
      advance(update._id, true);
      return { ok: true, update };
    },
    find: (id) => updates.find(id),
    page: (endpoint, limit) => updates.page(endpoint, limit),
    async cancel(id, by): Promise<CancelOutcome> {
      for (let tries = 0; tries < maxCancelTries; tries += 1) {
        const outcome = await cancelOnce(id, by);
        if (outcome !== undefined) return outcome;
      }
      throw new Error(`update ${id} changed ${maxCancelTries} times while it was being cancelled`);
    },
    isPackageInUse: (packageId) => updates.isPackageInUse(packageId),
    findByToken: (token) => updates.findByToken(token),
    noteServed(update, servedBytes): void {
      const now = clock.now();
      const storedAt = served.get(update._id);
      const isLast = servedBytes >= update.sizeBytes;
      if (storedAt !== undefined && now - storedAt < progressEveryMs && !isLast) return;
      served.set(update._id, now);
      supervisor.run(updates.noteServed(update._id, servedBytes, now), `progress of firmware update ${update._id}`);
      if (!isLast) return;
      digestTimers.get(update._id)?.cancel();
      const look = (): void => {
        digestTimers.delete(update._id);
        advance(update._id, true);
      };
      digestTimers.set(update._id, clock.after(digestPauseMs, look));
    },
    async close(): Promise<void> {
      stopListening();
      for (const timer of digestTimers.values()) timer.cancel();
      await loop.close();
    },
  };
}

function newUpdate(order: Parameters<UpdateService["start"]>[0], now: number, random: Random): FirmwareUpdate {
  const update: FirmwareUpdate = {
    _id: ulid(now, random),
    endpoint: order.endpoint,
    packageId: order.package._id,
    targetVersion: order.package.version,
    sha256: order.package.sha256,
    sizeBytes: order.package.sizeBytes,
    downloadToken: Buffer.from(random.bytes(downloadTokenBytes)).toString("base64url"),
    packageUri: null,
    state: "pending",
    stateSince: now,
    waitingFor: { code: "turn", text: "Its turn." },
    failure: null,
    detail: null,
    attempt: 0,
    applies: 0,
    idleLooks: 0,
    staleResult: null,
    offerRefusal: null,
    seen: null,
    pending: null,
    servedBytes: 0,
    servedAt: null,
    history: [{ state: "pending", at: now }],
    createdAt: now,
    createdBy: order.actor,
    traceId: order.traceId,
    expiresAt: order.expiresAt ?? now + standardDurationMs,
    finishedAt: null,
    active: true,
    wakeAt: now,
    rev: 1,
    hasOutbox: true,
    outbox: [],
  };
  return { ...update, outbox: [changeEvent(update, now)] };
}

/** The data of a `resource.changed` event: what the device said of /5 by itself; our own reads answer a step already. */
function tellsOfFirmware(data: Json): boolean {
  const { source, values } = data as { readonly source?: string; readonly values?: readonly { readonly path: string }[] };
  return (source === "notify" || source === "send") && (values ?? []).some(({ path }) => path.startsWith("/5/"));
}
