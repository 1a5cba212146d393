import type { EventDraft } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { outboxIndex } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import { sealedByIndex } from "../security/sealed-documents.ts";
import type { Collection, CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { DesiredTwin } from "./desired.ts";

export const desiredCollection: CollectionDefinition = {
  name: "desired",
  indexes: [
    { name: "watched", fields: ["watched"], where: { field: "watched", equals: true } },
    { name: "due", fields: ["wakeAt"], where: { field: "watched", equals: true } },
    { name: "edited", fields: ["edited"], where: { field: "edited", equals: true } },
    sealedByIndex,
    outboxIndex,
  ],
};

/** Fields a change may give; `rev` and the outbox follow by themselves. */
export type DesiredChange = Partial<
  Pick<DesiredTwin, "version" | "policy" | "wishes" | "writes" | "watched" | "edited" | "wakeAt" | "secrets" | "sealedBy">
>;

const pageSize = 500;

export class DesiredStore {
  readonly #desired: Collection<DesiredTwin>;
  readonly #writes: EventWrites<DesiredTwin>;

  constructor(store: Store, relay: Pick<OutboxRelay, "writes">) {
    this.#desired = store.collection<DesiredTwin>(desiredCollection);
    this.#writes = relay.writes(this.#desired);
  }

  find(endpoint: string): Promise<DesiredTwin | undefined> {
    return this.#desired.findOne({ _id: endpoint });
  }

  /** False: the device has one. */
  async insert(desired: Omit<DesiredTwin, "outbox" | "hasOutbox">): Promise<boolean> {
    return (await this.#writes.insertOne(desired, [])).ok;
  }

  /** Compare-and-set on `rev`: undefined when somebody else was faster. */
  change({ _id, since, rev }: DesiredTwin, change: DesiredChange, events: readonly EventDraft[]): Promise<DesiredTwin | undefined> {
    return this.#writes.findOneAndUpdate({ filter: { _id, since, rev }, update: { $set: { ...change }, $inc: { rev: 1 } }, events });
  }

  /** Every device there is something to look after, by endpoint name. */
  async *watched(): AsyncGenerator<DesiredTwin> {
    let after = "";
    for (;;) {
      const page = await this.#desired.find({ watched: true, _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  edited(limit: number): Promise<readonly DesiredTwin[]> {
    return this.#desired.find({ edited: true }, { limit });
  }

  due(nowMs: number, limit: number): Promise<readonly DesiredTwin[]> {
    return this.#desired.find({ watched: true, wakeAt: { $lte: nowMs } }, { sort: { wakeAt: 1 }, limit });
  }

  async nextWakeAt(): Promise<number | undefined> {
    const [next] = await this.#desired.find({ watched: true, wakeAt: { $gt: 0 } }, { sort: { wakeAt: 1 }, limit: 1 });
    return next?.wakeAt ?? undefined;
  }

  async remove(endpoint: string): Promise<void> {
    await this.#desired.deleteOne({ _id: endpoint });
  }
}
