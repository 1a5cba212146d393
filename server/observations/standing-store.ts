import type { EventDraft } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { outboxIndex } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Collection, CollectionDefinition, Filter, Update } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { observationId } from "./observation.ts";
import {
  type DeviceState,
  deviceStates,
  type StandingDevice,
  type StandingObservation,
  type Standpoint,
  standingDeviceId,
} from "./standing.ts";

export const standingCollection: CollectionDefinition = {
  name: "standingObservations",
  indexes: [{ name: "ofGroup", fields: ["group"] }, { name: "ofDevice", fields: ["endpoint"] }, outboxIndex],
};

export const standingDeviceCollection: CollectionDefinition = {
  name: "standingDevices",
  indexes: [
    { name: "ofStanding", fields: ["standing", "state"] },
    { name: "ofDevice", fields: ["endpoint"] },
    { name: "inState", fields: ["state"] },
  ],
};

export interface StandingQuery {
  readonly endpoint?: string;
  readonly group?: string;
  readonly after?: string;
  readonly limit: number;
}

const pageSize = 1_000;

export class StandingStore {
  readonly #standings: Collection<StandingObservation>;
  readonly #writes: EventWrites<StandingObservation>;
  readonly #devices: Collection<StandingDevice>;

  constructor(store: Store, relay: Pick<OutboxRelay, "writes">) {
    this.#standings = store.collection<StandingObservation>(standingCollection);
    this.#writes = relay.writes(this.#standings);
    this.#devices = store.collection<StandingDevice>(standingDeviceCollection);
  }

  find(id: string): Promise<StandingObservation | undefined> {
    return this.#standings.findOne({ _id: id });
  }

  /** False: there is one with this id. */
  async insert(standing: StandingObservation, event: EventDraft): Promise<boolean> {
    return (await this.#writes.insertOne(standing, [event])).ok;
  }

  list({ endpoint, group, after = "", limit }: StandingQuery): Promise<readonly StandingObservation[]> {
    const filter: Filter = {
      _id: { $gt: after },
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(group === undefined ? {} : { group }),
    };
    return this.#standings.find(filter, { sort: { _id: 1 }, limit });
  }

  /** False: it changed in the meantime. */
  async change(
    { _id, rev }: StandingObservation,
    change: Partial<Pick<StandingObservation, "attributes" | "restore" | "state" | "updatedAt">>,
    event: EventDraft,
  ): Promise<boolean> {
    const update: Update = { $set: change, $inc: { rev: 1 } };
    return (await this.#writes.updateOne({ filter: { _id, rev }, update, events: [event] })).matched > 0;
  }

  /** Once its events are told. */
  async remove(id: string): Promise<boolean> {
    return (await this.#standings.deleteOne({ _id: id, hasOutbox: false })).deleted > 0;
  }

  ofDevice(endpoint: string): Promise<readonly StandingDevice[]> {
    return this.#devices.find({ endpoint }, { sort: { _id: 1 }, limit: pageSize });
  }

  findDevice(standing: string, endpoint: string): Promise<StandingDevice | undefined> {
    return this.#devices.findOne({ _id: standingDeviceId(standing, endpoint) });
  }

  /** By endpoint name. */
  devices(
    standing: string,
    { state, after = "", limit }: { readonly state?: DeviceState; readonly after?: string; readonly limit: number },
  ): Promise<readonly StandingDevice[]> {
    const filter: Filter = { standing, _id: { $gt: standingDeviceId(standing, after) }, ...(state === undefined ? {} : { state }) };
    return this.#devices.find(filter, { sort: { _id: 1 }, limit });
  }

  async *inState(state: DeviceState): AsyncGenerator<StandingDevice> {
    let after = "";
    for (;;) {
      const page = await this.#devices.find({ state, _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  async counts(standing: string): Promise<{ readonly [state in DeviceState]: number }> {
    const counted = deviceStates.map(async (state) => [state, await this.#devices.count({ standing, state })] as const);
    return Object.fromEntries(await Promise.all(counted)) as { [state in DeviceState]: number };
  }

  async hasDevices(standing: string): Promise<boolean> {
    return (await this.#devices.count({ standing }, 1)) > 0;
  }

  /** Of a device that has joined, or is here again before it was gone; what is there already stays, and is no news. */
  async join(wish: StandingObservation, endpoint: string, nowMs: number): Promise<boolean> {
    const standing = wish._id;
    const _id = standingDeviceId(standing, endpoint);
    const observation = observationId(endpoint, wish);
    const present = await this.#devices.findOne({ _id });
    if (present === undefined) {
      return (await this.#devices.insertOne({ _id, ...unsettled, standing, endpoint, observation, since: nowMs, heldIn: null, rev: 1 })).ok;
    }
    if (present.state !== "leaving") return false;
    const back = { ...unsettled, since: nowMs };
    return (await this.#devices.updateOne({ _id, state: "leaving" }, { $set: back, $inc: { rev: 1 } })).matched > 0;
  }

  /** Whatever it has come to meanwhile. */
  async leave({ _id }: StandingDevice, nowMs: number): Promise<void> {
    const change = { state: "leaving", reason: null, coapCode: null, detail: null, retryAt: null, since: nowMs };
    await this.#devices.updateOne({ _id, state: { $ne: "leaving" } }, { $set: change, $inc: { rev: 1 } });
  }

  /** False: it changed in the meantime. */
  async settle({ _id, rev }: StandingDevice, change: Standpoint & Pick<StandingDevice, "since" | "heldIn">): Promise<boolean> {
    return (await this.#devices.updateOne({ _id, rev }, { $set: { ...change }, $inc: { rev: 1 } })).matched > 0;
  }

  async removeDevice({ _id, rev }: StandingDevice): Promise<void> {
    await this.#devices.deleteOne({ _id, rev });
  }

  async forgetDevice(endpoint: string): Promise<void> {
    await this.#devices.deleteMany({ endpoint });
  }
}

const unsettled: Standpoint = { state: "pending", reason: "turn", coapCode: null, detail: null, retryAt: null };
