/** The last known values of a device, and the rules by which news becomes knowledge. Pure. */
import { toJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { contains, findPath, formatPath } from "@lwm2m/protocol/lwm2m/path";
import type { WithOutbox } from "../events/event.ts";
import type { News, NewsSource } from "../operations/news.ts";
import type { Json, StoredDocument } from "../storage/collection.ts";
import type { TelemetryPoint } from "../storage/store.ts";

export interface KnownValue {
  readonly type: string;
  readonly value: Json;
  readonly source: NewsSource;
  /** When the device took it; when it arrived, if the device does not say. */
  readonly observedAt: number;
  readonly receivedAt: number;
}

export interface Twin extends StoredDocument, WithOutbox {
  /** The endpoint name. */
  readonly _id: string;
  /** When this document began; with `rev` unique for ever. */
  readonly since: number;
  /** By path, `/3303/0/5700`. */
  readonly values: { readonly [path: string]: KnownValue };
  readonly rev: number;
}

/** What one piece of news changes. */
export interface Difference {
  readonly set: ReadonlyMap<string, KnownValue>;
  readonly unset: readonly string[];
  /** Worth telling: everything a device reports by itself, and of the rest what is new or different. */
  readonly told: ReadonlyMap<string, KnownValue>;
}

/**
 * Late values never replace newer ones; of several of one time the last counts; what the device dated itself and is known already
 * is nothing new. A time that has not come yet is taken for now: a clock that was ahead once would make all that follows late.
 */
export function difference(known: Twin["values"], news: News): Difference {
  const set = new Map<string, KnownValue>();
  const told = new Map<string, KnownValue>();
  const named = new Set<string>();
  const reported = news.source === "notify" || news.source === "send";
  for (const { path, value, timeMs } of inTheirOrder(news)) {
    const key = formatPath(path);
    named.add(key);
    if (value === undefined) continue;
    const { source, receivedAt } = news;
    const learned = {
      type: value.type,
      value: toJsonValue(value),
      source,
      observedAt: Math.min(timeMs ?? receivedAt, receivedAt),
      receivedAt,
    };
    const before = set.get(key) ?? known[key];
    if (before !== undefined && before.observedAt > learned.observedAt) continue;
    if (before !== undefined && timeMs !== undefined && isRepeated(before, learned)) continue;
    set.set(key, learned);
    if (reported || JSON.stringify(known[key]?.value) !== JSON.stringify(learned.value)) told.set(key, learned);
  }
  return { set, unset: gone(known, news, named), told };
}

/** Of a batch, what was taken last comes last; what has no time is of its arrival. */
function inTheirOrder({ values, receivedAt }: News): News["values"] {
  if (!values.some(({ timeMs }) => timeMs !== undefined)) return values;
  return values.toSorted((a, b) => (a.timeMs ?? receivedAt) - (b.timeMs ?? receivedAt));
}

function isRepeated(before: KnownValue, again: KnownValue): boolean {
  return before.observedAt === again.observedAt && before.type === again.type && before.value === again.value;
}

function gone(known: Twin["values"], { completeUnder, receivedAt, values }: News, named: ReadonlySet<string>): readonly string[] {
  if (completeUnder === undefined || completeUnder.length === 0) return [];
  // An old notification is complete for its own time only: what became known since is not gone.
  const saidAt = values.length === 0 ? receivedAt : Math.max(...values.map(({ timeMs }) => Math.min(timeMs ?? receivedAt, receivedAt)));
  return Object.entries(known)
    .filter(([key, value]) => {
      if (named.has(key) || value.observedAt > saidAt) return false;
      const path = findPath(key);
      return path !== undefined && completeUnder.some((outer) => contains(outer, path));
    })
    .map(([key]) => key);
}

/** The points for the history: what the device said, not what it was told. */
export function pointsOf(endpoint: string, { source, values, receivedAt }: News): readonly TelemetryPoint[] {
  if (source === "write") return [];
  return values.flatMap(({ path, value, timeMs }) =>
    value === undefined
      ? []
      : [{ endpoint, path: formatPath(path), timeMs: timeMs ?? receivedAt, receivedMs: receivedAt, value: toJsonValue(value) }],
  );
}
