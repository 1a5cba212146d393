/** Object profiles over REST: which list a `pid` stands for. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { idOf, pageIn, pageOf, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import { findProfileFault, type ObjectProfile, type ObjectProfiles, type ProfileObjects, profileIdPattern } from "./object-profiles.ts";

const objectsSchema: JsonSchema = {
  type: "array",
  minItems: 1,
  maxItems: 500,
  items: {
    type: "object",
    required: ["id", "instances"],
    additionalProperties: false,
    properties: {
      id: { type: "integer", minimum: 0, maximum: 65_534 },
      version: {
        type: "string",
        pattern: "^\\d{1,3}\\.\\d{1,3}$",
        description: "absent: the one that the device's version of LwM2M implies",
      },
      instances: { type: "array", maxItems: 1_000, uniqueItems: true, items: { type: "integer", minimum: 0, maximum: 65_534 } },
    },
  },
};

const profileSchema: JsonSchema = {
  type: "object",
  required: ["id", "objects", "updatedAt"],
  properties: { id: { type: "string" }, objects: objectsSchema, updatedAt: { type: "string", format: "date-time" } },
};

const path = "/object-profiles/{id}";

export function objectProfileRoutes(profiles: ObjectProfiles): Route[] {
  return [
    {
      method: "GET",
      path: "/object-profiles",
      name: "listObjectProfiles",
      summary: "The object profiles by id; `next` is the value of `after` for the next page, null on the last",
      query: pageParameters,
      replies: {
        200: { description: "A page of profiles", schema: pageSchemaOf(profileSchema) },
      },
      handle: (request) => list(profiles, request),
    },
    {
      method: "GET",
      path,
      name: "getObjectProfile",
      summary: "The list a profile id stands for",
      replies: { 200: { description: "The profile", schema: profileSchema } },
      handle: async ({ params }) => found(await profiles.find(params["id"] ?? ""), params["id"]),
    },
    {
      method: "PUT",
      path,
      name: "putObjectProfile",
      summary: "Says which list a profile id (`pid` of LwM2M 1.2) stands for; devices that are registered keep theirs",
      body: { type: "object", required: ["objects"], additionalProperties: false, properties: { objects: objectsSchema } },
      replies: { 200: { description: "The profile", schema: profileSchema } },
      handle: (request) => put(profiles, request),
    },
    {
      method: "DELETE",
      path,
      name: "deleteObjectProfile",
      summary: "Forgets the profile: a device that names it and sends no list gets 4.09",
      replies: { 204: { description: "Forgotten" } },
      handle: async ({ params }) => ((await profiles.remove(params["id"] ?? "")) ? { status: 204 } : unknown(params["id"])),
    },
  ];
}

async function list(profiles: ObjectProfiles, { query }: RouteRequest): Promise<Reply> {
  const { limit, after } = pageIn(query);
  return pageOf(await profiles.list(limit, after), limit, viewOf, idOf);
}

async function put(profiles: ObjectProfiles, { params, body }: RouteRequest): Promise<Reply> {
  const id = params["id"] ?? "";
  if (!new RegExp(profileIdPattern).test(id)) {
    return {
      problem: { type: "bad-request", detail: `the id: got ${JSON.stringify(id)}, expected a profile id like 6:27354b9a or v:name` },
    };
  }
  const { objects } = body as { readonly objects: ProfileObjects };
  const fault = findProfileFault(objects);
  if (fault !== undefined) return { problem: { type: "bad-request", detail: fault.detail, errors: [fault] } };
  return { status: 200, body: viewOf(await profiles.set(id, objects)) };
}

function found(profile: ObjectProfile | undefined, id: string | undefined): Reply {
  return profile === undefined ? unknown(id) : { status: 200, body: viewOf(profile) };
}

function unknown(id: string | undefined): Reply {
  return { problem: { type: "not-found", detail: `no object profile has the id ${JSON.stringify(id)}` } };
}

function viewOf({ _id, objects, updatedAt }: ObjectProfile): { readonly [field: string]: Json } {
  const listed = objects.map(({ id, version, instances }) => ({
    id,
    ...(version === undefined ? {} : { version }),
    instances: [...instances],
  }));
  return { id: _id, objects: listed, updatedAt: formatInstant(updatedAt) };
}
