/** Histories of any length, read page by page: one series after the other, each oldest first. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Json } from "../storage/collection.ts";
import { justAfter } from "../storage/downsample.ts";
import type { SeriesName, SeriesQuery, TelemetryPoint, TelemetryStep, TelemetryStore } from "../storage/store.ts";
import type { Aggregate, HistoryRange } from "./history-range.ts";

export type HistoryRow = { readonly [column: string]: Json };

/** Points or steps of one read: some 200 kB as text, which is what a slow reader costs. */
const pageSize = 2_000;
/** Names of one read. */
const namesAtOnce = 1_000;

export function columnsOf({ steps }: HistoryRange): readonly string[] {
  if (steps === undefined) return ["endpoint", "path", "time", "receivedAt", "value"];
  const values = steps.aggregate === undefined ? ["count", "first", "last", "min", "max", "mean", "sum"] : ["value"];
  return ["endpoint", "path", "time", ...values];
}

/** The series of each question in turn. */
export async function* namesOf(
  telemetry: TelemetryStore,
  questions: readonly Omit<SeriesQuery, "limit">[],
  isMeant: (name: SeriesName) => boolean = () => true,
): AsyncGenerator<SeriesName> {
  for (const question of questions) {
    for (let query = question; ; ) {
      const page = await telemetry.series({ ...query, limit: namesAtOnce });
      for (const name of page) if (isMeant(name)) yield name;
      const last = page.at(-1);
      if (last === undefined || page.length < namesAtOnce) break;
      query = { ...question, after: last };
    }
  }
}

/** Never an empty page. */
export async function* rowPages(
  telemetry: TelemetryStore,
  names: AsyncIterable<SeriesName>,
  range: HistoryRange,
): AsyncGenerator<readonly HistoryRow[]> {
  for await (const name of names) {
    yield* range.steps === undefined ? pointPages(telemetry, name, range) : stepPages(telemetry, name, range, range.steps);
  }
}

async function* pointPages(
  telemetry: TelemetryStore,
  name: SeriesName,
  { fromMs, toMs }: HistoryRange,
): AsyncGenerator<readonly HistoryRow[]> {
  for (let from = fromMs; ; ) {
    const points = await telemetry.range({ ...name, fromMs: from, toMs, limit: pageSize });
    const last = points.at(-1);
    if (last === undefined) return;
    yield points.map((point) => ({ ...named(name), ...pointView(point) }));
    if (points.length < pageSize) return;
    from = justAfter(last.timeMs);
  }
}

/** A stretch without points costs one look: an engine that groups by step looks at all points of what it is asked for. */
async function* stepPages(
  telemetry: TelemetryStore,
  name: SeriesName,
  { fromMs, toMs }: HistoryRange,
  { stepMs, aggregate }: NonNullable<HistoryRange["steps"]>,
): AsyncGenerator<readonly HistoryRow[]> {
  for (let from = fromMs; ; ) {
    const [next] = await telemetry.range({ ...name, fromMs: from, toMs, limit: 1 });
    if (next === undefined) return;
    const startMs = from + Math.trunc((next.timeMs - from) / stepMs) * stepMs;
    const endMs = Math.min(toMs, startMs + stepMs * pageSize);
    const steps = await telemetry.downsample({ ...name, fromMs: startMs, toMs: endMs, stepMs, limit: pageSize });
    if (steps.length > 0) yield steps.map((step) => ({ ...named(name), ...stepView(step, aggregate) }));
    from = endMs;
    if (from >= toMs) return;
  }
}

function named({ endpoint, path }: SeriesName): HistoryRow {
  return { endpoint, path };
}

export function pointView({ timeMs, receivedMs, value }: TelemetryPoint): HistoryRow {
  return { time: formatInstant(timeMs), receivedAt: formatInstant(receivedMs), value };
}

export function stepView(step: TelemetryStep, aggregate: Aggregate | undefined): HistoryRow {
  const all = aggregatesOf(step);
  const time = formatInstant(step.fromMs);
  return aggregate === undefined ? { time, ...all } : { time, value: all[aggregate] };
}

/** Null where no value of the step is a number. */
function aggregatesOf({ count, first, last, numbers }: TelemetryStep): { readonly [name in Aggregate]: Json } {
  if (numbers === undefined) return { count, first, last, min: null, max: null, mean: null, sum: null };
  const { min, max, sum } = numbers;
  return { count, first, last, min, max, mean: sum / numbers.count, sum };
}
