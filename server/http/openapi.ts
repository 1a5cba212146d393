/** The OpenAPI 3.1 document, from the routes that are served: what is described is what is checked. */
import type { Json } from "../storage/collection.ts";
import { problemTypes } from "./problem.ts";
import { isBodyRequired } from "./request-schema.ts";
import type { JsonSchema, Route } from "./route.ts";

export interface OpenApiSources {
  readonly version: string;
  /** Under the prefix, behind the key. */
  readonly routes: readonly Route[];
  readonly openRoutes: readonly Route[];
  readonly prefix: string;
}

/** The route that serves the document; it describes itself too. */
export function openApiRoute(sources: OpenApiSources): Route {
  const route: Route = {
    method: "GET",
    path: "/openapi.json",
    name: "getOpenApi",
    summary: "This API as an OpenAPI 3.1 document",
    replies: { 200: { description: "The document", schema: { type: "object" } } },
    handle: async () => ({ status: 200, body: document }),
  };
  const document = openApiDocument({ ...sources, routes: [...sources.routes, route] });
  return route;
}

export function openApiDocument({ version, routes, openRoutes, prefix }: OpenApiSources): Json {
  const paths: { [path: string]: { [method: string]: unknown } } = {};
  const add = (route: Route, base: string, isOpen: boolean): void => {
    const path = base + route.path.replaceAll("...}", "}");
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route, isOpen);
  };
  for (const route of openRoutes) add(route, "", true);
  for (const route of routes) add(route, prefix, false);
  const document = {
    openapi: "3.1.0",
    info: { title: "LwM2M device management", version },
    paths,
    components: {
      schemas: { Problem: problemSchema },
      responses: {
        Problem: {
          description: "What went wrong (RFC 9457)",
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
    },
    security: [{ key: [] }],
  };
  // Schemas are readonly objects of unknown members; as a document they are JSON and nothing else.
  return JSON.parse(JSON.stringify(document));
}

function operationOf(route: Route, isOpen: boolean): unknown {
  const parameters = [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)];
  const replies: { [status: string]: unknown } = {};
  for (const [status, { description, schema, streams = {} }] of Object.entries(route.replies)) {
    const media = Object.entries(streams).map(([type, line]) => [type, { schema: { type: "string", description: line } }] as const);
    const content = Object.fromEntries([...(schema === undefined ? [] : [["application/json", { schema }] as const]), ...media]);
    replies[status] = {
      description,
      ...(status === "202" ? { headers: acceptedHeaders } : {}),
      ...(Object.keys(content).length === 0 ? {} : { content }),
    };
  }
  return {
    operationId: route.name,
    summary: route.summary,
    tags: [route.path.split("/")[1] ?? ""],
    ...(isOpen ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: requestBodyOf(route, route.body) }),
    responses: { ...replies, default: { $ref: "#/components/responses/Problem" } },
  };
}

function pathParameters(route: Route): readonly unknown[] {
  return [...route.path.matchAll(/\{([a-zA-Z]+)(\.\.\.)?\}/g)].map(([, name, rest]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
    ...(rest === undefined ? {} : { description: "takes the rest of the address, slashes included" }),
  }));
}

function queryParameters(route: Route): readonly unknown[] {
  return Object.entries(route.query ?? {}).map(([name, schema]) => ({
    name,
    in: "query",
    required: route.requiredQuery?.includes(name) ?? false,
    schema,
  }));
}

function headerParameters({ headers = [] }: Route): readonly unknown[] {
  return headers.map((name) => ({ name, in: "header", required: false, ...headerDescriptions[name] }));
}

const headerDescriptions = {
  Prefer: {
    schema: { type: "string" },
    description: "wait=N holds the reply up to N seconds, respond-async answers at once (RFC 7240)",
    examples: { wait: { value: "wait=10" }, async: { value: "respond-async" } },
  },
  "Idempotency-Key": {
    schema: { type: "string", minLength: 1, maxLength: 255 },
    description: "the same key with the same request gives the same operation, for a day; with another request 422",
  },
  "If-Match": {
    schema: { type: "string" },
    description: "the ETag of what was read: when it has changed since, nothing is done, 412 (RFC 9110 §13.1.1)",
  },
} as const;

const acceptedHeaders = {
  Location: { description: "where the operation stands", schema: { type: "string" } },
  "Retry-After": { description: "seconds until it is worth asking again", schema: { type: "integer" } },
} as const;

function requestBodyOf(route: Route, body: JsonSchema | "binary"): unknown {
  const mediaTypes = route.mediaTypes ?? ["application/octet-stream"];
  const content = body === "binary" ? Object.fromEntries(mediaTypes.map((name) => [name, {}])) : { "application/json": { schema: body } };
  return { required: isBodyRequired(route), content };
}

const problemSchema = {
  type: "object",
  properties: {
    type: { type: "string", enum: Object.keys(problemTypes).map((name) => `urn:lwm2m:problem:${name}`) },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string" },
    code: { type: "string", enum: Object.keys(problemTypes) },
    errors: {
      type: "array",
      items: {
        type: "object",
        properties: { pointer: { type: "string" }, detail: { type: "string" } },
        required: ["pointer", "detail"],
      },
    },
    coapCode: { type: "string", examples: ["4.05"] },
    retryAfterSeconds: { type: "number" },
    traceId: { type: "string" },
  },
  required: ["type", "title", "status", "detail", "instance", "code", "traceId"],
} as const;
