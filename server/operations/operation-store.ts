import type { EventDraft } from "../events/event.ts";
import { outboxIndex, outboxOf, withEvents } from "../events/outbox.ts";
import type { Collection, CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { Operation } from "./operation.ts";
import type { OperationStep } from "./operation-machine.ts";

export const operationCollection: CollectionDefinition = {
  name: "operations",
  indexes: [
    { name: "open", fields: ["open"] },
    { name: "openOfDevice", fields: ["endpoint"], where: { field: "open", equals: true } },
    { name: "openByExpiry", fields: ["expiresAt"], where: { field: "open", equals: true } },
    { name: "ofDevice", fields: ["endpoint"] },
    { name: "finished", fields: ["finishedAt"], where: { field: "open", equals: false } },
    outboxIndex,
  ],
};

export interface OperationListQuery {
  readonly endpoint?: string;
  readonly open?: boolean;
  readonly limit: number;
  readonly after?: string;
}

const pageSize = 1_000;

export class OperationStore {
  readonly #operations: Collection<Operation>;

  constructor(store: Store) {
    this.#operations = store.collection<Operation>(operationCollection);
  }

  find(id: string): Promise<Operation | undefined> {
    return this.#operations.findOne({ _id: id });
  }

  /** False: an operation with this id exists. */
  async insert(operation: Omit<Operation, "outbox" | "hasOutbox">, events: readonly EventDraft[]): Promise<boolean> {
    const outcome = await this.#operations.insertOne({ ...operation, ...outboxOf(events) });
    return outcome.ok;
  }

  /** The operation after the step; undefined when it changed in the meantime, were it that its claim is another's now. */
  async apply({ _id, rev }: Operation, { change, events }: OperationStep): Promise<Operation | undefined> {
    return this.#operations.findOneAndUpdate({ _id, rev }, withEvents({ $set: { ...change }, $inc: { rev: 1 } }, events));
  }

  countOpen(endpoint: string, cap: number): Promise<number> {
    return this.#operations.count({ endpoint, open: true }, cap);
  }

  /** The oldest that may be sent now. */
  async nextQueued(endpoint: string, nowMs: number): Promise<Operation | undefined> {
    const due = { $or: [{ notBefore: { $exists: false } }, { notBefore: { $lte: nowMs } }] };
    const [first] = await this.#operations.find({ endpoint, open: true, status: "queued", ...due }, { sort: { _id: 1 }, limit: 1 });
    return first;
  }

  /** When the next operation that may not be sent yet may be. */
  async nextNotBefore(endpoint: string, nowMs: number): Promise<number | undefined> {
    const waiting = await this.#operations.find({ endpoint, open: true, status: "queued", notBefore: { $gt: nowMs } }, { limit: pageSize });
    return waiting.length === 0 ? undefined : Math.min(...waiting.map(({ notBefore }) => notBefore ?? nowMs));
  }

  /** What waits for a device, in the order in which it will be sent. */
  openOf(endpoint: string, limit: number): Promise<readonly Operation[]> {
    return this.#operations.find({ endpoint, open: true }, { sort: { _id: 1 }, limit });
  }

  /** Of a device, what is about to be sent or in the air. */
  inFlightOf(endpoint: string): Promise<readonly Operation[]> {
    return this.#operations.find({ endpoint, open: true, status: { $in: ["leased", "sent"] } }, { sort: { _id: 1 } });
  }

  superseded(endpoint: string, supersedeKey: string, exceptId: string): Promise<readonly Operation[]> {
    return this.#operations.find({ endpoint, open: true, supersedeKey, status: "queued", _id: { $ne: exceptId } }, { limit: pageSize });
  }

  /** Newest first. */
  list({ endpoint, open, limit, after }: OperationListQuery): Promise<readonly Operation[]> {
    const filter = {
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(open === undefined ? {} : { open }),
      ...(after === undefined ? {} : { _id: { $lt: after } }),
    };
    return this.#operations.find(filter, { sort: { _id: -1 }, limit });
  }

  /** Every operation that is not final, oldest first. */
  async *open(): AsyncGenerator<Operation> {
    let after = "";
    for (;;) {
      const page = await this.#operations.find({ open: true, _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  findExpired(nowMs: number, limit: number): Promise<readonly Operation[]> {
    return this.#operations.find({ open: true, status: "queued", expiresAt: { $lte: nowMs } }, { sort: { expiresAt: 1 }, limit });
  }

  async nextExpiry(nowMs: number): Promise<number | undefined> {
    const [first] = await this.#operations.find({ open: true, expiresAt: { $gt: nowMs } }, { sort: { expiresAt: 1 }, limit: 1 });
    return first?.expiresAt;
  }

  async removeFinishedBefore(atMs: number): Promise<void> {
    await this.#operations.deleteMany({ open: false, hasOutbox: false, finishedAt: { $lte: atMs } });
  }
}
