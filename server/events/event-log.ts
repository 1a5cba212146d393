/** The log of everything that happened: one collection, numbered in order, each event once. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Beside, Collection, CollectionDefinition, Filter } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { AppendBeside, EventDraft, EventFeed, LoggedEvent } from "./event.ts";
import { TellingLine } from "./telling-line.ts";

export const eventsDefinition: CollectionDefinition = {
  name: "events",
  indexes: [
    { name: "source", fields: ["sourceKey"], unique: true },
    { name: "subject", fields: ["subject"] },
  ],
};

export const eventLimits = {
  /** Events kept; the oldest go first. About 400 bytes each. */
  retainedEvents: 1_000_000,
  /** Milliseconds an event is kept: 90 days. */
  retainedMs: 90 * 86_400_000,
  /** Events between two removals of what is too old. */
  removalInterval: 1_000,
  /** Drafts of one append to the store; more are appended in turn. */
  appendedAtOnce: 1_000,
  /** Events of one read. */
  readAtOnce: 1_000,
} as const;

export interface EventLogSettings {
  /** Opened with `eventsDefinition`. */
  readonly store: Store;
  readonly clock: Clock;
  /** Default `eventLimits.retainedEvents`. */
  readonly retainedEvents?: number;
  /** Default `eventLimits.retainedMs`. */
  readonly retainedMs?: number;
  readonly removalInterval?: number;
  /** A listener threw, or old events could not be removed. */
  readonly onError?: (error: unknown) => void;
}

export async function openEventLog(settings: EventLogSettings): Promise<EventFeed> {
  const events = settings.store.collection<LoggedEvent>(eventsDefinition);
  const [newest] = await events.find({}, { sort: { _id: -1 }, limit: 1 });
  return new StoredEventLog(events, settings, newest?._id ?? "");
}

interface WaitingAppend {
  readonly drafts: readonly EventDraft[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class StoredEventLog implements EventFeed {
  readonly appendBeside?: AppendBeside;
  readonly #events: Collection<LoggedEvent>;
  readonly #settings: EventLogSettings;
  readonly #listeners = new Set<(events: readonly LoggedEvent[]) => void>();
  readonly #line = new TellingLine<readonly LoggedEvent[]>((events) => this.#tell(events));
  #waiting: WaitingAppend[] = [];
  #writing = false;
  /** Number given last: not given again, even when its write failed. */
  #number: number;
  #lastId: string;
  #removedAt: number;

  constructor(events: Collection<LoggedEvent>, settings: EventLogSettings, lastId: string) {
    this.#events = events;
    this.#settings = settings;
    this.#lastId = lastId;
    this.#number = Number(lastId === "" ? 0 : lastId);
    this.#removedAt = this.#number;
    // Numbers of two processes would cross.
    if (settings.store.commitsTogether === true && !this.isShared) this.appendBeside = this.#appendBeside.bind(this);
  }

  append(drafts: readonly EventDraft[]): Promise<void> {
    if (drafts.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ drafts, resolve, reject });
      // One write at a time: a reader that has seen number 8 must never find a 7 appear behind it.
      if (!this.#writing) void this.#writeWaiting();
    });
  }

  async read(query: Parameters<EventFeed["read"]>[0]): Promise<readonly LoggedEvent[]> {
    const filter: Filter = {
      _id: { $gt: query.after },
      ...(query.types === undefined ? {} : { type: { $in: query.types } }),
      ...(query.subject === undefined ? {} : { subject: query.subject }),
    };
    return this.#events.find(filter, { limit: Math.max(1, Math.min(query.limit, eventLimits.readAtOnce)) });
  }

  lastId(): string {
    return this.#lastId;
  }

  async kept(): Promise<{ readonly first: string; readonly last: string }> {
    const end = (order: 1 | -1) => this.#events.find({}, { sort: { _id: order }, limit: 1 });
    const [[oldest], [newest]] = await Promise.all([end(1), end(-1)]);
    return { first: oldest?._id ?? "", last: newest?._id ?? "" };
  }

  get isShared(): boolean {
    return this.#settings.store.isShared === true;
  }

  subscribe(listener: (events: readonly LoggedEvent[]) => void): () => void {
    // A wrapper of its own, so that one listener may subscribe twice.
    const entry = (events: readonly LoggedEvent[]): void => listener(events);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** The numbers are given in the turn of the write: the engine takes writes in the order they were asked for. */
  async #appendBeside<R>(
    drafts: readonly EventDraft[],
    write: (beside: Beside) => Promise<R>,
    hasApplied: (outcome: R) => boolean,
  ): Promise<R> {
    const documents = this.#numbered(drafts);
    const leave = this.#line.join();
    let written: readonly LoggedEvent[] = [];
    try {
      const outcome = await write({ inserts: { collection: eventsDefinition.name, documents } });
      if (hasApplied(outcome)) written = documents;
      return outcome;
    } finally {
      leave(written);
      void this.#removeOld();
    }
  }

