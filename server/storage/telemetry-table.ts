/** Points in SQLite, inside the worker: one row per (series, time), the series being an endpoint name and a path. */
import type { SqlDriver } from "./drivers/driver.ts";
import type { PointPlace } from "./requests.ts";
import type { DownsampleQuery, SeriesQuery } from "./store.ts";

/** `[endpoint, path, timeMs, receivedMs, value as JSON text]`, as it travels. */
export type PointRow = readonly [string, string, number, number, string];

/** Series whose number is remembered; the others are looked up. About 100 bytes each. */
const rememberedSeries = 100_000;
/** Series one step of a pruning looks at. */
const seriesAtATime = 500;
/** Earlier than every point. */
const beforeAll = -Number.MAX_VALUE;

/** What lies at the ends of a step is looked up by the key of `points`, once per step. */
const stepsOfSeries = `
  SELECT step, count,
    (SELECT value FROM points WHERE series = ?1 AND time = earliest), (SELECT value FROM points WHERE series = ?1 AND time = latest),
    numbers, least, greatest, sum
  FROM (
    SELECT CAST((time - ?2) / ?4 AS INTEGER) AS step, count(*) AS count, min(time) AS earliest, max(time) AS latest,
      count(number) AS numbers, min(number) AS least, max(number) AS greatest, total(number) AS sum
    FROM (
      SELECT time, CASE WHEN json_type(value) IN ('integer', 'real') THEN value->>'$' END AS number
      FROM points WHERE series = ?1 AND time >= ?2 AND time < ?3
    )
    GROUP BY step ORDER BY step LIMIT ?5
  )`;

export class TelemetryTable {
  readonly #driver: SqlDriver;
  readonly #series = new Map<string, number>();

  constructor(driver: SqlDriver) {
    this.#driver = driver;
  }

  append(pointsText: string): void {
    const points = JSON.parse(pointsText) as readonly PointRow[];
    const rows = points.map(([endpoint, path, timeMs, receivedMs, value]) => [this.#seriesOf(endpoint, path), timeMs, receivedMs, value]);
    // One statement for all of them: crossing into the engine once per point would cost more than the insert.
    this.#driver.run(
      "INSERT OR REPLACE INTO points (series, time, received, value) SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?)",
      [JSON.stringify(rows)],
    );
  }

  /** JSON text of `[timeMs, receivedMs, value][]`, oldest first. */
  range(endpoint: string, path: string, fromMs: number, toMs: number, limit: number): string {
    const series = this.#find(endpoint, path);
    if (series === undefined) return "[]";
    const rows = this.#driver.all(
      "SELECT time, received, value FROM points WHERE series = ? AND time >= ? AND time < ? ORDER BY time LIMIT ?",
      [...[series, fromMs, toMs, limit]],
    );
    return `[${rows.map(([time, received, value]) => `[${time},${received},${value}]`).join()}]`;
  }

  /** JSON text of `[index of the step, points, first, last, numbers, least, greatest, sum][]`, oldest first. */
  downsample({ endpoint, path, fromMs, toMs, stepMs, limit }: DownsampleQuery): string {
    const series = this.#find(endpoint, path);
    if (series === undefined) return "[]";
    const rows = this.#driver.all(stepsOfSeries, [series, fromMs, toMs, stepMs, limit]);
    return `[${rows.map((row) => `[${row.map((value) => value ?? "null").join()}]`).join()}]`;
  }

