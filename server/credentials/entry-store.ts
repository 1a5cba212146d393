/**
 * What the security store keeps: credentials, trust anchors and server identities, each document with its event in the same write.
 *
 *   present --replace--> present (rev + 1)
 *   present --remove---> removed: a gravestone, from that write on found by nobody; it carries the event to the log and then goes
 */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { EventDraft, EventType, WithOutbox } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { draftEvents, outboxIndex, outboxOf } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Realm } from "../security/device-credentials.ts";
import { type Sealed, sealedByIndex } from "../security/sealed-documents.ts";
import {
  type Collection,
  type CollectionDefinition,
  DuplicateKeyError,
  type Filter,
  type IndexDefinition,
  type Json,
  type StoredDocument,
  type Update,
} from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";

export interface Entry extends StoredDocument, WithOutbox, Sealed {
  readonly realm: Realm;
  /** What nobody else in the realm may have: a PSK identity, a key, a server name. */
  readonly lookup: string;
  readonly removed: boolean;
  /** Grows with each replacement. */
  readonly rev: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** The members an entry has of its own. */
export type Own<T extends Entry> = Omit<T, Exclude<keyof Entry, "realm" | "lookup" | keyof Sealed>>;

/** Without a secret in `data`. */
export interface EntryNews {
  readonly type: EventType;
  readonly subject: string;
  readonly data: { readonly [field: string]: Json };
}

export const entryIndexes: readonly IndexDefinition[] = [
  { name: "lookup", fields: ["realm", "lookup"], unique: true },
  { name: "removed", fields: ["removed"] },
  outboxIndex,
  sealedByIndex,
];

export interface EntryStoreDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
}

export interface PageQuery {
  readonly after: string;
  readonly limit: number;
}

export class EntryStore<T extends Entry> {
  readonly #deps: EntryStoreDeps;
  readonly #definition: CollectionDefinition;
  readonly #entries: Collection<T>;
  readonly #writes: EventWrites<T>;

  constructor(deps: EntryStoreDeps, definition: CollectionDefinition) {
    this.#deps = deps;
    this.#definition = definition;
    this.#entries = deps.store.collection<T>(definition);
    this.#writes = deps.relay.writes(this.#entries);
  }

  /** At start, when the relay has taken over what was left: gravestones whose event is in the log go. */
  async sweep(): Promise<void> {
    await this.#entries.deleteMany({ removed: true, hasOutbox: false });
  }

  find(id: string): Promise<T | undefined> {
    return this.#entries.findOne({ _id: id, removed: false });
  }

  findByLookup(realm: Realm, lookup: string): Promise<T | undefined> {
    return this.#entries.findOne({ realm, lookup, removed: false });
  }

  /** In the order of their making. */
  list(filter: Filter, { after, limit }: PageQuery): Promise<readonly T[]> {
    const behind = after === "" ? {} : { _id: { $gt: after } };
    return this.#entries.find({ ...filter, removed: false, ...behind }, { sort: { _id: 1 }, limit });
  }

  count(filter: Filter, cap: number): Promise<number> {
    return this.#entries.count({ ...filter, removed: false }, cap);
  }

  /** Undefined when another entry of the realm has the same lookup. */
  async insert(id: string, own: Own<T>, news: EntryNews): Promise<T | undefined> {
    const nowMs = this.#deps.clock.now();
    const made = { removed: false, rev: 1, createdAt: nowMs, updatedAt: nowMs, ...outboxOf([]) };
    // Own members and those of every entry make a whole T.
    const entry = { ...own, ...made, _id: id } as unknown as T;
    const outcome = await this.#writes.insertOne(entry, this.#drafts(id, 1, nowMs, news));
    return outcome.ok ? entry : undefined;
  }

  /** "changed" when somebody else replaced or removed it meanwhile. */
  async replace(before: T, own: Own<T>, news: EntryNews): Promise<T | "duplicate" | "changed"> {
    const nowMs = this.#deps.clock.now();
    const rev = before.rev + 1;
    const filter = { _id: before._id, rev: before.rev, removed: false };
    const events = this.#drafts(before._id, rev, nowMs, news);
    try {
      const update: Update = { $set: { ...own, rev, updatedAt: nowMs } };
      return (await this.#writes.findOneAndUpdate({ filter, update, events })) ?? "changed";
    } catch (error) {
      if (error instanceof DuplicateKeyError) return "duplicate";
      throw error;
    }
  }

  /** False when somebody else changed or removed it meanwhile. Its secrets are gone with this write. */
  async remove(before: T, news: EntryNews): Promise<boolean> {
    const nowMs = this.#deps.clock.now();
    const rev = before.rev + 1;
    const gone = { removed: true, lookup: `removed:${before._id}`, secrets: {}, rev, updatedAt: nowMs };
    const filter = { _id: before._id, rev: before.rev, removed: false };
    const events = this.#drafts(before._id, rev, nowMs, news);
    const { matched } = await this.#writes.updateOne({ filter, update: { $set: gone }, events });
    if (matched === 0) return false;
    this.#deps.supervisor.run(this.#bury(before._id), `forget the removed ${before._id}`);
    return true;
  }

  async #bury(id: string): Promise<void> {
    await this.#deps.relay.settled();
    await this.#entries.deleteOne({ _id: id, removed: true, hasOutbox: false });
  }

  #drafts(id: string, rev: number, timeMs: number, news: EntryNews): readonly EventDraft[] {
    return draftEvents(`${this.#definition.name}/${id}`, rev, [{ ...news, timeMs }]);
  }
}
