/**
 * For stores that do not commit a document and its events together. Moves events from the outboxes of documents to the log: append to
 * the log, then clear the outbox. A crash between the two repeats the first, and the log knows the keys: so each event is there once.
 * Nudges only save time; at start, and now and then for other processes on the same store, everything left behind is swept up.
 *
 *   idle --nudge--> relaying --done--> idle | relaying (more was nudged)
 *   relaying --store unavailable--> waiting --retry delay--> relaying
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { BulkWrite, Collection, StoredDocument } from "../storage/collection.ts";
import type { EventDraft, EventLog, WithOutbox } from "./event.ts";
import { type EventWrites, eventWrites } from "./event-writes.ts";

export type DocumentWithOutbox = StoredDocument & WithOutbox;

export interface OutboxRelaySettings {
  readonly log: EventLog;
  /** Collections whose documents have an outbox, each declared with `outboxIndex`. Any document type that has the two fields. */
  readonly collections: readonly Pick<Collection<DocumentWithOutbox>, "name" | "find" | "bulkWrite">[];
  readonly clock: Clock;
  /** The store failed; the relay tries again by itself. */
  readonly onError?: (error: unknown) => void;
}

export interface OutboxRelay {
  /** Writes of one of the relay's collections that tell of themselves: nobody need nudge for them. */
  writes<T extends DocumentWithOutbox>(collection: Collection<T>): EventWrites<T>;
  /**
   * A document of this collection has something in its outbox. Returns at once. With the drafts that were put there since the last nudge the
   * document need not be read; never with drafts that an earlier nudge told of.
   */
  nudge(collection: string, id: string, drafts?: readonly EventDraft[]): void;
  /** Resolves when everything nudged so far is in the log. */
  settled(): Promise<void>;
  /** Relays what was nudged, then stops; what fails now is swept up at the next start. */
  close(): Promise<void>;
}

const relayLimits = {
  /** Documents of one round: their drafts are one append, their outboxes are cleared by one bulk. */
  documentsAtOnce: 500,
  /** Milliseconds between attempts while the store does not answer. */
  retryDelayMs: 1_000,
  /** Milliseconds between looks for what a process that is gone has left: ten minutes. */
  sweepEveryMs: 600_000,
} as const;

/** Resolves after the sweep of what an earlier process left; rejects when the store fails meanwhile. */
export async function openOutboxRelay(settings: OutboxRelaySettings): Promise<OutboxRelay> {
  const relay = new StoredOutboxRelay(settings);
  await relay.sweep();
  relay.sweepLater();
  return relay;
}

type Outboxes = OutboxRelaySettings["collections"][number];

/** The drafts of a document; undefined where the document has to be read for them. */
type Nudged = Map<string, readonly EventDraft[] | undefined>;

interface RelayWork {
  readonly collection: Outboxes;
  readonly nudged: Nudged;
}

class StoredOutboxRelay implements OutboxRelay {
  readonly #settings: OutboxRelaySettings;
  readonly #collections: ReadonlyMap<string, Outboxes>;
  /** By collection and id, in the order of their first nudge. */
  readonly #nudged = new Map<string, Nudged>();
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #sweepTimer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #closed = false;

  constructor(settings: OutboxRelaySettings) {
    this.#settings = settings;
    this.#collections = new Map(settings.collections.map((collection) => [collection.name, collection]));
  }

  writes<T extends DocumentWithOutbox>(collection: Collection<T>): EventWrites<T> {
    return eventWrites(collection, { log: this.#settings.log, relay: this });
  }

  nudge(collection: string, id: string, drafts?: readonly EventDraft[]): void {
    if (!this.#collections.has(collection)) throw new Error(`the relay was opened without the collection ${collection}`);
    const nudged = this.#nudged.get(collection) ?? new Map();
    this.#nudged.set(collection, nudged.set(id, joined(nudged.has(id) ? nudged.get(id) : [], drafts)));
    this.#start();
  }

  async settled(): Promise<void> {
    await this.#sweeping;
    while (this.#running !== undefined) await this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#sweepTimer?.cancel();
    this.#retry?.cancel();
    this.#retry = undefined;
    await this.settled();
  }

  async sweep(): Promise<void> {
    for (const collection of this.#collections.values()) {
      for (;;) {
        const documents = await collection.find({ hasOutbox: true }, { limit: relayLimits.documentsAtOnce });
        if (documents.length === 0) break;
        await this.#relay(collection, documents);
      }
    }
  }

  sweepLater(): void {
    if (this.#closed) return;
    this.#sweepTimer = this.#settings.clock.after(relayLimits.sweepEveryMs, () => {
      this.#sweeping = this.#nudgeAll()
        .catch((error: unknown) => this.#settings.onError?.(error))
        .finally(() => {
          this.#sweeping = undefined;
          this.sweepLater();
        });
    });
  }

  /** Mostly nothing: what this process wrote has been nudged. */
  async #nudgeAll(): Promise<void> {
    for (const [name, collection] of this.#collections) {
      for (const { _id } of await collection.find({ hasOutbox: true }, { limit: relayLimits.documentsAtOnce })) this.nudge(name, _id);
    }
  }

  #start(): void {
    if (this.#running !== undefined || this.#retry !== undefined || this.#closed) return;
    this.#running = this.#run();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    for (let work = this.#take(); work !== undefined; work = this.#take()) {
      try {
        await this.#relay(work.collection, await this.#outboxesOf(work));
      } catch (error) {
        this.#putBack(work);
        this.#settings.onError?.(error);
        this.#retryLater();
        break;
      }
    }
    this.#running = undefined;
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retry = this.#settings.clock.after(relayLimits.retryDelayMs, () => {
      this.#retry = undefined;
      this.#start();
    });
  }

