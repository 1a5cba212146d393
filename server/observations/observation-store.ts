import type { EventDraft } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { outboxIndex } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Collection, CollectionDefinition, Update } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { EndReason, Observation, Refusal } from "./observation.ts";

export const observationCollection: CollectionDefinition = {
  name: "observations",
  indexes: [
    { name: "ofDevice", fields: ["endpoint"] },
    { name: "state", fields: ["state"] },
    { name: "standingOnly", fields: ["standingOnly"] },
    outboxIndex,
  ],
};

export type GrantedObservation = Pick<Observation, "_id" | "endpoint" | "path" | "paths" | "attributes" | "inForce" | "relation" | "since">;

/** What is wished at a device, as it is asked for. */
export interface Wish extends Pick<Observation, "_id" | "endpoint" | "path" | "paths" | "attributes"> {
  readonly standingOnly: boolean;
}

const pageSize = 1_000;
const nothingHeld = { relation: null, asking: null, silentSince: null } as const;
const unrefused = { asking: null, refusal: null, failures: 0 } as const;
const blank = {
  inForce: null,
  state: "waiting",
  endReason: null,
  coapCode: null,
  relation: null,
  fault: null,
  refusal: null,
  failures: 0,
} as const;

export class ObservationStore {
  readonly #observations: Collection<Observation>;
  readonly #writes: EventWrites<Observation>;

  constructor(store: Store, relay: Pick<OutboxRelay, "writes">) {
    this.#observations = store.collection<Observation>(observationCollection);
    this.#writes = relay.writes(this.#observations);
  }

  find(id: string): Promise<Observation | undefined> {
    return this.#observations.findOne({ _id: id });
  }

  async *inState(state: Observation["state"]): AsyncGenerator<Observation> {
    let after = "";
    for (;;) {
      const page = await this.#observations.find({ state, _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  ofDevice(endpoint: string): Promise<readonly Observation[]> {
    return this.#observations.find({ endpoint }, { sort: { _id: 1 }, limit: pageSize });
  }

  /** All of one device; of all devices those that an operation asked for. */
  list(query: { readonly endpoint?: string; readonly after?: string; readonly limit: number }): Promise<readonly Observation[]> {
    const filter = {
      ...(query.endpoint === undefined ? { standingOnly: null } : { endpoint: query.endpoint }),
      ...(query.after === undefined ? {} : { _id: { $gt: query.after } }),
    };
    return this.#observations.find(filter, { sort: { _id: 1 }, limit: query.limit });
  }

  /** Active from now on, whatever it was. `own`: an operation of somebody else than the server asked for it. */
  async grant({ _id, ...granted }: GrantedObservation, own: boolean, event: EventDraft): Promise<void> {
    const update: Update = {
      $set: { ...granted, ...unrefused, state: "active", endReason: null, coapCode: null, fault: null, endedAt: null, silentSince: null },
      ...(own ? { $unset: { standingOnly: true } } : {}),
      $inc: { rev: 1 },
    };
    await this.#writes.updateOne({ filter: { _id }, update, events: [event] }, { upsert: true });
  }

  /** About to be asked for: `asking` is there before its operation is. False: it changed in the meantime. */
  async ask(wish: Wish, present: Observation | undefined, asking: NonNullable<Observation["asking"]>): Promise<boolean> {
    const { _id, standingOnly, ...wished } = wish;
    if (present === undefined) {
      const fresh = {
        _id,
        ...wished,
        ...blank,
        since: asking.at,
        asking,
        rev: 1,
        ...(standingOnly ? { standingOnly: true as const } : {}),
      };
      return (await this.#writes.insertOne(fresh, [])).ok;
    }
    const state = present.state === "refused" ? "refused" : "waiting";
    // What is only silent may be heard meanwhile.
    const held = present.silentSince ? {} : { relation: null };
    const update: Update = {
      $set: { state, ...held, asking, endReason: null, endedAt: null, ...(standingOnly ? { standingOnly: true as const } : {}) },
      $inc: { rev: 1 },
    };
    return (await this.#observations.updateOne({ _id, rev: present.rev }, update)).matched > 0;
  }

  /** The request that was recorded came to nothing. False: another has been made, or it was granted after all. */
  async refuse(
    { _id, asking }: Observation,
    outcome: { readonly state: "refused" | "waiting"; readonly refusal: Refusal | null; readonly failures: number },
    events: readonly EventDraft[],
  ): Promise<boolean> {
    const filter = { _id, "asking.operationId": asking?.operationId ?? "", state: { $in: ["waiting", "refused"] } };
    const over = outcome.state === "refused" ? { relation: null, silentSince: null } : {};
    const update: Update = { $set: { ...outcome, ...over, asking: null }, $inc: { rev: 1 } };
    return (await this.#writes.updateOne({ filter, update, events })).matched > 0;
  }

  /** Nobody wishes it any more and nothing is held. False: it changed in the meantime. */
  async remove({ _id, rev }: Observation): Promise<boolean> {
    return (await this.#observations.deleteOne({ _id, rev, hasOutbox: false })).deleted > 0;
  }

  /** The relations of a device are void; the wishes stay. */
  async suspend({ _id, rev }: Observation): Promise<void> {
    await this.#observations.updateOne({ _id, rev }, { $set: { state: "waiting", relation: null, silentSince: null }, $inc: { rev: 1 } });
  }

  /** False: it is not active any more, or by another relation. */
  async noteSilence(id: string, token: string, silentSince: number, event: EventDraft): Promise<boolean> {
    const update: Update = { $set: { state: "waiting", silentSince }, $inc: { rev: 1 } };
    const filter = { _id: id, state: "active", "relation.token": token };
    return (await this.#writes.updateOne({ filter, update, events: [event] })).matched > 0;
  }

  /** False: it is being asked for anew, or has come to something else. */
  async noteHeard(id: string, token: string): Promise<boolean> {
    const filter = { _id: id, state: "waiting", "relation.token": token, silentSince: { $gt: 0 }, asking: null };
    const update: Update = { $set: { state: "active", silentSince: null, ...unrefused }, $inc: { rev: 1 } };
    return (await this.#observations.updateOne(filter, update)).matched > 0;
  }

  /** False: it had ended, or the relation (when one is named) is another by now. */
  async end(
    id: string,
    end: {
      readonly reason: EndReason;
      readonly coapCode: string | null;
      readonly endedAt: number;
      readonly token?: string;
    },
    event: EventDraft,
  ): Promise<boolean> {
    const filter = {
      _id: id,
      state: { $in: ["active", "waiting", "refused"] },
      ...(end.token === undefined ? {} : { "relation.token": end.token }),
    };
    const update: Update = {
      $set: { state: "ended", endReason: end.reason, coapCode: end.coapCode, endedAt: end.endedAt, ...nothingHeld },
      $inc: { rev: 1, ...(end.reason === "device-ended" ? { failures: 1 } : {}) },
    };
    return (await this.#writes.updateOne({ filter, update, events: [event] })).matched > 0;
  }

  /** Of the relation that is held; of another one they are known anyway. */
  async noteAttributes(id: string, token: string, change: Pick<Observation, "attributes" | "inForce">): Promise<void> {
    await this.#observations.updateOne({ _id: id, "relation.token": token }, { $set: { ...change }, $inc: { rev: 1 } });
  }

  async noteFault(id: string, at: number, detail: string): Promise<void> {
    await this.#observations.updateOne({ _id: id }, { $set: { fault: { at, detail } }, $inc: { rev: 1 } });
  }

  async removeOfDevice(endpoint: string): Promise<void> {
    await this.#observations.deleteMany({ endpoint });
  }
}
