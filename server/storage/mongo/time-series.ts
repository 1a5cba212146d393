/** Points in a time-series collection: it takes the same point twice, and the reader lets the later one win. */
import type { Collection } from "mongodb";
import { downsampleByPages } from "../downsample.ts";
import { checkSeriesLimit } from "../series.ts";
import type { DownsampleQuery, SeriesName, SeriesQuery, TelemetryPoint, TelemetryStep, TelemetryStore } from "../store.ts";
import { refuses } from "./mongo-indexes.ts";
import type { MongoLink } from "./mongo-link.ts";
import { type Instant, instant } from "./platform/instant.ts";
import {
  checkLimit,
  checkTimes,
  packed,
  pointCollection,
  type RangeQuery,
  type TelemetryParts,
  unpacked,
  usualStep,
} from "./point-documents.ts";

/** A span of time is deleted per call, as long as gives about `usualStep` points. */
const firstSpanMs = 60_000;
const longestSpanMs = 30 * 86_400_000;

export interface TimeSeriesDocument {
  readonly t: Instant;
  readonly m: { readonly e: string; readonly p: string };
  /** Exact, where `t` has whole milliseconds only. */
  readonly at: number;
  readonly r: number;
  readonly v: { readonly v: unknown };
}

export class TimeSeries implements TelemetryStore {
  readonly #collection: Collection<TimeSeriesDocument>;
  readonly #link: MongoLink;
  readonly #step: number;
  readonly #onWarning: (message: string) => void;
  #cannotDelete = false;

  constructor({ database, link, onWarning, step = usualStep }: TelemetryParts) {
    this.#step = step;
    this.#collection = database.collection(pointCollection);
    this.#link = link;
    this.#onWarning = onWarning;
  }

  async append(points: readonly TelemetryPoint[]): Promise<void> {
    if (points.length === 0) return;
    // A run of points of one series costs the server one insert into its bucket.
    const sorted = [...points].sort((a, b) => compare(a.endpoint, b.endpoint) || compare(a.path, b.path));
    const documents = sorted.map(({ endpoint, path, timeMs, receivedMs, value }): TimeSeriesDocument => {
      checkTimes(path, timeMs, receivedMs);
      return { t: instant(timeMs), m: { e: endpoint, p: path }, at: timeMs, r: receivedMs, v: packed(value) };
    });
    await this.#link.ask(() => this.#collection.insertMany(documents, { ordered: false }));
  }

  async downsample(query: DownsampleQuery): Promise<readonly TelemetryStep[]> {
    return downsampleByPages((page) => this.range(page), query);
  }