  #take(): RelayWork | undefined {
    for (const [name, nudged] of this.#nudged) {
      const collection = this.#collections.get(name);
      const taken: Nudged = new Map();
      for (const [id, drafts] of nudged) {
        if (taken.size === relayLimits.documentsAtOnce) break;
        taken.set(id, drafts);
        nudged.delete(id);
      }
      if (nudged.size === 0) this.#nudged.delete(name);
      if (collection !== undefined) return { collection, nudged: taken };
    }
    return undefined;
  }

  /** How far the work came nobody knows: the documents do. */
  #putBack({ collection, nudged }: RelayWork): void {
    const unknown = [...nudged.keys(), ...(this.#nudged.get(collection.name)?.keys() ?? [])].map((id) => [id, undefined] as const);
    this.#nudged.set(collection.name, new Map(unknown));
  }

  /** In the order of the nudges; read only where the drafts are not known. */
  async #outboxesOf({ collection, nudged }: RelayWork): Promise<readonly DocumentWithOutbox[]> {
    const unknown = [...nudged].flatMap(([id, drafts]) => (drafts === undefined ? [id] : []));
    const found = unknown.length === 0 ? [] : await collection.find({ _id: { $in: unknown } }, { limit: relayLimits.documentsAtOnce });
    const read = new Map(found.map((document) => [document._id, document]));
    return [...nudged].flatMap(([_id, outbox]) => (outbox === undefined ? (read.get(_id) ?? []) : { _id, outbox, hasOutbox: true }));
  }

  async #relay(collection: Outboxes, documents: readonly DocumentWithOutbox[]): Promise<void> {
    const marked = documents.filter((document) => document.hasOutbox);
    if (marked.length === 0) return;
    await this.#settings.log.append(marked.flatMap((document) => document.outbox));
    const { matched } = await collection.bulkWrite(marked.map((document) => clearing(document._id, document.outbox)));
    if (matched === marked.length) return;
    // Somebody added to an outbox meanwhile, and will nudge for that: what is in the log goes, the rest stays.
    await collection.bulkWrite(
      marked.filter((document) => document.outbox.length > 0).map((document) => pulling(document._id, document.outbox)),
    );
    // Two that pull from one document may leave nothing in it, and then nobody nudges for its mark.
    await collection.bulkWrite(marked.map((document) => clearing(document._id, [])));
  }
}

/** Empties the outbox if nothing was added since it was read: only the relay takes drafts out, and keys never come again. */
function clearing(id: string, outbox: readonly EventDraft[]): BulkWrite<DocumentWithOutbox> {
  const newest = outbox.at(-1);
  const unchanged = newest === undefined ? {} : { [`outbox.${outbox.length - 1}.key`]: newest.key };
  return {
    updateOne: {
      filter: { _id: id, ...unchanged, [`outbox.${outbox.length}`]: { $exists: false } },
      update: { $set: { outbox: [], hasOutbox: false } },
    },
  };
}

function pulling(id: string, outbox: readonly EventDraft[]): BulkWrite<DocumentWithOutbox> {
  const keys = outbox.map((draft) => draft.key);
  return { updateOne: { filter: { _id: id }, update: { $pull: { outbox: { key: { $in: keys } } } } } };
}

/** What two nudges tell together. */
function joined(before: readonly EventDraft[] | undefined, drafts: readonly EventDraft[] | undefined): readonly EventDraft[] | undefined {
  return before === undefined || drafts === undefined ? undefined : [...before, ...drafts];
}
