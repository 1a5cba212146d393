/** The main thread's side of the points. */
import type { Json } from "./collection.ts";
import { checkDownsample } from "./downsample.ts";
import type { PointPlace } from "./requests.ts";
import { checkSeriesLimit } from "./series.ts";
import type { DownsampleQuery, SeriesName, SeriesQuery, TelemetryPoint, TelemetryStep, TelemetryStore } from "./store.ts";
import type { PointRow } from "./telemetry-table.ts";
import type { WorkerLink } from "./worker-link.ts";

/** Points one `range` gives at most. */
const longestRange = 10_000;
/** Points deleted in one commit, about: milliseconds of the worker, between which the others have their turn. */
const prunedAtATime = 5_000;

/** As `TelemetryTable.downsample` writes it. */
type StepRow = readonly [number, number, Json, Json, number, number, number, number];

/** As requests carry them. Throws where a time is no number. */
export function textOfPoints(points: readonly TelemetryPoint[]): string {
  const rows = points.map(({ endpoint, path, timeMs, receivedMs, value }): PointRow => {
    if (!Number.isFinite(timeMs) || !Number.isFinite(receivedMs)) throw new Error(`point of ${path}: its time is no number`);
    return [endpoint, path, timeMs, receivedMs, JSON.stringify(value)];
  });
  return JSON.stringify(rows);
}

export class EmbeddedTelemetry implements TelemetryStore {
  readonly #link: WorkerLink;

  constructor(link: WorkerLink) {
    this.#link = link;
  }

  async append(points: readonly TelemetryPoint[]): Promise<void> {
    if (points.length === 0) return;
    await this.#link.ask(() => ({ op: "append", points: textOfPoints(points) }), nothing);
  }

  async range(query: Parameters<TelemetryStore["range"]>[0]): Promise<readonly TelemetryPoint[]> {
    const { endpoint, path, fromMs, toMs, limit } = query;
    if (!Number.isInteger(limit) || limit < 1 || limit > longestRange) throw new Error(`range of points: limit ${limit}`);
    const rows = await this.#link.ask<readonly (readonly [number, number, Json])[]>(
      () => ({ op: "range", endpoint, path, fromMs, toMs, limit }),
      JSON.parse,
    );
    return rows.map(([timeMs, receivedMs, value]) => ({ endpoint, path, timeMs, receivedMs, value }));
  }

  async downsample(query: DownsampleQuery): Promise<readonly TelemetryStep[]> {
    checkDownsample(query);
    const rows = await this.#link.ask<readonly StepRow[]>(() => ({ op: "downsample", ...query }), JSON.parse);
    return rows.map(([step, count, first, last, numbers, min, max, sum]) => ({
      fromMs: query.fromMs + step * query.stepMs,
      count,
      first,
      last,
      numbers: numbers === 0 ? undefined : { count: numbers, min, max, sum },
    }));
  }

  async series(query: SeriesQuery): Promise<readonly SeriesName[]> {
    checkSeriesLimit(query);
    const rows = await this.#link.ask<readonly (readonly [string, string])[]>(() => ({ op: "series", query }), JSON.parse);
    return rows.map(([path, endpoint]) => ({ endpoint, path }));
  }

  async *all(): AsyncGenerator<readonly TelemetryPoint[]> {
    for (let after: PointPlace = { path: "", endpoint: "", timeMs: null }; ; ) {
      const from = after;
      const page = await this.#link.ask<{ readonly points: readonly TelemetryPoint[]; readonly next: PointPlace | null }>(
        () => ({ op: "points", after: from, limit: longestRange }),
        JSON.parse,
      );
      if (page.points.length > 0) yield page.points;
      if (page.next === null) return;
      after = page.next;
    }
  }

  async deleteBefore(timeMs: number): Promise<number> {
    let deleted = 0;
    for (let afterSeries = 0; ; ) {
      const from = afterSeries;
      const step = await this.#link.ask<{ readonly deleted: number; readonly next: number | null }>(
        () => ({ op: "prune", beforeMs: timeMs, afterSeries: from, limit: prunedAtATime }),
        JSON.parse,
      );
      deleted += step.deleted;
      if (step.next === null) return deleted;
      afterSeries = step.next;
    }
  }
}

function nothing(): void {}
