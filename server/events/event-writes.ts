/**
 * Writes of documents together with the events that tell of them: neither is ever there for good without the other.
 *
 * Where the engine commits both at once, the events go into the log beside the document, and its outbox stays empty. Elsewhere they go into the
 * outbox of the document, in the same update, and the relay takes them to the log.
 */
import type { Beside, Collection, Filter, InsertOutcome, Update, UpdateOutcome } from "../storage/collection.ts";
import type { TelemetryPoint } from "../storage/store.ts";
import type { AppendBeside, EventDraft, EventLog, WithOutbox } from "./event.ts";
import { outboxOf, withEvents } from "./outbox.ts";
import type { DocumentWithOutbox, OutboxRelay } from "./outbox-relay.ts";

/** An update of the document that the filter names by its `_id`, and what is to be told of it. */
export interface TellingUpdate {
  readonly filter: Filter & { readonly _id: string };
  readonly update: Update;
  readonly events: readonly EventDraft[];
}

export interface TellingSettings {
  readonly upsert?: boolean;
  /** For the history, exactly if the update applies: only where the store commits together. */
  readonly points?: readonly TelemetryPoint[];
}

export interface EventWrites<T extends DocumentWithOutbox> {
  insertOne(document: Omit<T, keyof WithOutbox>, events: readonly EventDraft[]): Promise<InsertOutcome>;
  updateOne(write: TellingUpdate, settings?: TellingSettings): Promise<UpdateOutcome>;
  /** The document after the update; undefined when nothing matched. */
  findOneAndUpdate(write: TellingUpdate, settings?: Pick<TellingSettings, "upsert">): Promise<T | undefined>;
  /** Unordered; each by itself. How many found their document. */
  updateEach(writes: readonly TellingUpdate[]): Promise<number>;
}

export interface EventWritesDeps {
  readonly log: Pick<EventLog, "appendBeside">;
  readonly relay: Pick<OutboxRelay, "nudge">;
}

export function eventWrites<T extends DocumentWithOutbox>(collection: Collection<T>, { log, relay }: EventWritesDeps): EventWrites<T> {
  const { appendBeside } = log;
  return appendBeside === undefined ? outboxWrites(collection, relay) : togetherWrites(collection, appendBeside);
}

/** What an upsert makes has an outbox like any other document. */
function withEmptyOutbox(update: Update): Update {
  return { ...update, $setOnInsert: { ...update.$setOnInsert, ...outboxOf([]) } };
}

function togetherWrites<T extends DocumentWithOutbox>(collection: Collection<T>, appendBeside: AppendBeside): EventWrites<T> {
  type Write<R> = (beside: Beside | undefined) => Promise<R>;
  const telling = <R>(events: readonly EventDraft[], write: Write<R>, hasApplied: (outcome: R) => boolean): Promise<R> =>
    events.length === 0 ? write(undefined) : appendBeside(events, write, hasApplied);
  const updateOne: EventWrites<T>["updateOne"] = ({ filter, update, events }, { upsert = false, points } = {}) => {
    const whole = upsert ? withEmptyOutbox(update) : update;
    return telling(
      events,
      (beside) => collection.updateOne(filter, whole, { upsert, beside: points === undefined ? beside : { ...beside, points } }),
      ({ matched, upserted }) => matched > 0 || upserted,
    );
  };
  return {
    insertOne(document, events) {
      // The fields of a document are its type's, by what it was made from.
      const whole = { ...document, ...outboxOf([]) } as unknown as T;
      return telling(
        events,
        (beside) => collection.insertOne(whole, { beside }),
        ({ ok }) => ok,
      );
    },
    updateOne,
    findOneAndUpdate({ filter, update, events }, { upsert = false } = {}) {
      return telling(
        events,
        (beside) => collection.findOneAndUpdate(filter, upsert ? withEmptyOutbox(update) : update, { upsert, beside }),
        (changed) => changed !== undefined,
      );
    },
    // Asked for in one turn they share a commit, and each says for itself whether it applied.
    async updateEach(writes) {
      const outcomes = await Promise.all(writes.map((write) => updateOne(write)));
      return outcomes.filter(({ matched }) => matched > 0).length;
    },
  };
}

function outboxWrites<T extends DocumentWithOutbox>(collection: Collection<T>, relay: Pick<OutboxRelay, "nudge">): EventWrites<T> {
  const nudge = (id: string, events: readonly EventDraft[]): void => {
    if (events.length > 0) relay.nudge(collection.name, id, events);
  };
  return {
    async insertOne(document, events) {
      const outcome = await collection.insertOne({ ...document, ...outboxOf(events) } as unknown as T);
      if (outcome.ok) nudge(document._id, events);
      return outcome;
    },
    async updateOne({ filter, update, events }, { points, ...settings } = {}) {
      if (points !== undefined) throw new Error(`${collection.name}: points go beside an update only where both are one commit`);
      const outcome = await collection.updateOne(filter, withEvents(update, events), settings);
      if (outcome.matched > 0 || outcome.upserted) nudge(filter._id, events);
      return outcome;
    },
    async findOneAndUpdate({ filter, update, events }, settings) {
      const changed = await collection.findOneAndUpdate(filter, withEvents(update, events), settings);
      if (changed !== undefined) nudge(filter._id, events);
      return changed;
    },
    async updateEach(writes) {
      const { matched } = await collection.bulkWrite(
        writes.map(({ filter, update, events }) => ({ updateOne: { filter, update: withEvents(update, events) } })),
      );
      // Without the drafts: whether this one applied, its document says.
      for (const { filter, events } of writes) if (events.length > 0) relay.nudge(collection.name, filter._id);
      return matched;
    },
  };
}
