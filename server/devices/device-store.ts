import type { EventDraft } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { outboxIndex } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Collection, CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { Device } from "./device.ts";

/** `lastSeenAt` is in no index: it moves too often. */
export const deviceCollection: CollectionDefinition = {
  name: "devices",
  indexes: [outboxIndex, { name: "quarantine", fields: ["state"], where: { field: "state", equals: "quarantined" } }],
};

export class DeviceStore {
  readonly #devices: Collection<Device>;
  readonly #writes: EventWrites<Device>;

  constructor(store: Store, relay: Pick<OutboxRelay, "writes">) {
    this.#devices = store.collection<Device>(deviceCollection);
    this.#writes = relay.writes(this.#devices);
  }

  /** True when this call made the entry. */
  async ensure(endpoint: string, device: Pick<Device, "createdAt" | "lastSeenAt" | "state">, event: EventDraft): Promise<boolean> {
    return (await this.#writes.insertOne({ _id: endpoint, ...device }, [event])).ok;
  }

  find(endpoint: string): Promise<Device | undefined> {
    return this.#devices.findOne({ _id: endpoint });
  }

  async findAll(endpoints: readonly string[]): Promise<readonly Device[]> {
    return endpoints.length === 0 ? [] : this.#devices.find({ _id: { $in: [...endpoints] } }, { limit: endpoints.length });
  }

  list(limit: number, after?: string, state?: Device["state"]): Promise<readonly Device[]> {
    const filter = { ...(after === undefined ? {} : { _id: { $gt: after } }), ...(state === undefined ? {} : { state }) };
    return this.#devices.find(filter, { sort: { _id: 1 }, limit });
  }

  /** False when it is not in quarantine. */
  async claim(endpoint: string, event: EventDraft): Promise<boolean> {
    const filter = { _id: endpoint, state: "quarantined" };
    return (await this.#writes.updateOne({ filter, update: { $unset: { state: true } }, events: [event] })).matched > 0;
  }

  async noteSeen(endpoint: string, seenAt: number): Promise<void> {
    await this.#devices.updateOne({ _id: endpoint }, { $max: { lastSeenAt: seenAt } });
  }

  async remove(endpoint: string): Promise<boolean> {
    return (await this.#devices.deleteOne({ _id: endpoint })).deleted > 0;
  }
}