  /** Never rejects: every failure goes to those who appended, or to `onError`. */
  async #writeWaiting(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const group = takeGroup(this.#waiting);
      this.#waiting = this.#waiting.slice(group.length);
      try {
        await this.#write(group.flatMap((append) => append.drafts));
        for (const append of group) append.resolve();
      } catch (error) {
        for (const append of group) append.reject(error);
      }
      await this.#removeOld();
    }
    this.#writing = false;
  }

  #numbered(drafts: readonly EventDraft[]): readonly LoggedEvent[] {
    return drafts.map(({ key, ...draft }) => ({ _id: idOf(++this.#number), sourceKey: key, ...draft }));
  }

  /** A draft whose key is known changes nothing. */
  async #write(drafts: readonly EventDraft[]): Promise<void> {
    for (let waiting = drafts; waiting.length > 0; ) {
      const refused = await this.#insert(waiting);
      waiting = refused.length === 0 ? [] : await this.#unknown(refused);
    }
  }

  /** Those whose number or key was taken. */
  async #insert(drafts: readonly EventDraft[]): Promise<readonly EventDraft[]> {
    const events = this.#numbered(drafts);
    const leave = this.#line.join();
    let written: readonly LoggedEvent[] = [];
    try {
      const { failed } = await this.#events.bulkWrite(events.map((document) => ({ insertOne: { document } })));
      const positions = new Set(failed.map((failure) => failure.position));
      written = positions.size === 0 ? events : events.filter((_, position) => !positions.has(position));
      return drafts.filter((_, position) => positions.has(position));
    } finally {
      leave(written);
    }
  }

  /**
   * Of drafts that were refused, those that are not in the log: another process on this store has taken their numbers. They get the
   * next ones, behind what was written with them.
   */
  async #unknown(refused: readonly EventDraft[]): Promise<readonly EventDraft[]> {
    const known = await this.#events.find({ sourceKey: { $in: refused.map(({ key }) => key) } }, { limit: refused.length });
    const keys = new Set(known.map(({ sourceKey }) => sourceKey));
    const unknown = refused.filter(({ key }) => !keys.has(key));
    if (unknown.length > 0) {
      const [newest] = await this.#events.find({}, { sort: { _id: -1 }, limit: 1 });
      this.#number = Math.max(this.#number, Number(newest?._id ?? 0));
    }
    return unknown;
  }

  #tell(events: readonly LoggedEvent[]): void {
    if (events.length === 0) return;
    this.#lastId = events.at(-1)?._id ?? this.#lastId;
    for (const listener of [...this.#listeners]) {
      try {
        listener(events);
      } catch (error) {
        this.#settings.onError?.(error);
      }
    }
  }

  /** The newest always stays, because the numbering goes on from it. */
  async #removeOld(): Promise<void> {
    const { removalInterval = eventLimits.removalInterval } = this.#settings;
    if (this.#number - this.#removedAt < removalInterval) return;
    this.#removedAt = this.#number;
    try {
      await this.#removeSurplus();
      await this.#removeAged();
    } catch (error) {
      this.#settings.onError?.(error);
    }
  }

  /** By number, so that it needs no count. */
  async #removeSurplus(): Promise<void> {
    const { retainedEvents = eventLimits.retainedEvents } = this.#settings;
    const upTo = Math.min(this.#number - retainedEvents, Number(this.#lastId) - 1);
    if (upTo > 0) await this.#events.deleteMany({ _id: { $lte: idOf(upTo) } });
  }

  /** Events come about in the order of their time: the first young one ends the search. */
  async #removeAged(): Promise<void> {
    const oldestKeptMs = this.#settings.clock.now() - (this.#settings.retainedMs ?? eventLimits.retainedMs);
    for (;;) {
      const oldest = await this.#events.find({ _id: { $lt: this.#lastId } }, { limit: eventLimits.readAtOnce });
      const young = oldest.findIndex((event) => event.timeMs >= oldestKeptMs);
      const last = oldest.at(young < 0 ? -1 : young - 1);
      if (last === undefined || young === 0) return;
      await this.#events.deleteMany({ _id: { $lte: last._id } });
      if (young > 0) return;
    }
  }
}

const idDigits = 16;

function idOf(number: number): string {
  return String(number).padStart(idDigits, "0");
}

function takeGroup(waiting: readonly WaitingAppend[]): readonly WaitingAppend[] {
  const group: WaitingAppend[] = [];
  let drafts = 0;
  for (const append of waiting) {
    if (group.length > 0 && drafts + append.drafts.length > eventLimits.appendedAtOnce) break;
    group.push(append);
    drafts += append.drafts.length;
  }
  return group;
}
