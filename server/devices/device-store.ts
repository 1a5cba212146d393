import type { EventDraft } from "../events/event.ts";
import { outboxIndex } from "../events/outbox.ts";
import type { Collection, CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { Device } from "./device.ts";

/** `lastSeenAt` is in no index: it moves too often. */
export const deviceCollection: CollectionDefinition = { name: "devices", indexes: [outboxIndex] };

export class DeviceStore {
  readonly #devices: Collection<Device>;

  constructor(store: Store) {
    this.#devices = store.collection<Device>(deviceCollection);
  }

  /** True when this call made the entry. */
  async ensure(endpoint: string, nowMs: number, created: EventDraft): Promise<boolean> {
    const fresh = { createdAt: nowMs, lastSeenAt: nowMs, outbox: [created], hasOutbox: true };
    const outcome = await this.#devices.updateOne({ _id: endpoint }, { $setOnInsert: fresh }, { upsert: true });
    return outcome.upserted;
  }

  find(endpoint: string): Promise<Device | undefined> {
    return this.#devices.findOne({ _id: endpoint });
  }

  list(limit: number, after?: string): Promise<readonly Device[]> {
    return this.#devices.find(after === undefined ? {} : { _id: { $gt: after } }, { sort: { _id: 1 }, limit });
  }

  async noteSeen(endpoint: string, seenAt: number): Promise<void> {
    await this.#devices.updateOne({ _id: endpoint }, { $max: { lastSeenAt: seenAt } });
  }

  async remove(endpoint: string): Promise<boolean> {
    return (await this.#devices.deleteOne({ _id: endpoint })).deleted > 0;
  }
}
