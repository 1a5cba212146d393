/** What resources of a device were over time, over REST: point by point or by steps of time, in pages or as a stream of everything. */
import { contains, findPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import type { Reply, Route, RouteRequest } from "../http/route.ts";
import type { OperationDoor } from "../operations/operation-door.ts";
import type { JsonObject } from "../storage/json-object.ts";
import type { SeriesName, TelemetryStore } from "../storage/store.ts";
import { chooseType, csv, exportReply, exportStreams, ndjson } from "./history-export.ts";
import { type HistoryRange, pathsOf, rangeQuery, readRange, wrong } from "./history-range.ts";
import { columnsOf, namesOf, pointView, rowPages, stepView } from "./history-rows.ts";

export interface HistoryRoutesDeps {
  readonly telemetry: TelemetryStore;
  readonly devices: Pick<Devices, "isKnown">;
  readonly door: Pick<OperationDoor, "findPath">;
  readonly clock: Pick<Clock, "now">;
}

const json = "application/json";
/** Two points of a series are farther apart. */
const microsecondMs = 0.001;
const usualLimit = 1_000;
const greatestLimit = 10_000;
/** Series named in a refusal. */
const shownInstances = 5;

export function historyRoutes(deps: HistoryRoutesDeps): Route[] {
  return [
    {
      method: "GET",
      path: "/devices/{endpoint}/history",
      name: "getHistory",
      summary:
        "The values of a resource over time, oldest first, from (inclusive) to (exclusive); by default the last day. With stepSeconds one item for each step of that length that has values, counted from `from`: all aggregates, or as `value` the one that is asked for. min, max, mean and sum are of values that are numbers. `next` is the next `from`. With Accept: application/x-ndjson or text/csv everything in the range as one stream, of several paths, of objects and instances, or without `path` of the whole device: one series after the other; a stream that breaks off is not complete.",
      query: {
        ...rangeQuery,
        limit: { type: "integer", minimum: 1, maximum: greatestLimit, description: `of a page, default ${usualLimit}` },
      },
      replies: {
        200: {
          description: "Points, or steps",
          schema: {
            type: "object",
            required: ["items", "next"],
            properties: { items: { type: "array" }, next: { type: ["string", "null"] } },
          },
          streams: exportStreams,
        },
      },
      handle: (request) => history(deps, request),
    },
  ];
}

async function history(deps: HistoryRoutesDeps, { params, query, headers }: RouteRequest): Promise<Reply> {
  const type = chooseType(headers["accept"], [json, ndjson, csv]);
  if (typeof type !== "string") return type;
  const endpoint = params["endpoint"] ?? "";
  if (!(await deps.devices.isKnown(endpoint))) return unknownDevice(endpoint);
  const paths: string[] = [];
  for (const text of pathsOf(query)) {
    const resolved = await deps.door.findPath(endpoint, text, "/path");
    if ("problem" in resolved) return resolved;
    paths.push(resolved.path);
  }
  const range = readRange(query, deps.clock.now());
  if ("problem" in range) return range;
  const limit = query["limit"];
  if (type === json) return page(deps, endpoint, paths, { ...range, limit: Number(limit ?? usualLimit) });
  if (limit !== undefined) return wrong("/limit", "a stream has everything in the range");
  const questions = paths.length === 0 ? [{ endpoint }] : outermost(paths).map((under) => ({ endpoint, under }));
  return exportReply(rowPages(deps.telemetry, namesOf(deps.telemetry, questions), range), columnsOf(range), type);
}

/** Without those that lie below others of them. */
export function outermost(paths: readonly string[]): readonly string[] {
  const parsed = [...new Set(paths)].flatMap((text) => {
    const path = findPath(text);
    return path === undefined ? [] : [{ text, path }];
  });
  return parsed.filter((one) => !parsed.some((other) => other !== one && contains(other.path, one.path))).map(({ text }) => text);
}

async function page(
  deps: HistoryRoutesDeps,
  endpoint: string,
  [path, ...more]: readonly string[],
  range: HistoryRange & { readonly limit: number },
): Promise<Reply> {
  if (path === undefined) return wrong("/path", "is missing; with Accept: application/x-ndjson or text/csv it may be");
  const fault = more.length > 0 ? "given twice; several are for Accept: application/x-ndjson or text/csv" : notASeries(path);
  if (fault !== undefined) return wrong("/path", fault);
  const { body, isEmpty } =
    range.steps === undefined
      ? await byPoints(deps, { endpoint, path }, range)
      : await bySteps(deps, { endpoint, path }, { ...range, ...range.steps });
  const inInstances = isEmpty ? await findInstances(deps, { endpoint, path }) : undefined;
  return inInstances === undefined ? { status: 200, body } : wrong("/path", inInstances);
}

/** Its values have series of their own: an empty list would read as "nothing happened". */
async function findInstances({ telemetry }: HistoryRoutesDeps, { endpoint, path }: SeriesName): Promise<string | undefined> {
  const names = await telemetry.series({ endpoint, under: path, limit: shownInstances + 1 });
  if (names.length === 0 || names.some((name) => name.path === path)) return undefined;
  const shown = names.slice(0, shownInstances).map((name) => name.path);
  const list = [...shown, ...(names.length > shownInstances ? ["…"] : [])].join(", ");
  return `${path} has values in resource instances: ${list}; ask for one of them (all: Accept: application/x-ndjson or text/csv)`;
}

interface Page {
  readonly body: JsonObject;
  readonly isEmpty: boolean;
}

async function byPoints(
  { telemetry }: HistoryRoutesDeps,
  name: SeriesName,
  range: HistoryRange & { readonly limit: number },
): Promise<Page> {
  const { fromMs, toMs, limit } = range;
  const points = await telemetry.range({ ...name, fromMs, toMs, limit });
  const last = points.at(-1);
  const next = points.length === limit && last !== undefined ? formatInstant(last.timeMs + microsecondMs) : null;
  return { body: { ...name, items: points.map(pointView), next }, isEmpty: points.length === 0 };
}

async function bySteps(
  { telemetry }: HistoryRoutesDeps,
  name: SeriesName,
  { fromMs, toMs, stepMs, aggregate, limit }: HistoryRange & NonNullable<HistoryRange["steps"]> & { readonly limit: number },
): Promise<Page> {
  const steps = await telemetry.downsample({ ...name, fromMs, toMs, stepMs, limit });
  const last = steps.at(-1);
  const next = steps.length === limit && last !== undefined ? formatInstant(last.fromMs + stepMs) : null;
  const items = steps.map((step) => stepView(step, aggregate));
  return { body: { ...name, stepSeconds: stepMs / 1_000, items, next }, isEmpty: steps.length === 0 };
}

/** A series belongs to one value: an empty list for an object would read as "nothing happened". */
function notASeries(text: string): string | undefined {
  const path = findPath(text);
  const level = path === undefined ? "object" : levelOf(path);
  if (level === "resource" || level === "resourceInstance") return undefined;
  return `${text} is an ${level}; a history belongs to a resource or a resource instance (all of them: Accept: application/x-ndjson or text/csv)`;
}
