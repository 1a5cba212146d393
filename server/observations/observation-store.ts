import type { EventDraft } from "../events/event.ts";
import { outboxIndex, withEvents } from "../events/outbox.ts";
import type { Collection, CollectionDefinition, Update } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { Observation } from "./observation.ts";

export const observationCollection: CollectionDefinition = {
  name: "observations",
  indexes: [{ name: "ofDevice", fields: ["endpoint"] }, { name: "state", fields: ["state"] }, outboxIndex],
};

export type GrantedObservation = Pick<Observation, "_id" | "endpoint" | "path" | "paths" | "attributes" | "relation" | "since">;

const pageSize = 1_000;

export class ObservationStore {
  readonly #observations: Collection<Observation>;

  constructor(store: Store) {
    this.#observations = store.collection<Observation>(observationCollection);
  }

  find(id: string): Promise<Observation | undefined> {
    return this.#observations.findOne({ _id: id });
  }

  async *active(): AsyncGenerator<Observation> {
    let after = "";
    for (;;) {
      const page = await this.#observations.find({ state: "active", _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  ofDevice(endpoint: string): Promise<readonly Observation[]> {
    return this.#observations.find({ endpoint }, { sort: { _id: 1 }, limit: pageSize });
  }

  list(query: { readonly endpoint?: string; readonly after?: string; readonly limit: number }): Promise<readonly Observation[]> {
    const filter = {
      ...(query.endpoint === undefined ? {} : { endpoint: query.endpoint }),
      ...(query.after === undefined ? {} : { _id: { $gt: query.after } }),
    };
    return this.#observations.find(filter, { sort: { _id: 1 }, limit: query.limit });
  }

  /** Active from now on, whatever it was. */
  async grant({ _id, ...granted }: GrantedObservation, event: EventDraft): Promise<void> {
    const update: Update = {
      $set: { ...granted, state: "active", endReason: null, coapCode: null, fault: null },
      $inc: { rev: 1 },
    };
    await this.#observations.updateOne({ _id }, withEvents(update, [event]), { upsert: true });
  }

  /** The relations of a device are void; the wishes stay. */
  async suspend({ _id, rev }: Observation): Promise<void> {
    await this.#observations.updateOne({ _id, rev }, { $set: { state: "waiting", relation: null }, $inc: { rev: 1 } });
  }

  /** False: it had ended, or the relation (when one is named) is another by now. */
  async end(
    id: string,
    end: { readonly reason: "cancelled" | "device-ended"; readonly coapCode: string | null; readonly token?: string },
    event: EventDraft,
  ): Promise<boolean> {
    const filter = { _id: id, state: { $in: ["active", "waiting"] }, ...(end.token === undefined ? {} : { "relation.token": end.token }) };
    const update: Update = {
      $set: { state: "ended", endReason: end.reason, coapCode: end.coapCode, relation: null },
      $inc: { rev: 1 },
    };
    const outcome = await this.#observations.updateOne(filter, withEvents(update, [event]));
    return outcome.matched > 0;
  }

  async noteFault(id: string, at: number, detail: string): Promise<void> {
    await this.#observations.updateOne({ _id: id }, { $set: { fault: { at, detail } }, $inc: { rev: 1 } });
  }

  async removeOfDevice(endpoint: string): Promise<void> {
    await this.#observations.deleteMany({ endpoint });
  }
}