  async range(query: RangeQuery): Promise<readonly TelemetryPoint[]> {
    const { endpoint, path, fromMs, toMs, limit } = query;
    checkLimit(limit);
    const filter = { "m.e": endpoint, "m.p": path, t: { $gte: instant(fromMs), $lte: instant(toMs) }, at: { $gte: fromMs, $lt: toMs } };
    return this.#link.ask(async () => {
      const cursor = this.#collection.find(filter).sort({ t: 1 });
      const found: TelemetryPoint[] = [];
      let sameInstant: ServerPoint[] = [];
      for await (const document of cursor) {
        // In the order of the index; what falls into one millisecond is put in order here.
        if (sameInstant[0] !== undefined && sameInstant[0].t.getTime() !== document.t.getTime()) {
          found.push(...latestOf(sameInstant, endpoint, path));
          sameInstant = [];
          if (found.length >= limit) break;
        }
        sameInstant.push(document);
      }
      return [...found, ...latestOf(sameInstant, endpoint, path)].slice(0, limit);
    });
  }

  async series(query: SeriesQuery): Promise<readonly SeriesName[]> {
    checkSeriesLimit(query);
    const { endpoint, under, after, limit } = query;
    const below = under === undefined ? [] : [{ "m.p": { $gte: under, $lt: `${under}0` } }];
    const own = endpoint === undefined ? [] : [{ "m.e": endpoint }];
    const behind =
      after === undefined ? [] : [{ $or: [{ "m.p": { $gt: after.path } }, { "m.p": after.path, "m.e": { $gt: after.endpoint } }] }];
    const stages = [
      { $match: { $and: [{ "m.p": { $gt: "" } }, ...own, ...below, ...behind] } },
      { $group: { _id: { p: "$m.p", e: "$m.e" } } },
      { $sort: { "_id.p": 1, "_id.e": 1 } },
      { $limit: limit },
    ];
    const named = this.#collection.aggregate<{ readonly _id: { readonly p: string; readonly e: string } }>(stages, { allowDiskUse: true });
    return (await this.#link.ask(() => named.toArray())).map(({ _id }) => ({ endpoint: _id.e, path: _id.p }));
  }

  async *all(): AsyncGenerator<readonly TelemetryPoint[]> {
    const byName = [{ $group: { _id: { p: "$m.p", e: "$m.e" } } }, { $sort: { "_id.p": 1, "_id.e": 1 } }];
    const series = this.#collection.aggregate<{ readonly _id: { readonly p: string; readonly e: string } }>(byName, { allowDiskUse: true });
    try {
      for (;;) {
        const next = await this.#link.ask(() => series.next());
        if (next === null) return;
        yield* this.#pagesOf({ endpoint: next._id.e, path: next._id.p });
      }
    } finally {
      await series.close();
    }
  }

  async *#pagesOf(series: { readonly endpoint: string; readonly path: string }): AsyncGenerator<readonly TelemetryPoint[]> {
    for (let fromMs = -latestInstantMs; ; ) {
      const page = await this.range({ ...series, fromMs, toMs: latestInstantMs, limit: this.#step });
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < this.#step) return;
      fromMs = nextAfter(last.timeMs);
    }
  }

  async deleteBefore(timeMs: number): Promise<number> {
    let deleted = 0;
    for (let spanMs = firstSpanMs; !this.#cannotDelete; ) {
      const [oldest] = await this.#link.ask(() =>
        this.#collection
          .find({ r: { $lt: timeMs } })
          .sort({ t: 1 })
          .limit(1)
          .toArray(),
      );
      if (oldest === undefined || oldest.at >= timeMs) return deleted;
      const endMs = Math.min(timeMs, oldest.t.getTime() + spanMs);
      const gone = await this.#deleteUpTo(endMs, timeMs);
      deleted += gone;
      if (gone > this.#step) spanMs = Math.max(1, Math.floor(spanMs / 2));
      else spanMs = Math.min(spanMs * 2, longestSpanMs);
    }
    return deleted;
  }

  async #deleteUpTo(endMs: number, receivedBefore: number): Promise<number> {
    try {
      const outcome = await this.#link.ask(() =>
        this.#collection.deleteMany({ t: { $lte: instant(endMs) }, at: { $lt: endMs }, r: { $lt: receivedBefore } }),
      );
      return outcome.deletedCount;
    } catch (error) {
      // Before MongoDB 7.0 a deletion may name the series only.
      if (!refusesDeletion(error)) throw error;
      this.#cannotDelete = true;
      this.#onWarning(
        "this MongoDB server deletes no single points (7.0 does): TELEMETRY_DAYS has no effect, set expireAfterSeconds of `points`",
      );
      return 0;
    }
  }
}

/** ECMA-262 §21.4.1.1: no instant is farther from 1970. */
const latestInstantMs = 8.64e15;

/** The next number there is; `range` gives what is not before it. */
function nextAfter(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value === 0 ? 0 : value);
  if (value === 0) view.setBigUint64(0, 1n);
  else view.setBigUint64(0, view.getBigUint64(0) + (value > 0 ? 1n : -1n));
  return view.getFloat64(0);
}

function refusesDeletion(error: unknown): boolean {
  return refuses(error, "timeseries") || refuses(error, "time-series") || refuses(error, "metaField");
}

type ServerPoint = TimeSeriesDocument & { readonly _id: { toString(): string } };

/** Of points of one time the one that was written last, in order of time. */
function latestOf(points: readonly ServerPoint[], endpoint: string, path: string): readonly TelemetryPoint[] {
  // The driver's identifiers rise within a process.
  const ordered = points.toSorted((a, b) => a.at - b.at || a.r - b.r || compare(String(a._id), String(b._id)));
  return ordered
    .filter((point, index) => point.at !== ordered[index + 1]?.at)
    .map(({ at, r, v }) => ({ endpoint, path, timeMs: at, receivedMs: r, value: unpacked(v) }));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
