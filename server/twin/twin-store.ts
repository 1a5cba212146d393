import type { EventDraft } from "../events/event.ts";
import { outboxIndex, withEvents } from "../events/outbox.ts";
import type { Collection, CollectionDefinition, Update } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { KnownValue, Twin } from "./twin.ts";

export const twinCollection: CollectionDefinition = { name: "twins", indexes: [outboxIndex] };

export class TwinStore {
  readonly #twins: Collection<Twin>;

  constructor(store: Store) {
    this.#twins = store.collection<Twin>(twinCollection);
  }

  find(endpoint: string): Promise<Twin | undefined> {
    return this.#twins.findOne({ _id: endpoint });
  }

  /** False: the device has one. */
  async insert(twin: Twin): Promise<boolean> {
    return (await this.#twins.insertOne(twin)).ok;
  }

  /** False: the twin changed in the meantime. */
  async change(
    { _id, rev }: Twin,
    set: ReadonlyMap<string, KnownValue>,
    unset: readonly string[],
    events: readonly EventDraft[],
  ): Promise<boolean> {
    // A path has no dots, so it is one step of a dotted path.
    const fields = Object.fromEntries([...set].map(([path, value]) => [`values.${path}`, value]));
    const update: Update = {
      ...(set.size === 0 ? {} : { $set: fields }),
      ...(unset.length === 0 ? {} : { $unset: Object.fromEntries(unset.map((path) => [`values.${path}`, true as const])) }),
      $inc: { rev: 1 },
    };
    const outcome = await this.#twins.updateOne({ _id, rev }, withEvents(update, events));
    return outcome.matched > 0;
  }

  async remove(endpoint: string): Promise<void> {
    await this.#twins.deleteOne({ _id: endpoint });
  }
}
