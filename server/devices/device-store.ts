import type { EventDraft } from "../events/event.ts";
import { outboxIndex, withEvents } from "../events/outbox.ts";
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

  constructor(store: Store) {
    this.#devices = store.collection<Device>(deviceCollection);
  }

  /** True when this call made the entry. */
  async ensure(endpoint: string, device: Pick<Device, "createdAt" | "lastSeenAt" | "state">, event: EventDraft): Promise<boolean> {
    const fresh = { ...device, outbox: [event], hasOutbox: true };
    const outcome = await this.#devices.updateOne({ _id: endpoint }, { $setOnInsert: fresh }, { upsert: true });
    return outcome.upserted;
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
    const update = withEvents({ $unset: { state: true } }, [event]);
    return (await this.#devices.updateOne({ _id: endpoint, state: "quarantined" }, update)).matched > 0;
  }

  async noteSeen(endpoint: string, seenAt: number): Promise<void> {
    await this.#devices.updateOne({ _id: endpoint }, { $max: { lastSeenAt: seenAt } });
  }

  async remove(endpoint: string): Promise<boolean> {
    return (await this.#devices.deleteOne({ _id: endpoint })).deleted > 0;
  }
}
