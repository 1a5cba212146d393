/** Points in a plain collection, one document per (series, time), where the server has no time series. */
import type { Collection } from "mongodb";
import { downsampleByPages } from "../downsample.ts";
import { checkSeriesLimit, isAskedFor } from "../series.ts";
import type { DownsampleQuery, SeriesName, SeriesQuery, TelemetryPoint, TelemetryStep, TelemetryStore } from "../store.ts";
import type { MongoLink } from "./mongo-link.ts";
import type { OneAtATime } from "./one-at-a-time.ts";
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

interface PlainPoint {
  /** Path, endpoint name and time: the points of a series lie together, in order of time. */
  readonly _id: string;
  readonly at: number;
  readonly r: number;
  readonly v: { readonly v: unknown };
}

export class PlainPoints implements TelemetryStore {
  readonly #collection: Collection<PlainPoint>;
  readonly #link: MongoLink;
  readonly #step: number;
  readonly #turns: OneAtATime | undefined;

  constructor({ database, link, turns, step = usualStep }: TelemetryParts) {
    this.#step = step;
    this.#collection = database.collection(pointCollection);
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

  /** From the first point of each series to that of the next: there is nothing else to look into. */
  async series(query: SeriesQuery): Promise<readonly SeriesName[]> {
    checkSeriesLimit(query);
    const { endpoint = "", under = "", after, limit } = query;
    const found: SeriesName[] = [];
    let from = after === undefined ? under : seriesKey(after.endpoint, after.path) + behindNumbers;
    while (found.length < limit) {
      const first = await this.#firstId({ $gt: from });
      if (first === undefined || (under !== "" && first >= `${under}0`)) break;
      const series = seriesOf(first);
      if (isAskedFor(series, query)) found.push(series);
      if (endpoint === "") from = seriesKey(series.endpoint, series.path) + behindNumbers;
      else if (series.endpoint < endpoint) from = seriesKey(endpoint, series.path);
      else from = series.path + behindSeparator;
    }
    return found;
  }

  async *all(): AsyncGenerator<readonly TelemetryPoint[]> {
    for (let after = ""; ; ) {
      const filter = { _id: { $gt: after } };
      const page = await this.#link.ask(() => this.#collection.find(filter).sort({ _id: 1 }).limit(this.#step).toArray());
      const last = page.at(-1);
      if (last === undefined) return;
      yield page.map(({ _id, at, r, v }) => ({ ...seriesOf(_id), timeMs: at, receivedMs: r, value: unpacked(v) }));
      after = last._id;
    }
  }

  /** One series after the other: there is no index by time over all of them. */
  async deleteBefore(timeMs: number): Promise<number> {
    let deleted = 0;
    for (let after = ""; ; ) {
      const first = await this.#firstId({ $gt: after });
      if (first === undefined) return deleted;
      const { endpoint, path } = seriesOf(first);
      const series = seriesKey(endpoint, path);
      const end = series + sortableNumber(timeMs);
      const last = await this.#lastToDelete(first, end, timeMs);
      if (last === undefined) {
        after = series + behindNumbers;
        continue;
      }
      const gone = () => this.#link.ask(() => this.#collection.deleteMany({ _id: { $gte: first, $lte: last }, r: { $lt: timeMs } }));
      deleted += (await (this.#turns === undefined ? gone() : this.#turns.run(gone))).deletedCount;
      after = last;
    }
  }

  async #firstId(_id: { readonly $gt: string }): Promise<string | undefined> {
    const ids = this.#collection.find({ _id }).project<{ readonly _id: string }>({ _id: 1 });
    return (await this.#link.ask(() => ids.sort({ _id: 1 }).limit(1).toArray()))[0]?._id;
  }

  async #lastToDelete(first: string, end: string, receivedBefore: number): Promise<string | undefined> {
    const ids = this.#collection
      .find({ _id: { $gte: first, $lt: end }, r: { $lt: receivedBefore } })
      .project<{ readonly _id: string }>({ _id: 1 });
    return (await this.#link.ask(() => ids.sort({ _id: 1 }).limit(this.#step).toArray())).at(-1)?._id;
  }
}

/** Digits of `sortableNumber`. */
const numberLength = 16;
/** Behind every number of a series. */
const behindNumbers = "g";
/** Before every character of a name or a path, so that one name that begins with another does not lie among its points. */
const separator = "\t";
/** Behind every series of a path, before every other path. */
const behindSeparator = "\n";

function seriesKey(endpoint: string, path: string): string {
  return `${path}${separator}${endpoint}${separator}`;
}

function seriesOf(id: string): { readonly endpoint: string; readonly path: string } {
  const at = id.indexOf(separator);
  return { endpoint: id.slice(at + separator.length, -numberLength - separator.length), path: id.slice(0, at) };
}

/** Sixteen hexadecimal digits in the order of the numbers: a positive number as it is with its sign bit set, a negative one inverted. */
function sortableNumber(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value === 0 ? 0 : value);
  const bits = view.getBigUint64(0);
  const isNegative = bits >> 63n === 1n;
  return (isNegative ? ~bits & 0xffff_ffff_ffff_ffffn : bits | (1n << 63n)).toString(16).padStart(numberLength, "0");
}
