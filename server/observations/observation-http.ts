/** What is observed at devices over REST: made and ended by operations, and standing observations beside (`standing-http.ts`). */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { pageIn, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { OperationDoor } from "../operations/operation-door.ts";
import { operationHeaders, operationReplies } from "../operations/operation-http.ts";
import { operationProblem, operationSchema } from "../operations/operation-view.ts";
import type { Json } from "../storage/collection.ts";
import { ulidPattern } from "../ulid.ts";
import { findTarget, type Observation, observationId, targetOf } from "./observation.ts";
import type { ObservationService } from "./observation-service.ts";
import type { StandingDevice, StandingObservation } from "./standing.ts";
import type { StandingService } from "./standing-service.ts";

export const observationSchema: JsonSchema = {
  type: "object",
  required: ["id", "kind", "path", "state", "since"],
  properties: {
    id: { type: "string" },
    kind: { enum: ["device", "standing"], description: "device: what is observed at one device; standing: a wish for a device or a group" },
    endpoint: { type: "string" },
    group: { type: "string", description: "of a standing one, in place of endpoint" },
    path: { type: "string", description: "/ of a composite observation" },
    paths: { type: "array", items: { type: "string" }, description: "only of a composite observation" },
    attributes: { type: ["object", "null"], description: "as asked for, with what writeAttributes said at the path since" },
    inForce: {
      type: ["object", "null"],
      description: "the attributes it has at the device as far as this server wrote them, those of the object and instance included",
    },
    state: {
      enum: ["active", "waiting", "refused", "ended", "standing", "ending"],
      description:
        "waiting: the device registered anew, is gone, did not answer or is silent (silentSince); it is asked when it is back. refused: until refusal.retryAt, or it registers anew. ending: some devices have not been told yet",
    },
    endReason: { enum: ["cancelled", "withdrawn", "device-ended", null] },
    coapCode: { type: ["string", "null"] },
    since: { type: "string", format: "date-time" },
    silentSince: {
      type: "string",
      format: "date-time",
      description: "when it was last heard, of one whose notifications stay away for longer than they may: it is asked for anew",
    },
    fault: { type: ["object", "null"], description: "the last notification that could not be read" },
    refusal: {
      type: ["object", "null"],
      required: ["reason", "coapCode", "detail", "at", "retryAt"],
      description: "why it was not granted when last asked for",
    },
    standing: { type: "array", items: { type: "string" }, description: "standing observations that wish it, by id" },
    restore: { enum: ["always", "never"], description: "of a standing one" },
    createdAt: { type: "string", format: "date-time" },
    updatedAt: { type: "string", format: "date-time" },
    devices: { type: "object", description: "of a single standing one: its devices counted by state" },
  },
};

export interface ObservationDoor {
  readonly observations: ObservationService;
  readonly standings: StandingService;
  readonly door: OperationDoor;
}

export function observationRoutes(own: ObservationDoor): Route[] {
  return [
    {
      method: "GET",
      path: "/observations",
      name: "listObservations",
      summary:
        "Observations made by operations, then the standing ones. Of one endpoint: all that is observed at the device, whoever wishes it, and the standing ones for it alone; of one group: its standing ones.",
      query: { endpoint: { type: "string" }, group: { type: "string" }, ...pageParameters },
      replies: {
        200: { description: "A page of observations", schema: pageSchemaOf(observationSchema) },
      },
      handle: (request) => list(own, request),
    },
    {
      method: "GET",
      path: "/observations/{id}",
      name: "getObservation",
      summary: "One observation. The id of one at a device, percent-encoded, has a slash in it; of a standing one its devices are counted.",
      replies: { 200: { description: "The observation", schema: observationSchema } },
      handle: ({ params }) => get(own, params["id"] ?? ""),
    },
    {
      method: "DELETE",
      path: "/observations/{id}",
      name: "endObservation",
      summary:
        "Ends it. At a device: makes a cancelObserve operation and waits like createOperation; 409 when it has ended; the entry stays, in state ended, until the device is deleted. A standing one: 202; it is there, in state ending, until every device that can hear it is told.",
      headers: operationHeaders,
      replies: {
        ...operationReplies,
        202: {
          description: "The operation waits; or the standing observation ends",
          schema: { anyOf: [operationSchema, observationSchema] },
        },
      },
      handle: (request) => end(own, request),
    },
  ];
}

async function get({ observations, standings }: ObservationDoor, id: string): Promise<Reply> {
  const standing = ulidPattern.test(id) ? await standings.find(id) : undefined;
  if (standing !== undefined) return { status: 200, body: { ...standingView(standing), devices: await standings.counts(id) } };
  const found = await findById(observations, id);
  if (found === undefined) return unknownObservation(id);
  return { status: 200, body: viewOf(found, await standings.ofDevice(found.endpoint)) };
}

async function end({ observations, standings, door }: ObservationDoor, request: RouteRequest): Promise<Reply> {
  const id = request.params["id"] ?? "";
  const ending = ulidPattern.test(id) ? ((await standings.remove(id)) ?? (await standings.find(id))) : undefined;
  if (ending !== undefined) return { status: 202, body: standingView(ending), headers: { Location: `/api/v1/observations/${id}` } };
  const found = await findById(observations, id);
  if (found === undefined) return unknownObservation(id);
  const submitted = await door.submit(request, found.endpoint, { kind: "cancelObserve", ...targetOf(found) });
  if ("problem" in submitted) return submitted;
  const problem = operationProblem(submitted.operation);
  return problem === undefined ? door.reply(submitted.operation) : { problem };
}

/** The paths of a composite one in any order. */
async function findById(observations: ObservationService, id: string): Promise<Observation | undefined> {
  const found = findTarget(id);
  return found === undefined ? undefined : observations.findById(observationId(found.endpoint, found.target));
}

export function unknownObservation(id: string): Reply {
  return { problem: { type: "not-found", detail: `no observation has the id ${JSON.stringify(id)}` } };
}

/** Ids of observations at devices begin with a slash, which sorts before those of standing ones. */
async function list({ observations, standings }: ObservationDoor, { query }: RouteRequest): Promise<Reply> {
  const { endpoint, group } = query;
  const { limit, after } = pageIn(query);
  const wanted = typeof endpoint === "string" ? { endpoint } : {};
  const isPast = after !== undefined && !after.startsWith("/");
  const from = after === undefined ? {} : { after };
  const skipped = isPast || typeof group === "string";
  const held = skipped ? [] : await observations.list({ limit, ...wanted, ...from });
  const wishers = typeof endpoint === "string" && held.length > 0 ? await standings.ofDevice(endpoint) : [];
  const left = limit - held.length;
  const ofGroup = typeof group === "string" ? { group } : {};
  const standing = left === 0 ? [] : await standings.list({ limit: left, ...wanted, ...ofGroup, ...(isPast ? from : {}) });
  const items = [...held.map((each) => viewOf(each, wishers)), ...standing.map(standingView)];
  const last = standing.at(-1)?._id ?? held.at(-1)?._id ?? null;
  return { status: 200, body: { items, next: items.length === limit ? last : null } };
}

function viewOf(observation: Observation, wishers: readonly StandingDevice[]): { readonly [field: string]: Json } {
  const { _id, endpoint, path, paths, attributes, inForce, state, endReason, coapCode, since, fault, refusal = null } = observation;
  const { silentSince } = observation;
  return {
    id: _id,
    kind: "device",
    endpoint,
    path,
    ...(paths === undefined ? {} : { paths: [...paths] }),
    attributes: attributes === null ? null : { ...attributes },
    inForce: inForce ? { ...inForce } : null,
    state,
    endReason,
    coapCode,
    since: formatInstant(since),
    ...(silentSince ? { silentSince: formatInstant(silentSince) } : {}),
    fault: fault === null ? null : { at: formatInstant(fault.at), detail: fault.detail },
    refusal: refusal === null ? null : { ...refusal, at: formatInstant(refusal.at), retryAt: formatInstant(refusal.retryAt) },
    standing: wishers.filter((wisher) => wisher.observation === _id).map(({ standing }) => standing),
  };
}

export function standingView(standing: StandingObservation): { readonly [field: string]: Json } {
  const { _id, endpoint, group, path, paths, attributes, restore, state, createdAt, updatedAt } = standing;
  return {
    id: _id,
    kind: "standing",
    ...(endpoint === null ? { group } : { endpoint }),
    path,
    ...(paths === undefined ? {} : { paths: [...paths] }),
    attributes: attributes === null ? null : { ...attributes },
    restore,
    state,
    since: formatInstant(createdAt),
    createdAt: formatInstant(createdAt),
    updatedAt: formatInstant(updatedAt),
  };
}
