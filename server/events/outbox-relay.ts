/**
 * Moves events from the outboxes of documents to the log: append to the log, then clear the outbox. A crash between the two
 * repeats the first, and the log knows the keys: so each event is there once. Nudges only save time; at start, and now and then
 * for other processes on the same store, everything left behind is swept up.
 *
 *   idle --nudge--> relaying --done--> idle | relaying (more was nudged)
 *   relaying --store unavailable--> waiting --retry delay--> relaying
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { BulkWrite, Collection, StoredDocument } from "../storage/collection.ts";
import type { EventDraft, EventLog, WithOutbox } from "./event.ts";

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
  /** A document of this collection has something in its outbox. Returns at once. */
  nudge(collection: string, id: string): void;
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

class StoredOutboxRelay implements OutboxRelay {
  readonly #settings: OutboxRelaySettings;
  readonly #collections: ReadonlyMap<string, Outboxes>;
  /** Ids by collection, in the order of their first nudge. */
  readonly #nudged = new Map<string, Set<string>>();
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #sweepTimer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #closed = false;

  constructor(settings: OutboxRelaySettings) {
    this.#settings = settings;
    this.#collections = new Map(settings.collections.map((collection) => [collection.name, collection]));
  }

  nudge(collection: string, id: string): void {
    if (!this.#collections.has(collection)) throw new Error(`the relay was opened without the collection ${collection}`);
    const ids = this.#nudged.get(collection) ?? new Set();
    this.#nudged.set(collection, ids.add(id));
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
        const documents = await work.collection.find({ _id: { $in: work.ids } }, { limit: relayLimits.documentsAtOnce });
        await this.#relay(work.collection, inOrderOf(work.ids, documents));
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

  #take(): { readonly collection: Outboxes; readonly ids: readonly string[] } | undefined {
    for (const [name, nudged] of this.#nudged) {
      const collection = this.#collections.get(name);
      const ids = [...nudged].slice(0, relayLimits.documentsAtOnce);
      if (ids.length === nudged.size) this.#nudged.delete(name);
      else for (const id of ids) nudged.delete(id);
      if (collection !== undefined) return { collection, ids };
    }
    return undefined;
  }

  #putBack(work: { readonly collection: Outboxes; readonly ids: readonly string[] }): void {
    const later = this.#nudged.get(work.collection.name) ?? [];
    this.#nudged.set(work.collection.name, new Set([...work.ids, ...later]));
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

function inOrderOf(ids: readonly string[], documents: readonly DocumentWithOutbox[]): readonly DocumentWithOutbox[] {
  const byId = new Map(documents.map((document) => [document._id, document]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}
