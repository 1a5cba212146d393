/** Histories and latest values over all devices. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { findPath, formatPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { pageIn, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { TelemetryStore } from "../storage/store.ts";
import { chooseType, csv, exportReply, exportStreams, ndjson } from "./history-export.ts";
import { outermost } from "./history-http.ts";
import { pathsOf, rangeQuery, readRange, wrong } from "./history-range.ts";
import { columnsOf, namesOf, rowPages } from "./history-rows.ts";
import type { LatestValues } from "./latest-values.ts";

export interface FleetRoutesDeps {
  readonly telemetry: TelemetryStore;
  readonly latest: Pick<LatestValues, "page">;
  readonly registry: ObjectRegistry;
  readonly clock: Pick<Clock, "now">;
}

const instant: JsonSchema = { type: "string", format: "date-time" };

export function fleetHistoryRoutes(deps: FleetRoutesDeps): Route[] {
  return [
    {
      method: "GET",
      path: "/history",
      name: "exportHistory",
      summary:
        "The history of a path over all devices, deleted ones included, as a stream of newline-delimited JSON (default) or CSV: path by path, then device by device, each oldest first; range and steps as in getHistory. A stream that breaks off is not complete; of one path it goes on behind the device it had got to (`after`).",
      query: { ...rangeQuery, after: { type: "string", description: "only devices whose endpoint name comes behind this one" } },
      requiredQuery: ["path"],
      replies: { 200: { description: "Points, or steps", streams: exportStreams } },
      handle: (request) => exportAll(deps, request),
    },
    {
      method: "GET",
      path: "/latest",
      name: "listLatest",
      summary:
        "The last known value of a resource, device by device in the order of their names. `next` is the value of `after` for the next page, null on the last; a page may have fewer items than asked for.",
      query: {
        path: { type: "string", minLength: 1, description: "/3303/0/5700 or temperature/0/sensorValue; its resource instances too" },
        ...pageParameters,
      },
      requiredQuery: ["path"],
      replies: { 200: { description: "A page of values", schema: pageSchemaOf(latestSchema) } },
      handle: (request) => listLatest(deps, request),
    },
  ];
}

const latestSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "path", "type", "value", "time", "receivedAt", "ageSeconds"],
  properties: {
    endpoint: { type: "string" },
    path: { type: "string" },
    type: { type: "string" },
    value: {},
    time: { ...instant, description: "when the device took it, or when it arrived" },
    receivedAt: instant,
    ageSeconds: { type: "number", description: "since `time`; negative when the clock of the device is ahead" },
  },
};

async function exportAll({ telemetry, registry, clock }: FleetRoutesDeps, { query, headers }: RouteRequest): Promise<Reply> {
  const type = chooseType(headers["accept"], [ndjson, csv]);
  if (typeof type !== "string") return type;
  const paths: string[] = [];
  for (const text of pathsOf(query)) {
    const path = findNamed(registry, text);
    if (path === undefined) return unknownPath(registry, text);
    paths.push(path);
  }
  const range = readRange(query, clock.now());
  if ("problem" in range) return range;
  const after = query["after"] === undefined ? undefined : Buffer.from(String(query["after"]));
  const names = namesOf(
    telemetry,
    outermost(paths).map((under) => ({ under })),
    // In the order of the engines: by bytes.
    ({ endpoint }) => after === undefined || Buffer.compare(Buffer.from(endpoint), after) > 0,
  );
  return exportReply(rowPages(telemetry, names, range), columnsOf(range), type);
}

async function listLatest({ latest, registry, clock }: FleetRoutesDeps, { query }: RouteRequest): Promise<Reply> {
  const path = findNamed(registry, String(query["path"]));
  if (path === undefined) return unknownPath(registry, String(query["path"]));
  const level = levelOf(findPath(path) ?? { objectId: 0 });
  if (level !== "resource" && level !== "resourceInstance") return wrong("/path", `${path} is an ${level}, expected a resource`);
  const page = await latest.page({ path, ...pageIn(query) });
  const nowMs = clock.now();
  const items = page.values.map(({ endpoint, path: at, known }) => ({
    endpoint,
    path: at,
    type: known.type,
    value: known.value,
    time: formatInstant(known.observedAt),
    receivedAt: formatInstant(known.receivedAt),
    ageSeconds: Math.round(nowMs - known.observedAt) / 1_000,
  }));
  return { status: 200, body: { items, next: page.next ?? null } };
}

/** By the catalogue: devices may have registered any version. */
function findNamed(registry: ObjectRegistry, text: string): string | undefined {
  const path = deviceModel(registry, undefined).names.find(text);
  return path === undefined ? undefined : formatPath(path);
}

function unknownPath(registry: ObjectRegistry, text: string): Reply {
  const detail = deviceModel(registry, undefined).faultOf(text);
  return { problem: { type: "path-not-in-model", detail, errors: [{ pointer: "/path", detail }] } };
}
