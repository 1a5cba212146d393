/** Standing observations over REST; they are made and ended by operations. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { Observation } from "./observation.ts";
import type { ObservationService } from "./observation-service.ts";

const observationSchema: JsonSchema = {
  type: "object",
  required: ["id", "endpoint", "path", "state", "since"],
  properties: {
    id: { type: "string" },
    endpoint: { type: "string" },
    path: { type: "string" },
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

export function observationRoutes(observations: ObservationService): Route[] {
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
  ];
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
  const { _id, endpoint, path, attributes, state, endReason, coapCode, since, fault } = observation;
  return {
    id: _id,
    endpoint,
    path,
    attributes: attributes === null ? null : { ...attributes },
    state,
    endReason,
    coapCode,
    since: formatInstant(since),
    fault: fault === null ? null : { at: formatInstant(fault.at), detail: fault.detail },
  };
}