  /** JSON text of `[path, endpoint][]`, by both. */
  series({ endpoint, under, after, limit }: SeriesQuery): string {
    // "0" is what comes behind "/": everything below a path lies between the two.
    const bounds = under === undefined ? ["", "~"] : [under, `${under}0`];
    const place = [after?.path ?? "", after?.endpoint ?? ""];
    const rows =
      endpoint === undefined
        ? this.#driver.all(
            "SELECT path, endpoint FROM series WHERE (path, endpoint) > (?, ?) AND path >= ? AND path < ? ORDER BY path, endpoint LIMIT ?",
            [...place, ...bounds, limit],
          )
        : this.#driver.all(
            "SELECT path, endpoint FROM series WHERE endpoint = ? AND path > ? AND path >= ? AND path < ? ORDER BY path LIMIT ?",
            [...[endpoint, after?.path ?? "", ...bounds, limit]],
          );
    return JSON.stringify(rows);
  }

  /** JSON text of `{ points, next }`: by path, endpoint name and time, as every engine lists them; `next` is null behind the last one. */
  page(after: PointPlace, limit: number): string {
    const points: string[] = [];
    let place: PointPlace | null = after;
    for (let looked = 0; place !== null && points.length < limit && looked < seriesAtATime; looked++) {
      place = this.#pageOfSeries(place, limit - points.length, points);
    }
    return `{"points":[${points.join()}],"next":${JSON.stringify(place)}}`;
  }

  /** What is left of the series at the place, up to `limit`, or the next series when nothing is; null behind the last one. */
  #pageOfSeries({ path, endpoint, timeMs }: PointPlace, limit: number, points: string[]): PointPlace | null {
    if (timeMs === null) {
      const next = this.#driver.get("SELECT path, endpoint FROM series WHERE (path, endpoint) > (?, ?) ORDER BY path, endpoint LIMIT 1", [
        path,
        endpoint,
      ]);
      return next === undefined ? null : { path: String(next[0]), endpoint: String(next[1]), timeMs: beforeAll };
    }
    const rows = this.#driver.all("SELECT time, received, value FROM points WHERE series = ? AND time > ? ORDER BY time LIMIT ?", [
      this.#find(endpoint, path) ?? 0,
      timeMs,
      limit,
    ]);
    const name = `{"endpoint":${JSON.stringify(endpoint)},"path":${JSON.stringify(path)}`;
    for (const [time, received, value] of rows) points.push(`${name},"timeMs":${time},"receivedMs":${received},"value":${value}}`);
    return { path, endpoint, timeMs: rows.length < limit ? null : Number(rows.at(-1)?.[0]) };
  }

  /** JSON text of `{ deleted, next }`: after which series to go on, null when all are done. Series stay: a device that sends again has its number. */
  prune(beforeMs: number, afterSeries: number, limit: number): string {
    let deleted = 0;
    let series = afterSeries;
    for (let looked = 0; looked < seriesAtATime; looked++) {
      const next = this.#driver.get("SELECT id FROM series WHERE id > ? ORDER BY id LIMIT 1", [series])?.[0];
      if (next === undefined) return JSON.stringify({ deleted, next: null });
      const gone = this.#driver.run(
        "DELETE FROM points WHERE series = ?1 AND time < ?2 AND received < ?2 AND time <= coalesce((SELECT time FROM points WHERE series = ?1 AND time < ?2 AND received < ?2 ORDER BY time LIMIT 1 OFFSET ?3), ?2)",
        [Number(next), beforeMs, limit],
      );
      deleted += gone;
      // A series with more than that is gone on with.
      if (gone > limit) return JSON.stringify({ deleted, next: series });
      series = Number(next);
      if (deleted >= limit) break;
    }
    return JSON.stringify({ deleted, next: series });
  }

  /** After a rollback: numbers given in it may be given again. */
  forget(): void {
    this.#series.clear();
  }

  #seriesOf(endpoint: string, path: string): number {
    const key = JSON.stringify([endpoint, path]);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    this.#driver.run("INSERT OR IGNORE INTO series (endpoint, path) VALUES (?, ?)", [endpoint, path]);
    const series = this.#find(endpoint, path);
    if (series === undefined) throw new Error("a series that was just written is not there");
    if (this.#series.size >= rememberedSeries) this.#series.clear();
    this.#series.set(key, series);
    return series;
  }

  #find(endpoint: string, path: string): number | undefined {
    const id = this.#driver.get("SELECT id FROM series WHERE endpoint = ? AND path = ?", [endpoint, path])?.[0];
    return typeof id === "number" ? id : undefined;
  }
}
