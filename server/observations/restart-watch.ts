/**
 * Devices that restart at every Observe are left in peace: each registration shortly after an Observe is a strike, and from the third
 * in a row on a pause follows it, longer each time. A registration that no Observe came before speaks for the device, and so does
 * an Observe that it outlives. Strikes are kept over restarts of the server.
 */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Collection, CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";

export const pauseCollection: CollectionDefinition = { name: "observationPauses", indexes: [] };

export interface Pause extends StoredDocument {
  /** The endpoint name. */
  readonly _id: string;
  readonly strikes: number;
  /** Epoch milliseconds; past, when there is none. */
  readonly until: number;
}

export interface RestartLimits {
  /** A registration so soon after an Observe may come of it: the boot of a slow module and its attachment to the network. */
  readonly windowMs: number;
  /** After the first strike, the second, ...; the last for all further ones. */
  readonly pausesMs: readonly number[];
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Two restarts are chance; a day costs a device that is broken one restart. */
export const restartLimits: RestartLimits = {
  windowMs: 5 * minuteMs,
  pausesMs: [0, 0, minuteMs, 5 * minuteMs, 30 * minuteMs, 2 * hourMs, 6 * hourMs, 24 * hourMs],
};

/** A registration with no Observe before it takes so many strikes back. */
const forgiven = 2;

/** What a registration says. Pure. */
export function strikesAfter(
  strikes: number,
  { sinceObserveMs, knowsAll }: { readonly sinceObserveMs: number | undefined; readonly knowsAll: boolean },
  limits = restartLimits,
): number {
  if (sinceObserveMs === undefined) return knowsAll ? Math.max(0, strikes - forgiven) : strikes;
  return sinceObserveMs <= limits.windowMs ? strikes + 1 : 0;
}

export function pauseMsOf(strikes: number, { pausesMs } = restartLimits): number {
  return strikes === 0 ? 0 : (pausesMs[Math.min(strikes, pausesMs.length) - 1] ?? 0);
}

/** Observes whose devices have not registered since, in memory; the oldest go first. */
const rememberedObserves = 100_000;
const pageSize = 1_000;

export class RestartWatch {
  readonly #clock: Clock;
  readonly #pauses: Collection<Pause>;
  readonly #openedAt: number;
  readonly #observedAt = new Map<string, number>();
  readonly #known = new Map<string, Pause>();
  /** Those of other processes are looked up; before `load`, all are. */
  #isWhole = false;

  constructor(store: Store, clock: Clock) {
    this.#clock = clock;
    this.#pauses = store.collection<Pause>(pauseCollection);
    this.#openedAt = clock.now();
  }

  async load(isShared: boolean): Promise<void> {
    for (let after = ""; ; ) {
      const page = await this.#pauses.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      for (const pause of page) if (!this.#known.has(pause._id)) this.#known.set(pause._id, pause);
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) break;
      after = last._id;
    }
    this.#isWhole = !isShared;
  }

  /** An Observe leaves for the device. */
  noteObserve(endpoint: string): void {
    this.#observedAt.delete(endpoint);
    this.#observedAt.set(endpoint, this.#clock.now());
    const [oldest] = this.#observedAt.keys();
    if (this.#observedAt.size > rememberedObserves && oldest !== undefined) this.#observedAt.delete(oldest);
  }

  /** The device registered anew; `grantedAt`: when it last granted what is void now. Returns the pause when this one brought it. */
  async noteRegistration(endpoint: string, grantedAt: number | undefined): Promise<Pause | undefined> {
    const nowMs = this.#clock.now();
    const observedAt = this.#observedAt.get(endpoint) ?? grantedAt;
    this.#observedAt.delete(endpoint);
    // Early after the start an Observe of the process before may have gone unnoticed.
    const knowsAll = nowMs - this.#openedAt > restartLimits.windowMs;
    const before = await this.find(endpoint);
    if (before === undefined && observedAt === undefined) return undefined;
    const strikes = strikesAfter(before?.strikes ?? 0, {
      sinceObserveMs: observedAt === undefined ? undefined : nowMs - observedAt,
      knowsAll,
    });
    if (strikes === (before?.strikes ?? 0)) return undefined;
    const pauseMs = strikes > (before?.strikes ?? 0) ? pauseMsOf(strikes) : 0;
    const pause = { _id: endpoint, strikes, until: nowMs + pauseMs };
    await this.#keep(pause);
    return pauseMs > 0 ? pause : undefined;
  }

  async find(endpoint: string): Promise<Pause | undefined> {
    const known = this.#known.get(endpoint);
    return known !== undefined || this.#isWhole ? known : this.#pauses.findOne({ _id: endpoint });
  }

  async forget(endpoint: string): Promise<void> {
    this.#observedAt.delete(endpoint);
    await this.#keep({ _id: endpoint, strikes: 0, until: 0 });
  }

  async #keep({ _id, strikes, until }: Pause): Promise<void> {
    if (strikes === 0) {
      this.#known.delete(_id);
      await this.#pauses.deleteOne({ _id });
      return;
    }
    await this.#pauses.updateOne({ _id }, { $set: { strikes, until } }, { upsert: true });
    this.#known.set(_id, { _id, strikes, until });
  }
}
