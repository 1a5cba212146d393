/** What a resource was over time, over REST: point by point, or by steps of time. */
import { findPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import { findInstant, formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import type { Problem } from "../http/problem.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { OperationDoor } from "../operations/operation-door.ts";
import type { Json } from "../storage/collection.ts";
import type { DownsampleQuery, TelemetryStep } from "../storage/store.ts";
import type { TwinService } from "./twin-service.ts";

export interface HistoryRoutesDeps {
  readonly twins: TwinService;
  readonly devices: Devices;
  readonly door: OperationDoor;
  readonly clock: Clock;
}

const instant: JsonSchema = { type: "string", format: "date-time" };
/** Two points of a series are farther apart. */
const microsecondMs = 0.001;
const dayMs = 86_400_000;
const longestStepSeconds = 366 * 86_400;

const aggregates = ["first", "last", "min", "max", "mean", "sum", "count"] as const;
type Aggregate = (typeof aggregates)[number];

export function historyRoutes(deps: HistoryRoutesDeps): Route[] {
  return [
    {
      method: "GET",
      path: "/devices/{endpoint}/history",
      name: "getHistory",
      summary:
        "The values of a resource over time, oldest first, from (inclusive) to (exclusive); by default the last day. With stepSeconds one item for each step of that length that has values, counted from `from`: all aggregates, or as `value` the one that is asked for. min, max, mean and sum are of values that are numbers. `next` is the next `from`.",
      query: {
        path: { type: "string", minLength: 1, description: "/3303/0/5700 or temperature/0/sensorValue" },
        from: instant,
        to: instant,
        limit: { type: "integer", minimum: 1, maximum: 10_000, default: 1_000 },
        stepSeconds: { type: "integer", minimum: 1, maximum: longestStepSeconds },
        aggregate: { enum: [...aggregates], description: "with stepSeconds only" },
      },
      requiredQuery: ["path"],
      replies: {
        200: {
          description: "Points, or steps",
          schema: {
            type: "object",
            required: ["items", "next"],
            properties: { items: { type: "array" }, next: { type: ["string", "null"] } },
          },
        },
      },
      handle: (request) => history(deps, request),
    },
  ];
}

async function history(deps: HistoryRoutesDeps, { params, query }: RouteRequest): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  if (!(await deps.devices.isKnown(endpoint))) return unknownDevice(endpoint);
  const resolved = await deps.door.findPath(endpoint, String(query["path"]));
  if ("problem" in resolved) return resolved;
  const fault = notASeries(resolved.path);
  if (fault !== undefined) return { problem: fault };
  const limit = Number(query["limit"] ?? 1_000);
  const toMs = findInstant(String(query["to"] ?? "")) ?? deps.clock.now() + 1;
  const fromMs = findInstant(String(query["from"] ?? "")) ?? toMs - dayMs;
  if (fromMs > toMs) return wrong("/from", "from is later than to");
  const range = { endpoint, path: resolved.path, fromMs, toMs, limit };
  const aggregate = aggregates.find((name) => name === query["aggregate"]);
  if (query["stepSeconds"] !== undefined) return bySteps(deps, { ...range, stepMs: Number(query["stepSeconds"]) * 1_000 }, aggregate);
  if (aggregate !== undefined) return wrong("/aggregate", "aggregate needs stepSeconds");
  const points = await deps.twins.history(range);
  const last = points.at(-1);
  return {
    status: 200,
    body: {
      endpoint,
      path: resolved.path,
      items: points.map(({ timeMs, receivedMs, value }) => ({ time: formatInstant(timeMs), receivedAt: formatInstant(receivedMs), value })),
      next: points.length === limit && last !== undefined ? formatInstant(last.timeMs + microsecondMs) : null,
    },
  };
}

async function bySteps(deps: HistoryRoutesDeps, query: DownsampleQuery, aggregate: Aggregate | undefined): Promise<Reply> {
  const { endpoint, path, stepMs, limit } = query;
  const steps = await deps.twins.downsampled(query);
  const last = steps.at(-1);
  return {
    status: 200,
    body: {
      endpoint,
      path,
      stepSeconds: stepMs / 1_000,
      items: steps.map((step) => {
        const all = aggregatesOf(step);
        const time = formatInstant(step.fromMs);
        return aggregate === undefined ? { time, ...all } : { time, value: all[aggregate] };
      }),
      next: steps.length === limit && last !== undefined ? formatInstant(last.fromMs + stepMs) : null,
    },
  };
}

/** Null where no value of the step is a number. */
function aggregatesOf({ count, first, last, numbers }: TelemetryStep): { readonly [name in Aggregate]: Json } {
  if (numbers === undefined) return { count, first, last, min: null, max: null, mean: null, sum: null };
  const { min, max, sum } = numbers;
  return { count, first, last, min, max, mean: sum / numbers.count, sum };
}

/** A series belongs to one value: an empty list for an object would read as "nothing happened". */
function notASeries(text: string): Problem | undefined {
  const path = findPath(text);
  const level = path === undefined ? "object" : levelOf(path);
  if (level === "resource" || level === "resourceInstance") return undefined;
  const detail = `${text} is an ${level}; a history belongs to a resource or a resource instance`;
  return { type: "bad-request", detail, errors: [{ pointer: "/path", detail }] };
}

function wrong(pointer: string, detail: string): Reply {
  return { problem: { type: "bad-request", detail, errors: [{ pointer, detail }] } };
}
