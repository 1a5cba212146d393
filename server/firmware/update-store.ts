import type { EventDraft } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { outboxIndex } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Collection, CollectionDefinition, Filter, Update } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { FirmwareUpdate, UpdateState } from "./update.ts";

/** History entries kept per update. */
const historyLength = 40;

export const updateCollection: CollectionDefinition = {
  name: "updates",
  indexes: [
    { name: "activeEndpoint", fields: ["endpoint"], unique: true, where: { field: "active", equals: true } },
    { name: "due", fields: ["wakeAt"], where: { field: "active", equals: true } },
    { name: "endpoint", fields: ["endpoint"] },
    { name: "download", fields: ["downloadToken"], unique: true },
    { name: "package", fields: ["packageId"] },
    outboxIndex,
  ],
};

/** Fields a step may change; `rev`, history and outbox follow by themselves. */
export type UpdateChange = Partial<
  Omit<FirmwareUpdate, "_id" | "rev" | "history" | "outbox" | "hasOutbox" | "endpoint" | "packageId" | "downloadToken" | "createdAt">
>;

export class UpdateStore {
  readonly #updates: Collection<FirmwareUpdate>;
  readonly #writes: EventWrites<FirmwareUpdate>;

  constructor(store: Store, relay: Pick<OutboxRelay, "writes">) {
    this.#updates = store.collection<FirmwareUpdate>(updateCollection);
    this.#writes = relay.writes(this.#updates);
  }

  /** False when the device has an active update. */
  async insert(update: FirmwareUpdate): Promise<boolean> {
    const { outbox, hasOutbox: _, ...made } = update;
    return (await this.#writes.insertOne(made, outbox)).ok;
  }

  find(id: string): Promise<FirmwareUpdate | undefined> {
    return this.#updates.findOne({ _id: id });
  }

  findActive(endpoint: string): Promise<FirmwareUpdate | undefined> {
    return this.#updates.findOne({ endpoint, active: true });
  }

  findByToken(downloadToken: string): Promise<FirmwareUpdate | undefined> {
    return this.#updates.findOne({ downloadToken });
  }

  async isPackageInUse(packageId: string): Promise<boolean> {
    return (await this.#updates.findOne({ packageId, active: true })) !== undefined;
  }

  /** Newest first. */
  page(endpoint: string, limit: number): Promise<readonly FirmwareUpdate[]> {
    return this.#updates.find({ endpoint }, { sort: { _id: -1 }, limit });
  }

  /** Only those that are this owner's or nobody's, where one is named. */
  due(nowMs: number, limit: number, owner?: string): Promise<readonly FirmwareUpdate[]> {
    return this.#updates.find({ active: true, wakeAt: { $lte: nowMs }, ...drivenBy(owner) }, { sort: { wakeAt: 1 }, limit });
  }

  async nextWakeAt(owner?: string): Promise<number | undefined> {
    const [next] = await this.#updates.find({ active: true, wakeAt: { $gte: 0 }, ...drivenBy(owner) }, { sort: { wakeAt: 1 }, limit: 1 });
    return next?.wakeAt;
  }

  /** Every active update, the next due first; `after` is the last of the page before. */
  active(limit: number, after: FirmwareUpdate | undefined): Promise<readonly FirmwareUpdate[]> {
    const from = after === undefined ? {} : { after: { value: after.wakeAt, id: after._id } };
    return this.#updates.find({ active: true, wakeAt: { $gte: 0 } }, { sort: { wakeAt: 1 }, limit, ...from });
  }

  /** Compare-and-set on `rev`: undefined when somebody else was faster. A change of state is told as an event in the same write. */
  change(before: FirmwareUpdate, change: UpdateChange, nowMs: number, via?: UpdateState): Promise<FirmwareUpdate | undefined> {
    const isNewState = change.state !== undefined && change.state !== before.state;
    const update: Update = {
      $set: { ...change, ...(isNewState ? { stateSince: nowMs } : {}) },
      $inc: { rev: 1 },
      ...(isNewState ? { $push: { history: historyEntries(change, nowMs, via) } } : {}),
    };
    const events = isNewState ? [changeEvent({ ...before, ...change, rev: before.rev + 1 }, nowMs)] : [];
    return this.#writes.findOneAndUpdate({ filter: { _id: before._id, rev: before.rev }, update, events });
  }

  /** Progress of the block server: beside the state, so it takes no part in compare-and-set. False: the update is over. */
  async noteServed(id: string, servedBytes: number, servedAt: number): Promise<boolean> {
    return (await this.#updates.updateOne({ _id: id, active: true }, { $max: { servedBytes, servedAt } })).matched > 0;
  }
}

function drivenBy(owner: string | undefined): Filter {
  return owner === undefined ? {} : { $or: [{ "claim.owner": owner }, { "claim.owner": { $exists: false } }] };
}

function historyEntries(change: UpdateChange, nowMs: number, via?: UpdateState) {
  const entry = { state: change.state, at: nowMs, ...(typeof change.detail === "string" ? { detail: change.detail } : {}) };
  return { $each: via === undefined ? [entry] : [{ state: via, at: nowMs }, entry], $slice: -historyLength };
}

export function changeEvent(update: FirmwareUpdate, nowMs: number): EventDraft {
  return {
    key: `update.${update._id}.${update.rev}`,
    type: "update.changed",
    subject: update.endpoint,
    timeMs: nowMs,
    data: {
      id: update._id,
      state: update.state,
      packageId: update.packageId,
      targetVersion: update.targetVersion,
      failure: update.failure,
      detail: update.detail,
    },
  };
}
