/** Keeps what devices report: history, last known values and events, all durable before the device hears that it was taken. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { findPath } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { EventDraft } from "../events/event.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { News } from "../operations/news.ts";
import { type DeviceModel, deviceModel } from "../registration/device-model.ts";
import { isSecretPath, newestModels } from "../registration/secret-paths.ts";
import type { DownsampleQuery, Store, TelemetryPoint, TelemetryStep } from "../storage/store.ts";
import { ArrivalTimes } from "./arrival-times.ts";
import { difference, type KnownValue, pointsOf, type Twin } from "./twin.ts";
import { TwinStore } from "./twin-store.ts";

export interface TwinServiceDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
}

export function openTwinService(deps: TwinServiceDeps): TwinService {
  return new TwinService(deps);
}

/** News of one device that waits for the write under way: it goes into the next one together. */
interface Waiting {
  readonly news: News;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** After it became durable: what is known now, and what is not known any more. */
export type LearnedListener = (endpoint: string, set: ReadonlyMap<string, KnownValue>, unset: readonly string[]) => void;

interface Learned {
  readonly set: ReadonlyMap<string, KnownValue>;
  readonly unset: readonly string[];
}

const nothing: Learned = { set: new Map(), unset: [] };

/** Races of one twin with itself; only another process can cause one. */
const casAttempts = 5;

export class TwinService {
  readonly #deps: TwinServiceDeps;
  readonly #store: TwinStore;
  readonly #lanes = new Map<string, Waiting[]>();
  readonly #arrivals = new ArrivalTimes();
  readonly #listeners: LearnedListener[] = [];
  readonly #models: Pick<DeviceModel, "definitionOf">;

  constructor(deps: TwinServiceDeps) {
    this.#deps = deps;
    this.#store = new TwinStore(deps.store, deps.relay);
    this.#models = newestModels(deps.registry);
  }

  /** Durable when it resolves: history, last values and the event `resource.changed`. */
  learn(endpoint: string, news: News): Promise<void> {
    const arrived = { ...news, receivedAt: this.#arrivals.next(endpoint, news.receivedAt) };
    const kept = withoutSecrets(arrived, this.#models);
    return new Promise((resolve, reject) => {
      const lane = this.#lanes.get(endpoint);
      if (lane !== undefined) {
        lane.push({ news: kept, resolve, reject });
        return;
      }
      const opened: Waiting[] = [{ news: kept, resolve, reject }];
      this.#lanes.set(endpoint, opened);
      void this.#drain(endpoint, opened);
    });
  }

  async find(endpoint: string): Promise<Twin | undefined> {
    return this.#store.find(endpoint);
  }

  onLearned(listener: LearnedListener): void {
    this.#listeners.push(listener);
  }

  history(query: {
    readonly endpoint: string;
    readonly path: string;
    readonly fromMs: number;
    readonly toMs: number;
    readonly limit: number;
  }): Promise<readonly TelemetryPoint[]> {
    return this.#deps.store.telemetry.range(query);
  }

  downsampled(query: DownsampleQuery): Promise<readonly TelemetryStep[]> {
    return this.#deps.store.telemetry.downsample(query);
  }

  /** The device was deleted; its history stays. */
  forget(endpoint: string): Promise<void> {
    return this.#store.remove(endpoint);
  }

  async #drain(endpoint: string, lane: Waiting[]): Promise<void> {
    while (lane.length > 0) {
      const batch = lane.splice(0);
      try {
        const { set, unset } = await this.#keep(
          endpoint,
          batch.map(({ news }) => news),
        );
        for (const { resolve } of batch) resolve();
        if (set.size + unset.length > 0) for (const listener of this.#listeners) listener(endpoint, set, unset);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#lanes.delete(endpoint);
  }

  async #keep(endpoint: string, batch: readonly News[]): Promise<Learned> {
    const points = batch.flatMap((news) => pointsOf(endpoint, news));
    for (let attempt = 0; attempt < casAttempts; attempt += 1) {
      const learned = await this.#tryKeep(endpoint, batch, points);
      if (learned !== undefined) return learned;
    }
    throw new Error(`the twin of ${endpoint} changed ${casAttempts} times while it was written`);
  }

  /** Undefined: somebody else was faster. */
  async #tryKeep(endpoint: string, batch: readonly News[], points: readonly TelemetryPoint[]): Promise<Learned | undefined> {
    const present = await this.#store.findForChange(endpoint);
    const since = present?.since ?? this.#deps.clock.now();
    const rev = (present?.rev ?? 0) + 1;
    const before = present?.values ?? {};
    const values: { [path: string]: KnownValue } = { ...before };
    const events: EventDraft[] = [];
    for (const [index, news] of batch.entries()) {
      const { set, unset, told } = difference(values, news);
      for (const [path, value] of set) values[path] = value;
      for (const path of unset) delete values[path];
      if (told.size > 0) events.push(this.#told(endpoint, `${since}/${rev}/${index}`, news, told));
    }
    const set = new Map(Object.entries(values).filter(([path, value]) => before[path] !== value));
    const unset = Object.keys(before).filter((path) => !(path in values));
    if (set.size === 0 && unset.length === 0 && events.length === 0) {
      const [isSo] = await Promise.all([present === undefined || this.#store.confirms(present), this.#store.append(points)]);
      return isSo ? nothing : undefined;
    }
    const written = await (present === undefined
      ? this.#store.insert({ _id: endpoint, since, values, rev }, { events, points })
      : this.#store.change(present, { set, unset, values }, { events, points }));
    return written ? { set, unset } : undefined;
  }

  #told(endpoint: string, step: string, { source, receivedAt }: News, told: ReadonlyMap<string, KnownValue>): EventDraft {
    const model = deviceModel(this.#deps.registry, undefined);
    const values = [...told].map(([path, { type, value, observedAt }]) => {
      const parsed = findPath(path);
      const name = parsed === undefined ? undefined : model.nameOf(parsed);
      return { path, ...(name === undefined ? {} : { name }), type, value, observedAt: formatInstant(observedAt) };
    });
    return { key: `twin/${endpoint}/${step}`, type: "resource.changed", subject: endpoint, timeMs: receivedAt, data: { source, values } };
  }
}

/** Keys, passwords, firmware bytes: what nobody is to see is in no twin, in no history and in no event, whoever said it. */
function withoutSecrets(news: News, model: Pick<DeviceModel, "definitionOf">): News {
  if (!news.values.some(({ path }) => isSecretPath(path, model))) return news;
  return { ...news, values: news.values.filter(({ path }) => !isSecretPath(path, model)) };
}
