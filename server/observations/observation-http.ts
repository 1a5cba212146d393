/** Standing observations over REST; they are made and ended by operations. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { OperationDoor } from "../operations/operation-door.ts";
import { operationHeaders, operationReplies } from "../operations/operation-http.ts";
import { operationProblem } from "../operations/operation-view.ts";
import type { Json } from "../storage/collection.ts";
import { findTarget, type Observation, observationId, targetOf } from "./observation.ts";
import type { ObservationService } from "./observation-service.ts";

const observationSchema: JsonSchema = {
  type: "object",
  required: ["id", "endpoint", "path", "state", "since"],
  properties: {
    id: { type: "string" },
    endpoint: { type: "string" },
    path: { type: "string", description: "/ of a composite observation" },
    paths: { type: "array", items: { type: "string" }, description: "only of a composite observation" },
    attributes: { type: ["object", "null"] },
    state: {
      enum: ["active", "waiting", "ended"],
      description: "waiting: the device registered anew or is gone; it is asked again when it is back",
    },
    endReason: { enum: ["cancelled", "device-ended", null] },
    coapCode: { type: ["string", "null"] },
    since: { type: "string", format: "date-time" },
    fault: { type: ["object", "null"], description: "the last notification that could not be read" },
  },
};

export function observationRoutes(observations: ObservationService, door: OperationDoor): Route[] {
  return [
    {
      method: "GET",
      path: "/observations",
      name: "listObservations",
      summary: "The standing observations of all devices or of one",
      query: {
        endpoint: { type: "string" },
        limit: { type: "integer", minimum: 1, maximum: 1_000, default: 100 },
        after: { type: "string" },
      },
      replies: {
        200: {
          description: "A page of observations",
          schema: {
            type: "object",
            required: ["items", "next"],
            properties: { items: { type: "array", items: observationSchema }, next: { type: ["string", "null"] } },
          },
        },
      },
      handle: (request) => list(observations, request),
    },
    {
      method: "GET",
      path: "/observations/{id}",
      name: "getObservation",
      summary: "One observation; its id, percent-encoded, has a slash in it",
      replies: { 200: { description: "The observation", schema: observationSchema } },
      async handle({ params }) {
        const found = await findById(observations, params["id"] ?? "");
        return found === undefined ? unknownObservation(params["id"]) : { status: 200, body: viewOf(found) };
      },
    },
    {
      method: "DELETE",
      path: "/observations/{id}",
      name: "endObservation",
      summary:
        "Ends the observation: makes a cancelObserve operation and waits like createOperation; 409 when it has ended. The entry stays, in state ended, until the device is deleted.",
      headers: operationHeaders,
      replies: operationReplies,
      handle: (request) => end(observations, door, request),
    },
  ];
}

async function end(observations: ObservationService, door: OperationDoor, request: RouteRequest): Promise<Reply> {
  const found = await findById(observations, request.params["id"] ?? "");
  if (found === undefined) return unknownObservation(request.params["id"]);
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

function unknownObservation(id = ""): Reply {
  return { problem: { type: "not-found", detail: `no observation has the id ${JSON.stringify(id)}` } };
}

async function list(observations: ObservationService, { query }: RouteRequest): Promise<Reply> {
  const { endpoint, after } = query;
  const limit = Number(query["limit"] ?? 100);
  const found = await observations.list({
    limit,
    ...(typeof endpoint === "string" ? { endpoint } : {}),
    ...(typeof after === "string" ? { after } : {}),
  });
  const next = found.length === limit ? (found.at(-1)?._id ?? null) : null;
  return { status: 200, body: { items: found.map(viewOf), next } };
}

function viewOf(observation: Observation): { readonly [field: string]: Json } {
  const { _id, endpoint, path, paths, attributes, state, endReason, coapCode, since, fault } = observation;
  return {
    id: _id,
    endpoint,
    path,
    ...(paths === undefined ? {} : { paths: [...paths] }),
    attributes: attributes === null ? null : { ...attributes },
    state,
    endReason,
    coapCode,
    since: formatInstant(since),
    fault: fault === null ? null : { at: formatInstant(fault.at), detail: fault.detail },
  };
}
