/** The REST addresses of a server world, called without HTTP: schemas of queries, bodies and replies are checked as the door does. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { deviceRoutes } from "../devices/device-http.ts";
import { quarantineRoutes } from "../devices/quarantine-http.ts";
import { packageRoutes } from "../firmware/package-http.ts";
import type { PackageService } from "../firmware/package-service.ts";
import { updateRoutes } from "../firmware/update-http.ts";
import { deviceSearch } from "../groups/device-search.ts";
import { groupRoutes } from "../groups/group-http.ts";
import { allHistoryRoutes } from "../history/all-history-routes.ts";
import { IdempotencyKeys } from "../http/idempotency.ts";
import { type CheckedRoute, routeChecker } from "../http/request-schema.ts";
import type { Reply, Route } from "../http/route.ts";
import { routeTable } from "../http/route-table.ts";
import { modelRoutes } from "../models/model-http.ts";
import { observationRoutes } from "../observations/observation-http.ts";
import { standingRoutes } from "../observations/standing-http.ts";
import { OperationDoor } from "../operations/operation-door.ts";
import { operationRoutes } from "../operations/operation-http.ts";
import { resourceRoutes } from "../operations/resource-http.ts";
import { linkProfileFacet, linkProfileRoutes } from "../registration/link-profile-http.ts";
import { modelUsers } from "../registration/model-users.ts";
import { objectProfileRoutes } from "../registration/object-profile-http.ts";
import { registrationFacet, registrationRoutes } from "../registration/registration-http.ts";
import { sendSettingRoutes } from "../sending/send-setting-http.ts";
import type { Json } from "../storage/collection.ts";
import { openSupervisor } from "../supervisor.ts";
import { traceFacet, traceRoutes } from "../trace/trace-http.ts";
import { twinRoutes } from "../twin/twin-http.ts";
import type { ServerWorld } from "./server-world.ts";
import type { RunningServer } from "./world-server.ts";

export interface Call {
  readonly body?: Json;
  readonly waitMs?: number;
  readonly key?: string;
  readonly headers?: { readonly [name: string]: string };
  /** The body of an upload, in chunks. */
  readonly upload?: readonly Uint8Array[];
}

export interface Answered {
  /** A status, or the type of the problem. */
  readonly status: number | string;
  readonly body: Json;
  readonly headers: { readonly [name: string]: string };
}

export type Rest = (method: string, address: string, call?: Call) => Promise<Answered>;

/** Of whichever server of the world runs when it is called. */
export function restOfRunning(worldNow: () => ServerWorld): Rest {
  let opened: { readonly server: RunningServer; readonly rest: Rest } | undefined;
  return (method, address, call) => {
    const world = worldNow();
    if (opened?.server !== world.server) opened = { server: world.server, rest: restOf(world) };
    return opened.rest(method, address, call);
  };
}

/** `packages`: in place of the world's own. */
export function restOf(world: ServerWorld, packages: PackageService = world.server.packages): Rest {
  const { server, registry, clock, store } = world;
  const {
    devices,
    links,
    traces,
    registrations,
    groups,
    operations,
    observations,
    standings,
    twins,
    updates,
    models,
    leniency,
    desired,
    sending,
    outlooks,
  } = server;
  const supervisor = openSupervisor({ error: (message) => assert.fail(message) });
  const keys = new IdempotencyKeys({ store, clock, supervisor, fingerprintKeys: [new Uint8Array(32)] });
  const door = new OperationDoor({ operations, registrations, registry, outlooks: outlooks.outlooks, keys, clock });
  const facets = [
    { describe: async () => ({}), forget: (endpoint: string) => sending.forget(endpoint) },
    { describe: async () => ({}), forget: (endpoint: string) => desired.forget(endpoint) },
    { describe: async () => ({}), forget: (endpoint: string) => operations.forget(endpoint) },
    { describe: async () => ({}), forget: (endpoint: string) => standings.forget(endpoint) },
    { describe: async () => ({}), forget: (endpoint: string) => observations.forget(endpoint) },
    { describe: async () => ({}), forget: (endpoint: string) => twins.forget(endpoint) },
    traceFacet(traces),
    linkProfileFacet(links),
    outlooks.facet,
    leniency,
    groups.facet(),
    registrationFacet(registrations),
  ];
  const routes: readonly Route[] = [
    ...deviceRoutes({ devices, facets, describeAll: outlooks.describeAll, search: deviceSearch(groups) }),
    ...quarantineRoutes(devices, keys),
    ...registrationRoutes({ registrations, devices, registry }),
    ...objectProfileRoutes(server.profiles),
    ...linkProfileRoutes({ links, devices, registrations }),
    ...traceRoutes({ traces, devices, registrations, registry }),
    ...groupRoutes(groups, keys),
    ...sendSettingRoutes({ sending, devices, groups }),
    ...operationRoutes({ operations, devices, door }),
    ...resourceRoutes(door),
    ...twinRoutes({ ...{ twins, desired, operations, observations, devices }, ...{ registrations, registry, door, clock } }),
    ...allHistoryRoutes({ store, devices, door, registry, clock }),
    ...observationRoutes({ observations, standings, door }),
    ...standingRoutes({ standings, groups, devices, registry, keys }),
    ...packageRoutes({ packages, updates, keys }),
    ...updateRoutes({ updates, packages, keys, isKnownDevice: (endpoint) => devices.isKnown(endpoint), now: () => clock.now() }),
    ...modelRoutes({ models, countUsers: modelUsers(registrations, registry) }),
  ];
  const table = routeTable(
    "",
    routes.map((route) => ({ route })),
  );
  return async (method, address, { body, waitMs, key, upload, headers = {} } = {}) => {
    const [path = "", search = ""] = address.split("?");
    const match = table.find(method, path);
    assert.ok(match.kind === "found", `${method} ${address}: ${match.kind}`);
    const checks = checksOf(match.entry.route);
    const query = checks.checkQuery(search);
    if (!query.ok) return answered({ problem: query.problem });
    const fault = upload === undefined ? checks.checkBody(body) : undefined;
    if (fault !== undefined) return answered({ problem: fault });
    const reply = await world.until(
      match.entry.route.handle({
        params: match.params,
        query: query.value,
        body,
        stream: upload === undefined ? undefined : Readable.from(upload),
        headers,
        preferWaitMs: waitMs,
        idempotencyKey: key,
        actor: "tester",
        traceId: "0".repeat(32),
        signal: new AbortController().signal,
      }),
    );
    if ("status" in reply && !("stream" in reply) && reply.body !== undefined) {
      assert.equal(checks.findReplyFault(reply.status, reply.body), undefined);
    }
    return answered(reply);
  };
}

const check = routeChecker();
const checked = new Map<string, CheckedRoute>();

/** Each world makes its routes anew, of the same schemas: they are compiled once for all, when they are needed. */
function checksOf(route: Route): CheckedRoute {
  const key = JSON.stringify(route);
  const known = checked.get(key) ?? check(route);
  checked.set(key, known);
  return known;
}

function answered(reply: Reply): Answered {
  if ("problem" in reply) return { status: reply.problem.type, body: { ...reply.problem } as unknown as Json, headers: {} };
  if ("stream" in reply) throw new Error("no address here streams");
  return { status: reply.status, body: reply.body ?? null, headers: reply.headers ?? {} };
}

/** A member of a reply, by names and positions. */
export function at(body: Json, ...steps: readonly (string | number)[]): Json | undefined {
  let here: unknown = body;
  for (const step of steps) here = here === null || typeof here !== "object" ? undefined : Reflect.get(here, step);
  return here as Json | undefined;
}
