/**
 * How hard the store is pressed, by what waits for a commit and how long commits take. The same for every engine: it is measured on
 * the calls, not inside.
 *
 *   normal --much waits, or commits are slow--> slow --much more waits, or nothing is answered--> refusing
 *
 * and back as soon as it is not so any more. The doors put off work by it, so that what was taken on is done in time.
 */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Collection, CollectionDefinition, InsertSettings, StoredDocument } from "./collection.ts";
import type { Store, TelemetryStore } from "./store.ts";

export type PressureLevel = "normal" | "slow" | "refusing";

export interface Pressure {
  readonly level: PressureLevel;
  /** Documents and points whose commit is awaited. */
  readonly waiting: number;
  /** Of the commits of the last ten seconds; 0 when there were too few to tell. */
  readonly commitP95Ms: number;
  /** How long the longest waiting write has waited. */
  readonly oldestMs: number;
  /** How often each level was reached since the start. */
  readonly reached: { readonly slow: number; readonly refusing: number };
}

export interface PressureLimits {
  readonly slowWaiting: number;
  readonly refusingWaiting: number;
  readonly slowCommitMs: number;
  readonly slowOldestMs: number;
  readonly refusingOldestMs: number;
}

export const pressureLimits: PressureLimits = {
  /** Twenty batches of the telemetry path: a second's work of a small machine. */
  slowWaiting: 20_000,
  /** Some 64 MB. */
  refusingWaiting: 100_000,
  /** ACK_TIMEOUT (RFC 7252 §4.8): a device whose answer takes longer sends again, and makes it worse. */
  slowCommitMs: 2_000,
  /** One write that hangs tells before it has ended. */
  slowOldestMs: 5_000,
  /** Longer than an election, shorter than any device waits for an answer. */
  refusingOldestMs: 10_000,
};

/** Commits remembered, for how long, and how many say something. */
const window = { commits: 512, ms: 10_000, fewest: 20 } as const;
/** Milliseconds a judgement stands: it is asked for with each request. */
const judgedEveryMs = 100;

export interface PressedStore {
  readonly store: Store;
  readonly pressure: () => Pressure;
}

/** The same store, watched. */
export function watchPressure(store: Store, clock: Clock, limits: PressureLimits = pressureLimits): PressedStore {
  const gauge = new Gauge(clock, limits);
  const collections = new Map<string, Collection<StoredDocument>>();
  const collection = <T extends StoredDocument>(definition: CollectionDefinition): Collection<T> => {
    const watched = collections.get(definition.name) ?? watchCollection(store.collection(definition), gauge);
    collections.set(definition.name, watched);
    // A collection's documents are of one type, by the feature that declares it.
    return watched as unknown as Collection<T>;
  };
  const append: TelemetryStore["append"] = (points) => gauge.time(points.length, () => store.telemetry.append(points));
  const telemetry = inPlaceOf(store.telemetry, { append });
  return { store: inPlaceOf(store, { collection, telemetry }), pressure: () => gauge.judge() };
}

function watchCollection(target: Collection<StoredDocument>, gauge: Gauge): Collection<StoredDocument> {
  return inPlaceOf(target, {
    insertOne: (...args: Parameters<typeof target.insertOne>) => gauge.time(weightOf(args[1]), () => target.insertOne(...args)),
    updateOne: (...args: Parameters<typeof target.updateOne>) => gauge.time(weightOf(args[2]), () => target.updateOne(...args)),
    findOneAndUpdate: (...args: Parameters<typeof target.findOneAndUpdate>) =>
      gauge.time(weightOf(args[2]), () => target.findOneAndUpdate(...args)),
    bulkWrite: (writes: Parameters<typeof target.bulkWrite>[0]) => gauge.time(writes.length, () => target.bulkWrite(writes)),
    deleteOne: (filter: Parameters<typeof target.deleteOne>[0]) => gauge.time(1, () => target.deleteOne(filter)),
  });
}

/** A document, and what goes beside it. */
function weightOf({ beside }: InsertSettings = {}): number {
  return 1 + (beside?.inserts?.documents.length ?? 0) + (beside?.points?.length ?? 0);
}

/** Everything of `target` but some members. Its methods may have private fields of theirs, so they are called on it. */
function inPlaceOf<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

class Gauge {
  readonly #clock: Clock;
  readonly #limits: PressureLimits;
  /** When each write under way began, oldest first. */
  readonly #underWay = new Map<number, number>();
  readonly #commits: { readonly at: number; readonly tookMs: number }[] = [];
  readonly #reached = { slow: 0, refusing: 0 };
  #next = 0;
  #place = 0;
  #waiting = 0;
  #judged: { readonly at: number; readonly pressure: Pressure } | undefined;

  constructor(clock: Clock, limits: PressureLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  async time<T>(weight: number, write: () => Promise<T>): Promise<T> {
    const id = this.#next++;
    const startedAt = this.#clock.now();
    this.#underWay.set(id, startedAt);
    this.#waiting += weight;
    try {
      const outcome = await write();
      // One that was refused says nothing of how long commits take: its caller is told as it is.
      this.#note(startedAt);
      return outcome;
    } finally {
      this.#underWay.delete(id);
      this.#waiting -= weight;
    }
  }

  judge(): Pressure {
    const nowMs = this.#clock.now();
    if (this.#judged !== undefined && nowMs - this.#judged.at < judgedEveryMs && nowMs >= this.#judged.at) return this.#judged.pressure;
    const [oldest = nowMs] = this.#underWay.values();
    const facts = { waiting: this.#waiting, commitP95Ms: this.#commitP95(nowMs), oldestMs: nowMs - oldest };
    const level = levelOf(facts, this.#limits);
    if (level !== "normal" && level !== this.#judged?.pressure.level) this.#reached[level] += 1;
    const pressure = { level, ...facts, reached: { ...this.#reached } };
    this.#judged = { at: nowMs, pressure };
    return pressure;
  }

  #note(startedAt: number): void {
    const at = this.#clock.now();
    this.#commits[this.#place] = { at, tookMs: at - startedAt };
    this.#place = (this.#place + 1) % window.commits;
  }

  #commitP95(nowMs: number): number {
    const recent = this.#commits.filter(({ at }) => nowMs - at < window.ms).map(({ tookMs }) => tookMs);
    if (recent.length < window.fewest) return 0;
    return recent.sort((a, b) => a - b)[Math.floor(recent.length * 0.95)] ?? 0;
  }
}

function levelOf(facts: Pick<Pressure, "waiting" | "commitP95Ms" | "oldestMs">, limits: PressureLimits): PressureLevel {
  if (facts.waiting >= limits.refusingWaiting || facts.oldestMs >= limits.refusingOldestMs) return "refusing";
  const isLate = facts.commitP95Ms >= limits.slowCommitMs || facts.oldestMs >= limits.slowOldestMs;
  if (isLate || facts.waiting >= limits.slowWaiting) return "slow";
  return "normal";
}
