/** Names of series: what both engines check and compare alike. */
import type { SeriesName, SeriesQuery } from "./store.ts";

/** Names one call gives at most. */
const mostNames = 10_000;

/** Throws for what the port refuses. */
export function checkSeriesLimit({ limit }: Pick<SeriesQuery, "limit">): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > mostNames) throw new Error(`names of series: limit ${limit}`);
}

/** Whether the series is one of those that are asked for, wherever the page begins. */
export function isAskedFor({ endpoint, path }: SeriesName, query: Pick<SeriesQuery, "endpoint" | "under">): boolean {
  if (query.endpoint !== undefined && endpoint !== query.endpoint) return false;
  return query.under === undefined || path === query.under || path.startsWith(`${query.under}/`);
}
