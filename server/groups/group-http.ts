/** Groups over REST, and the tags of devices that their queries ask for. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { unknownDevice } from "../devices/device-http.ts";
import { filterSchema, filterWords, findFilterProblem } from "../filter/filter-query.ts";
import type { IdempotencyKeys, MadeReply, Refused } from "../http/idempotency.ts";
import { idOf, pageIn, pageOf, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { Problem } from "../http/problem.ts";
import type { JsonSchema, Reply, Route } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import { type Group, type GroupQuery, maxTags, traitFields } from "./group.ts";
import { groupChangeIn, newGroupIn, tagsIn } from "./group-request.ts";
import type { GroupOutcome, GroupService } from "./group-service.ts";

const text: JsonSchema = { type: "string", minLength: 1, maxLength: 256 };
const name: JsonSchema = { type: "string", minLength: 1, maxLength: 128 };
/** Members of one request: a page of the store. */
const endpoints: JsonSchema = { type: "array", maxItems: 1_000, uniqueItems: true, items: text };
const tags: JsonSchema = {
  type: "array",
  maxItems: maxTags,
  uniqueItems: true,
  items: { type: "string", pattern: "^[A-Za-z0-9._:/=-]{1,64}$" },
};

const query: JsonSchema = {
  type: "object",
  additionalProperties: false,
  description: "all that is named must fit, exactly; {} is every device",
  properties: {
    endpointPrefix: { ...text, description: "how the endpoint name begins" },
    manufacturer: { ...text, description: "/3/0/0 as last read or reported" },
    modelNumber: { ...text, description: "/3/0/1" },
    firmwareVersion: { ...text, description: "/3/0/3" },
    lwm2mVersion: { enum: ["1.0", "1.1", "1.2"], description: "of its last registration, as binding and queueMode" },
    binding: { ...text, maxLength: 16 },
    queueMode: { type: "boolean" },
    tags: { ...tags, description: "the device has them all" },
    q: { ...filterSchema, description: `${filterWords(traitFields)}, beside the other members` },
  },
};

const groupSchema: JsonSchema = {
  type: "object",
  required: ["id", "name", "kind", "query", "createdAt", "updatedAt"],
  properties: {
    id: { type: "string", description: "a ULID" },
    name: { type: "string" },
    kind: { enum: ["static", "query"] },
    query: { ...query, type: ["object", "null"] },
    createdAt: { type: "string", format: "date-time" },
    updatedAt: { type: "string", format: "date-time" },
  },
};

export function groupRoutes(groups: GroupService, keys: IdempotencyKeys): Route[] {
  return [...collectionRoutes(groups, keys), ...singleRoutes(groups), tagRoute(groups)];
}

function collectionRoutes(groups: GroupService, keys: IdempotencyKeys): Route[] {
  return [
    {
      method: "GET",
      path: "/groups",
      name: "listGroups",
      summary: "The groups, the oldest first",
      query: pageParameters,
      replies: { 200: { description: "A page of groups", schema: pageSchemaOf(groupSchema) } },
      async handle({ query: asked }) {
        const { limit, after = "" } = pageIn(asked);
        return pageOf(await groups.list(limit, after), limit, viewOf, idOf);
      },
    },
    {
      method: "POST",
      path: "/groups",
      name: "createGroup",
      summary: "A static group of the members named, or a query group of whoever fits, now and later",
      body: {
        type: "object",
        required: ["name"],
        additionalProperties: false,
        properties: { name, query, members: { ...endpoints, description: "endpoint names of devices that are known; not with query" } },
        not: { required: ["query", "members"] },
      },
      headers: ["Idempotency-Key"],
      replies: { 201: { description: "The group", schema: groupSchema } },
      handle: (request) =>
        keys.once<MadeReply>(request, {
          about: ["createGroup", request.body ?? null],
          newId: () => groups.newId(),
          async find(id) {
            const group = await groups.find(id);
            return group === undefined ? undefined : madeReply(group);
          },
          async make(id) {
            const wanted = newGroupIn(request.body);
            const problem = queryProblem(wanted.query);
            if (problem !== undefined) return { problem };
            const outcome = await groups.create(wanted, id);
            return outcome.ok ? madeReply(outcome.group) : problemOf(outcome);
          },
        }),
    },
  ];
}

