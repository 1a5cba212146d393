import type { EventDraft } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { outboxIndex, outboxOf } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import { sealedByIndex } from "../security/sealed-documents.ts";
import type { Collection, CollectionDefinition, Filter, Update } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { withinHorizon } from "./horizon.ts";
import type { Operation } from "./operation.ts";
import type { OperationStep } from "./operation-machine.ts";
import type { OperationSecrets, StoredOperation } from "./operation-secrets.ts";

export const operationCollection: CollectionDefinition = {
  name: "operations",
  indexes: [
    { name: "open", fields: ["open"] },
    { name: "openOfDevice", fields: ["endpoint"], where: { field: "open", equals: true } },
    { name: "openByExpiry", fields: ["expiresAt"], where: { field: "open", equals: true } },
    { name: "ofDevice", fields: ["endpoint"] },
    { name: "finished", fields: ["finishedAt"], where: { field: "open", equals: false } },
    // Few have secrets.
    { ...sealedByIndex, where: { field: "hasSecrets", equals: true } },
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
/** What one plan of a wake-up looks at: a device with more waits for several wake-ups. */
export const wakeUpHorizon = { oldest: pageSize, urgent: 250 } as const;
/** Urgent operations are looked for among so many of the oldest. */
export const wakeUpReach = 5_000;

export class OperationStore {
  readonly #operations: Collection<StoredOperation>;
  readonly #writes: EventWrites<StoredOperation>;
  readonly #secrets: OperationSecrets;

  constructor(store: Store, relay: Pick<OutboxRelay, "writes">, secrets: OperationSecrets) {
    this.#operations = store.collection<StoredOperation>(operationCollection);
    this.#writes = relay.writes(this.#operations);
    this.#secrets = secrets;
  }

  async find(id: string): Promise<Operation | undefined> {
    const found = await this.#operations.findOne({ _id: id });
    return found && this.#secrets.opened(found);
  }

  async #find(...asked: Parameters<Collection<StoredOperation>["find"]>): Promise<readonly Operation[]> {
    return (await this.#operations.find(...asked)).map((found) => this.#secrets.opened(found));
  }

  /** False: an operation with this id exists. */
  async insert(operation: Omit<Operation, "outbox" | "hasOutbox">, events: readonly EventDraft[]): Promise<boolean> {
    const outcome = await this.#writes.insertOne(this.#secrets.sealed({ ...operation, ...outboxOf([]) }), events);
    return outcome.ok;
  }

  /** The operation after the step; undefined when it changed in the meantime, were it that its claim is another's now. */
  async apply({ _id, rev }: Operation, { change, events }: OperationStep): Promise<Operation | undefined> {
    const update: Update = { $set: { ...change }, $inc: { rev: 1 } };
    const changed = await this.#writes.findOneAndUpdate({ filter: { _id, rev }, update, events });
    return changed && this.#secrets.opened(changed);
  }

  /** Each by itself, in one write together; those whose step applied, as they are after it, in their order. */
  async applyAll(steps: readonly (readonly [Operation, OperationStep])[]): Promise<readonly Operation[]> {
    const [only] = steps;
    if (only === undefined) return [];
    if (steps.length === 1) {
      const changed = await this.apply(...only);
      return changed === undefined ? [] : [changed];
    }
    const matched = await this.#writes.updateEach(
      steps.map(([{ _id, rev }, { change, events }]) => ({
        filter: { _id, rev },
        update: { $set: { ...change }, $inc: { rev: 1 } },
        events,
      })),
    );
    const after = steps.map(([operation, { change }]) => ({ ...operation, ...change, rev: operation.rev + 1 }));
    return matched === steps.length ? after : this.#present(after);
  }

  /** Those that are in the store as they stand here: revision, and whose they are. */
  async #present(operations: readonly Operation[]): Promise<readonly Operation[]> {
    const stored = await this.#operations.find({ _id: { $in: operations.map(({ _id }) => _id) } }, { limit: operations.length });
    return operations.filter((operation) => {
      const found = stored.find(({ _id }) => _id === operation._id);
      if (found === undefined) return false;
      const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
      return found.rev === operation.rev && found.status === operation.status && isSame(found.claim, operation.claim);
    });
  }

  countOpen(endpoint: string, cap: number): Promise<number> {
    return this.#operations.count({ endpoint, open: true }, cap);
  }

  /** What may be sent now, oldest first, as far as one plan looks. */
  async queuedOf(endpoint: string, nowMs: number): Promise<readonly Operation[]> {
    const due = { $or: [{ notBefore: { $exists: false } }, { notBefore: { $lte: nowMs } }] };
    return withinHorizon(await this.#oldest({ endpoint, open: true, status: "queued", ...due }), wakeUpHorizon);
  }

  /** As far as a plan reaches. */
  async #oldest(filter: Filter): Promise<readonly Operation[]> {
    const found: Operation[] = [];
    for (let after = ""; found.length < wakeUpReach; ) {
      const page = await this.#find({ ...filter, _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      found.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) break;
      after = last._id;
    }
    return found;
  }

  /** When the next operation that may not be sent yet may be. */
  async nextNotBefore(endpoint: string, nowMs: number): Promise<number | undefined> {
    const waiting = await this.#oldest({ endpoint, open: true, status: "queued", notBefore: { $gt: nowMs } });
    return waiting.length === 0
      ? undefined
      : waiting.reduce((least, { notBefore = nowMs }) => Math.min(least, notBefore), Number.POSITIVE_INFINITY);
  }

  /** What is not final of a device, oldest first. */
  openOf(endpoint: string, limit: number): Promise<readonly Operation[]> {
    return this.#find({ endpoint, open: true }, { sort: { _id: 1 }, limit });
  }

  /** Of a device, what is about to be sent or in the air. */
  inFlightOf(endpoint: string): Promise<readonly Operation[]> {
    return this.#find({ endpoint, open: true, status: { $in: ["leased", "sent"] } }, { sort: { _id: 1 } });
  }

  superseded(endpoint: string, supersedeKey: string, exceptId: string): Promise<readonly Operation[]> {
    return this.#find({ endpoint, open: true, supersedeKey, status: "queued", _id: { $ne: exceptId } }, { limit: pageSize });
  }

  /** Newest first. */
  list({ endpoint, open, limit, after }: OperationListQuery): Promise<readonly Operation[]> {
    const filter = {
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(open === undefined ? {} : { open }),
      ...(after === undefined ? {} : { _id: { $lt: after } }),
    };
    return this.#find(filter, { sort: { _id: -1 }, limit });
  }

  /** Every operation that is not final, oldest first. */
  async *open(): AsyncGenerator<Operation> {
    let after = "";
    for (;;) {
      const page = await this.#find({ open: true, _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  findExpired(nowMs: number, limit: number): Promise<readonly Operation[]> {
    return this.#find({ open: true, status: "queued", expiresAt: { $lte: nowMs } }, { sort: { expiresAt: 1 }, limit });
  }

  async nextExpiry(nowMs: number): Promise<number | undefined> {
    const [first] = await this.#operations.find({ open: true, expiresAt: { $gt: nowMs } }, { sort: { expiresAt: 1 }, limit: 1 });
    return first?.expiresAt;
  }

  async removeFinishedBefore(atMs: number): Promise<void> {
    await this.#operations.deleteMany({ open: false, hasOutbox: false, finishedAt: { $lte: atMs } });
  }
}
