/**
 * Points: in a time-series collection where the server has them, otherwise one document per (series, time). A time-series
 * collection takes the same point twice; the reader lets the later one win.
 */
import type { Collection, Db } from "mongodb";
import type { Json } from "../collection.ts";
import { downsampleByPages } from "../downsample.ts";
import type { DownsampleQuery, TelemetryPoint, TelemetryStep, TelemetryStore } from "../store.ts";
import { fromBson, toBson } from "./bson-document.ts";
import { refuses } from "./mongo-indexes.ts";
import type { MongoLink } from "./mongo-link.ts";
import type { OneAtATime } from "./one-at-a-time.ts";
import { type Instant, instant } from "./platform/instant.ts";

/** Points one `range` gives at most. */
const longestRange = 10_000;

const collectionName = "points";

type RangeQuery = Parameters<TelemetryStore["range"]>[0];

export interface TelemetryParts {
  readonly database: Db;
  readonly link: MongoLink;
  /** Where the server's updates must not overlap. */
  readonly turns: OneAtATime | undefined;
  readonly onWarning: (message: string) => void;
}

export async function openMongoTelemetry(parts: TelemetryParts): Promise<TelemetryStore> {
  const { database, onWarning } = parts;
  const [existing] = await database.listCollections({ name: collectionName }).toArray();
  if (existing !== undefined) return existing.type === "timeseries" ? new TimeSeries(parts) : new PlainPoints(parts);
  try {
    await database.createCollection(collectionName, { timeseries: { timeField: "t", metaField: "m", granularity: "minutes" } });
    return new TimeSeries(parts);
  } catch (error) {
    if (refuses(error, "already exists")) return openMongoTelemetry(parts);
    if (!refuses(error, "timeseries") && !refuses(error, "time-series")) throw error;
    onWarning("this MongoDB server has no time-series collections: points are kept in a plain one, which takes more space");
    return new PlainPoints(parts);
  }
}

interface TimeSeriesDocument {
  readonly t: Instant;
  readonly m: { readonly e: string; readonly p: string };
  /** Exact, where `t` has whole milliseconds only. */
  readonly at: number;
  readonly r: number;
  readonly v: { readonly v: unknown };
}

class TimeSeries implements TelemetryStore {
  readonly #collection: Collection<TimeSeriesDocument>;
  readonly #link: MongoLink;

  constructor({ database, link }: TelemetryParts) {
    this.#collection = database.collection(collectionName);
    this.#link = link;
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

interface PlainPoint {
  /** `path endpoint time`: the points of a series lie together, in order of time. */
  readonly _id: string;
  readonly at: number;
  readonly r: number;
  readonly v: { readonly v: unknown };
}

class PlainPoints implements TelemetryStore {
  readonly #collection: Collection<PlainPoint>;
  readonly #link: MongoLink;
  readonly #turns: OneAtATime | undefined;

  constructor({ database, link, turns }: TelemetryParts) {
    this.#collection = database.collection(collectionName);
    this.#link = link;
    this.#turns = turns;
  }

  async append(points: readonly TelemetryPoint[]): Promise<void> {
    if (points.length === 0) return;
    // Of two points of one time in one call the later wins, whatever order the server takes them in.
    const byId = new Map<string, PlainPoint>();
    for (const { endpoint, path, timeMs, receivedMs, value } of points) {
      checkTimes(path, timeMs, receivedMs);
      const _id = seriesKey(endpoint, path) + sortableNumber(timeMs);
      byId.set(_id, { _id, at: timeMs, r: receivedMs, v: packed(value) });
    }
    const writes = [...byId.values()].map(({ _id, ...replacement }) => ({ replaceOne: { filter: { _id }, replacement, upsert: true } }));
    const write = () => this.#link.ask(() => this.#collection.bulkWrite(writes, { ordered: false }));
    await (this.#turns === undefined ? write() : this.#turns.run(write));
  }

  async downsample(query: DownsampleQuery): Promise<readonly TelemetryStep[]> {
    return downsampleByPages((page) => this.range(page), query);
  }

  async range(query: RangeQuery): Promise<readonly TelemetryPoint[]> {
    const { endpoint, path, fromMs, toMs, limit } = query;
    checkLimit(limit);
    const series = seriesKey(endpoint, path);
    const filter = { _id: { $gte: series + sortableNumber(fromMs), $lt: series + sortableNumber(toMs) } };
    const found = await this.#link.ask(() => this.#collection.find(filter).sort({ _id: 1 }).limit(limit).toArray());
    return found.map(({ at, r, v }) => ({ endpoint, path, timeMs: at, receivedMs: r, value: unpacked(v) }));
  }
}

/** A path has no space, and the number behind has a fixed length: no two series share a key. */
function seriesKey(endpoint: string, path: string): string {
  return `${path} ${endpoint} `;
}

/** Sixteen hexadecimal digits in the order of the numbers: a positive number as it is with its sign bit set, a negative one inverted. */
function sortableNumber(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value === 0 ? 0 : value);
  const bits = view.getBigUint64(0);
  const isNegative = bits >> 63n === 1n;
  return (isNegative ? ~bits & 0xffff_ffff_ffff_ffffn : bits | (1n << 63n)).toString(16).padStart(16, "0");
}

/** In a document of its own, so that every value is a document to the server. */
function packed(value: Json): { readonly v: unknown } {
  return { v: toBson({ v: value })["v"] };
}

function unpacked(stored: { readonly v: unknown }): Json {
  // Written by `packed`, by nobody else.
  return (fromBson(stored) as { readonly v: Json }).v;
}

function checkTimes(path: string, timeMs: number, receivedMs: number): void {
  if (!Number.isFinite(timeMs) || !Number.isFinite(receivedMs)) throw new Error(`point of ${path}: its time is no number`);
}

function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > longestRange) throw new Error(`range of points: limit ${limit}`);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
