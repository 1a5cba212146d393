/** Which part of a history is asked for, point by point or by steps of time. */
import { findInstant } from "@lwm2m/protocol/platform/instant";
import type { JsonSchema, Reply, RouteRequest } from "../http/route.ts";

export interface HistoryRange {
  /** Epoch milliseconds, inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  readonly steps?: { readonly stepMs: number; readonly aggregate: Aggregate | undefined };
}

export const aggregates = ["first", "last", "min", "max", "mean", "sum", "count"] as const;
export type Aggregate = (typeof aggregates)[number];

const instant: JsonSchema = { type: "string", format: "date-time" };
const dayMs = 86_400_000;
const longestStepSeconds = 366 * 86_400;
/** Paths one request names. */
const mostPaths = 100;

export const rangeQuery = {
  path: {
    type: "array",
    items: { type: "string", minLength: 1 },
    maxItems: mostPaths,
    description: "/3303/0/5700 or temperature/0/sensorValue; may be repeated",
  },
  from: { ...instant, description: "inclusive; default: a day before `to`" },
  to: { ...instant, description: "exclusive; default: now" },
  stepSeconds: { type: "integer", minimum: 1, maximum: longestStepSeconds },
  aggregate: { enum: [...aggregates], description: "with stepSeconds only" },
} as const;

export function readRange(query: RouteRequest["query"], nowMs: number): HistoryRange | (Reply & { readonly problem: unknown }) {
  const toMs = findInstant(String(query["to"] ?? "")) ?? nowMs + 1;
  const fromMs = findInstant(String(query["from"] ?? "")) ?? toMs - dayMs;
  if (fromMs > toMs) return wrong("/from", "from is later than to");
  const aggregate = aggregates.find((name) => name === query["aggregate"]);
  if (query["stepSeconds"] !== undefined) return { fromMs, toMs, steps: { stepMs: Number(query["stepSeconds"]) * 1_000, aggregate } };
  return aggregate === undefined ? { fromMs, toMs } : wrong("/aggregate", "aggregate needs stepSeconds");
}

export function pathsOf(query: RouteRequest["query"]): readonly string[] {
  const paths = query["path"];
  return Array.isArray(paths) ? paths : [];
}

export function wrong(pointer: string, detail: string): Reply & { readonly problem: unknown } {
  return { problem: { type: "bad-request", detail: `query parameter ${pointer.slice(1)}: ${detail}`, errors: [{ pointer, detail }] } };
}