function singleRoutes(groups: GroupService): Route[] {
  const one = (outcome: GroupOutcome): Reply => (outcome.ok ? { status: 200, body: viewOf(outcome.group) } : problemOf(outcome));
  return [
    {
      method: "GET",
      path: "/groups/{id}",
      name: "getGroup",
      summary: "One group",
      replies: { 200: { description: "The group", schema: groupSchema } },
      async handle({ params }) {
        const group = await groups.find(params["id"] ?? "");
        return group === undefined ? unknownGroup(params["id"]) : { status: 200, body: viewOf(group) };
      },
    },
    {
      method: "PATCH",
      path: "/groups/{id}",
      name: "changeGroup",
      summary: "Another name; another query of a query group; members that join and leave a static group",
      body: {
        type: "object",
        minProperties: 1,
        additionalProperties: false,
        properties: { name, query, add: endpoints, remove: endpoints },
      },
      bodyRequired: true,
      replies: { 200: { description: "The group as it is now", schema: groupSchema } },
      async handle({ params, body }) {
        const change = groupChangeIn(body);
        const problem = queryProblem(change.query);
        return problem === undefined ? one(await groups.change(params["id"] ?? "", change)) : { problem };
      },
    },
    {
      method: "DELETE",
      path: "/groups/{id}",
      name: "deleteGroup",
      summary: "Forgets the group, not its devices; 409 while a standing observation is on it",
      replies: { 204: { description: "Forgotten" } },
      async handle({ params }) {
        const outcome = await groups.remove(params["id"] ?? "");
        return outcome.ok ? { status: 204 } : problemOf(outcome);
      },
    },
    {
      method: "GET",
      path: "/groups/{id}/members",
      name: "listGroupMembers",
      summary: "Endpoint names of the members, in order; whoever is a member while the pages are read is in them, once",
      query: pageParameters,
      replies: { 200: { description: "A page of endpoint names", schema: pageSchemaOf({ type: "string" }) } },
      async handle({ params, query: asked }) {
        const group = await groups.find(params["id"] ?? "");
        if (group === undefined) return unknownGroup(params["id"]);
        const { limit, after = "" } = pageIn(asked);
        const asIs = (endpoint: string): string => endpoint;
        return pageOf(await groups.memberPage(group, limit, after), limit, asIs, asIs);
      },
    },
  ];
}

function tagRoute(groups: GroupService): Route {
  return {
    method: "PATCH",
    path: "/devices/{endpoint}",
    name: "changeDevice",
    summary: `The tags of the device, ${maxTags} at most, in place of those it had; queries of groups ask for them`,
    body: { type: "object", required: ["tags"], additionalProperties: false, properties: { tags } },
    replies: {
      200: {
        description: "The tags it has now",
        schema: { type: "object", required: ["endpoint", "tags"], properties: { endpoint: { type: "string" }, tags } },
      },
    },
    async handle({ params, body }) {
      const endpoint = params["endpoint"] ?? "";
      const wanted = tagsIn(body);
      if (!(await groups.setTags(endpoint, wanted))) return unknownDevice(endpoint);
      return { status: 200, body: { endpoint, tags: [...wanted] } };
    },
  };
}

function viewOf({ _id, name: named, query: asked, createdAt, updatedAt }: Group): { readonly [field: string]: Json } {
  return {
    id: _id,
    name: named,
    kind: asked === null ? "static" : "query",
    query: asked === null ? null : ({ ...asked } as { readonly [field: string]: Json }),
    createdAt: formatInstant(createdAt),
    updatedAt: formatInstant(updatedAt),
  };
}

function madeReply(group: Group): MadeReply {
  return { status: 201, body: viewOf(group), headers: { Location: `/api/v1/groups/${group._id}` } };
}

function queryProblem(asked: GroupQuery | undefined): Problem | undefined {
  return asked?.q === undefined ? undefined : findFilterProblem(asked.q, traitFields, "/query/q");
}

function unknownGroup(id = ""): Reply {
  return { problem: { type: "not-found", detail: `no group has the id ${JSON.stringify(id)}` } };
}

function problemOf(outcome: GroupOutcome & { readonly ok: false }): Refused {
  switch (outcome.reason) {
    case "unknown":
      return { problem: { type: "not-found", detail: "no group has this id" } };
    case "name-taken":
    case "other-kind":
    case "in-use":
      return { problem: { type: "conflict", detail: outcome.detail } };
    case "device-unknown": {
      const pointer = `/${outcome.field}/${outcome.position}`;
      const detail = `${pointer}: no device named ${JSON.stringify(outcome.name)} is known`;
      return { problem: { type: "device-unknown", detail, errors: [{ pointer, detail }] } };
    }
  }
}
