import type { EventDraft } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { outboxIndex } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Collection, CollectionDefinition, Update } from "../storage/collection.ts";
import { RecentDocuments } from "../storage/recent-documents.ts";
import type { Store, TelemetryPoint } from "../storage/store.ts";
import type { KnownValue, Twin } from "./twin.ts";

export const twinCollection: CollectionDefinition = { name: "twins", indexes: [outboxIndex] };

/** What a change is made from. */
export type ChangedTwin = Pick<Twin, "_id" | "since" | "values" | "rev">;

/** From one state of a twin to the next. */
export interface TwinChange {
  readonly set: ReadonlyMap<string, KnownValue>;
  readonly unset: readonly string[];
  /** Afterwards, all of them. */
  readonly values: Twin["values"];
}

/** What goes with a change. */
export interface TwinNews {
  readonly events: readonly EventDraft[];
  readonly points: readonly TelemetryPoint[];
}

/** Twins whose next change is not preceded by a read: of the devices that report most. */
const rememberedTwins = 4_096;
/** A device with more than this many values is read each time, so that the others have room. */
const mostRememberedValues = 64;

export class TwinStore {
  readonly #twins: Collection<Twin>;
  readonly #writes: EventWrites<Twin>;
  readonly #telemetry: Store["telemetry"];
  readonly #commitsTogether: boolean;
  readonly #recent: RecentDocuments<ChangedTwin>;

  constructor(store: Store, relay: Pick<OutboxRelay, "writes">) {
    this.#twins = store.collection<Twin>(twinCollection);
    this.#writes = relay.writes(this.#twins);
    this.#telemetry = store.telemetry;
    this.#commitsTogether = store.commitsTogether === true;
    this.#recent = new RecentDocuments(store.isShared === true ? 0 : rememberedTwins);
  }

  find(endpoint: string): Promise<Twin | undefined> {
    return this.#twins.findOne({ _id: endpoint });
  }

  /** For `change` alone: as it was after the last change here. */
  findForChange(endpoint: string): Promise<ChangedTwin | undefined> {
    const known = this.#recent.peek(endpoint);
    return known === undefined ? this.find(endpoint) : Promise.resolve(known);
  }

  /** False: the device has one. */
  async insert(twin: ChangedTwin, { events, points }: TwinNews): Promise<boolean> {
    const [outcome] = await Promise.all([this.#writes.insertOne(twin, events), this.append(points)]);
    return outcome.ok;
  }

  /** Values as they came, whatever becomes of the twin. */
  append(points: readonly TelemetryPoint[]): Promise<void> {
    return points.length === 0 ? Promise.resolve() : this.#telemetry.append(points);
  }

  /** False: the twin changed in the meantime. The points are kept with the change, and may be kept without it. */
  async change({ _id, since, rev }: ChangedTwin, { set, unset, values }: TwinChange, { events, points }: TwinNews): Promise<boolean> {
    // A path has no dots, so it is one step of a dotted path.
    const fields = Object.fromEntries([...set].map(([path, value]) => [`values.${path}`, value]));
    const update: Update = {
      ...(set.size === 0 ? {} : { $set: fields }),
      ...(unset.length === 0 ? {} : { $unset: Object.fromEntries(unset.map((path) => [`values.${path}`, true as const])) }),
      $inc: { rev: 1 },
    };
    // Until it is known how it ended, nobody builds on it.
    this.#recent.drop(_id);
    const write = { filter: { _id, rev }, update, events };
    const [outcome] = await (this.#commitsTogether && points.length > 0
      ? Promise.all([this.#writes.updateOne(write, { points })])
      : Promise.all([this.#writes.updateOne(write), this.append(points)]));
    if (outcome.matched === 0) return false;
    if (Object.keys(values).length <= mostRememberedValues) this.#recent.put(_id, { _id, since, values, rev: rev + 1 });
    return true;
  }

  /** Whether a twin of `findForChange` is the stored one, for who changes nothing and so compares no revision. */
  async confirms({ _id, since, rev }: ChangedTwin): Promise<boolean> {
    if (this.#recent.peek(_id) === undefined) return true;
    const stored = await this.find(_id);
    if (stored?.since === since && stored.rev === rev) return true;
    this.#recent.drop(_id);
    return false;
  }

  async remove(endpoint: string): Promise<void> {
    try {
      await this.#twins.deleteOne({ _id: endpoint });
    } finally {
      this.#recent.drop(endpoint);
    }
  }
}
