/** The registry over REST. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Condition, Fields } from "../filter/filter.ts";
import { parseFilter } from "../filter/filter-parser.ts";
import { filterProblem, filterSchema, filterWords } from "../filter/filter-query.ts";
import { idOf, pageIn, pageOf, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import { outlookProperties } from "../outlook/outlook-view.ts";
import type { Json } from "../storage/collection.ts";
import { type Device, type DeviceFacet, type Devices, neverSeen } from "./device.ts";

export interface DeviceRoutesDeps {
  readonly devices: Devices;
  /** In the order in which a deleted device is let go of: operations before registration. */
  readonly facets: readonly DeviceFacet[];
  /** What each of them waits for, by endpoint name: for a page, a question for all. */
  /** Those that fit a filter; a page may be shorter than asked for though more follow. */
  readonly search?: DeviceSearch;
  readonly describeAll?: (devices: readonly Device[]) => Promise<ReadonlyMap<string, { readonly [field: string]: Json }>>;
}

export interface DeviceSearch {
  readonly fields: Fields;
  find(
    condition: Condition,
    page: { readonly limit: number; readonly after?: string },
  ): Promise<{ readonly devices: readonly Device[]; readonly next: string | null }>;
}

const instant: JsonSchema = { type: "string", format: "date-time" };
export const deviceSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "createdAt", "lastSeenAt"],
  properties: {
    endpoint: { type: "string" },
    createdAt: instant,
    lastSeenAt: { type: ["string", "null"], format: "date-time", description: "null: never" },
    state: { enum: ["quarantined"], description: "of a device nobody expected, until it is claimed" },
    ...outlookProperties,
    tolerances: {
      type: "array",
      description: "of a single device: what it sent beyond the specifications and was let pass",
      items: {
        type: "object",
        required: ["code", "door", "count", "firstAt", "lastAt"],
        properties: {
          code: { type: "string", description: "stable" },
          door: { enum: ["register", "update", "answer", "notify", "send", "bootstrap"], description: "where it came in last" },
          count: { type: "integer" },
          firstAt: instant,
          lastAt: instant,
        },
      },
    },
  },
};

export function deviceRoutes(deps: DeviceRoutesDeps): Route[] {
  return [
    {
      method: "GET",
      path: "/devices",
      name: "listDevices",
      summary:
        "The devices by endpoint name; `next` is the value of `after` for the next page, null on the last. With `q` a page may be shorter than `limit`, or empty, though more follow.",
      query: {
        ...pageParameters,
        state: { enum: ["quarantined"] },
        ...(deps.search === undefined ? {} : { q: { ...filterSchema, description: filterWords(deps.search.fields) } }),
      },
      replies: {
        200: { description: "A page of devices", schema: pageSchemaOf(deviceSchema) },
      },
      handle: (request) => list(deps, request),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}",
      name: "getDevice",
      summary:
        "One device: when it was seen, its registration (null when there is none), whether it is awake, when it is expected next, how much waits for it, and which deviations from the specifications were let pass, by code (`tolerances`).",
      replies: { 200: { description: "The device", schema: deviceSchema } },
      handle: (request) => get(deps, request),
    },
    {
      method: "DELETE",
      path: "/devices/{endpoint}",
      name: "deleteDevice",
      summary:
        "Forgets the device: its waiting operations are cancelled, its registration, observations and last values go. The history and the events stay. A device that registers again is a new one.",
      replies: { 204: { description: "Forgotten" } },
      handle: (request) => remove(deps, request),
    },
  ];
}

async function list(deps: DeviceRoutesDeps, { query }: RouteRequest): Promise<Reply> {
  const { devices, describeAll, search } = deps;
  const page = pageIn(query);
  if (search !== undefined && typeof query["q"] === "string") return searched(deps, search, query["q"], query);
  const state = query["state"] === "quarantined" ? { state: "quarantined" as const } : {};
  const found = await devices.list({ ...page, ...state });
  const outlooks = await describeAll?.(found);
  return pageOf(found, page.limit, (device) => ({ ...viewOf(device), ...outlooks?.get(device._id) }), idOf);
}

async function searched({ describeAll }: DeviceRoutesDeps, search: DeviceSearch, q: string, query: RouteRequest["query"]): Promise<Reply> {
  const reading = parseFilter(q, search.fields);
  if (!reading.ok) return { problem: filterProblem(reading.fault, "/q", "q") };
  const inState: Condition = { kind: "equals", field: "state", values: ["quarantined"], not: false };
  const condition: Condition =
    query["state"] === "quarantined" ? { kind: "and", conditions: [inState, reading.condition] } : reading.condition;
  const { devices, next } = await search.find(condition, pageIn(query));
  const outlooks = await describeAll?.(devices);
  return { status: 200, body: { items: devices.map((device) => ({ ...viewOf(device), ...outlooks?.get(device._id) })), next } };
}

async function get({ devices, facets, describeAll }: DeviceRoutesDeps, { params }: RouteRequest): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  const device = await devices.find(endpoint);
  if (device === undefined) return unknownDevice(endpoint);
  const outlook = describeAll?.([device]);
  const fields = await Promise.all(facets.map((facet) => facet.describe(endpoint)));
  return { status: 200, body: Object.assign(viewOf(device), (await outlook)?.get(endpoint), ...fields) as { [field: string]: Json } };
}

async function remove(deps: DeviceRoutesDeps, { params }: RouteRequest): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  if (!(await deps.devices.isKnown(endpoint))) return unknownDevice(endpoint);
  await forgetDevice(deps, endpoint);
  return { status: 204 };
}

export async function forgetDevice({ devices, facets }: DeviceRoutesDeps, endpoint: string): Promise<void> {
  for (const facet of facets) await facet.forget(endpoint);
  await devices.remove(endpoint);
}

export function viewOf({ _id, createdAt, lastSeenAt, state }: Device): { [field: string]: Json } {
  return {
    endpoint: _id,
    createdAt: formatInstant(createdAt),
    lastSeenAt: lastSeenAt === neverSeen ? null : formatInstant(lastSeenAt),
    ...(state === undefined ? {} : { state }),
  };
}

export function unknownDevice(endpoint: string): Reply {
  return { problem: { type: "device-unknown", detail: `no device named ${JSON.stringify(endpoint)} has registered here` } };
}
