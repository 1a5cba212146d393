/** Object models in the JSON of the API. */
import type { DdfFault } from "@lwm2m/object-registry/ddf-format-error";
import type { ObjectRegistry, ResourceDefinition } from "@lwm2m/object-registry/definition";
import { pathNames, resourceNames } from "@lwm2m/object-registry/names";
import { pathOf } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { JsonSchema } from "../http/route.ts";
import type { JsonObject } from "../storage/json-object.ts";
import type { KnownModel, ModelChange } from "./model-service.ts";

export function modelSummary({ source, definition, stored }: KnownModel): JsonObject {
  const { id, version, name, urn, multiple, mandatory, resources } = definition;
  const history =
    stored === undefined
      ? {}
      : {
          createdAt: formatInstant(stored.createdAt),
          createdBy: stored.createdBy,
          updatedAt: formatInstant(stored.updatedAt),
          updatedBy: stored.updatedBy,
        };
  return { id, version, name, urn, source, multiple, mandatory, resourceCount: resources.size, ...history };
}

export function modelView(model: KnownModel, registry: ObjectRegistry): JsonObject {
  const { definition } = model;
  const { nameOf } = resourceNames(definition);
  return {
    ...modelSummary(model),
    pathName: pathNames(registry).format(pathOf([definition.id])),
    resources: [...definition.resources.values()].map((resource) => ({
      ...resourceView(resource),
      pathName: nameOf.get(resource.id) ?? String(resource.id),
    })),
  };
}

export function changeView({ model, change }: ModelChange): JsonObject {
  return { ...modelSummary(model), change };
}

export function warningView({ detail, line, path }: DdfFault): JsonObject {
  return { detail, ...(line === undefined ? {} : { line }), ...(path === undefined ? {} : { pointer: path }) };
}

function resourceView({ id, name, operations, multiple, mandatory, type, range, unit }: ResourceDefinition): JsonObject {
  return { id, name, operations, multiple, mandatory, type: type ?? null, range: range ?? null, unit: unit ?? null };
}

const summaryProperties = {
  id: { type: "integer" },
  version: { type: "string", description: "major.minor" },
  name: { type: "string" },
  urn: { type: "string" },
  source: { enum: ["catalogue", "own"], description: "catalogue: published by OMA and part of this server; own: uploaded" },
  multiple: { type: "boolean", description: "More than one instance may exist" },
  mandatory: { type: "boolean" },
  resourceCount: { type: "integer" },
  createdAt: { type: "string", format: "date-time" },
  createdBy: { type: "string" },
  updatedAt: { type: "string", format: "date-time" },
  updatedBy: { type: "string" },
} as const;

const summaryRequired = ["id", "version", "name", "urn", "source", "multiple", "mandatory", "resourceCount"] as const;

export const summarySchema: JsonSchema = { type: "object", properties: summaryProperties, required: summaryRequired };

const textOrNull = { type: ["string", "null"] } as const;

const resourceSchema: JsonSchema = {
  type: "object",
  properties: {
    id: { type: "integer" },
    name: { type: "string" },
    pathName: { type: "string", description: "Stands for the id in a path" },
    operations: { enum: ["", "R", "W", "RW", "E"], description: "Empty: only the bootstrap server may touch it" },
    multiple: { type: "boolean" },
    mandatory: { type: "boolean" },
    type: { ...textOrNull, description: "null: executable, or published without a type" },
    range: { ...textOrNull, description: "Of the value for numbers, of the bytes for strings and opaque: 0..100 or 0,3..7" },
    unit: textOrNull,
  },
  required: ["id", "name", "pathName", "operations", "multiple", "mandatory", "type", "range", "unit"],
};

export const modelSchema: JsonSchema = {
  type: "object",
  properties: {
    ...summaryProperties,
    pathName: { type: "string", description: "Stands for the id in a path; of the newest version" },
    resources: { type: "array", items: resourceSchema },
  },
  required: [...summaryRequired, "pathName", "resources"],
};

export const pageSchema: JsonSchema = {
  type: "object",
  properties: {
    items: { type: "array", items: summarySchema },
    next: { ...textOrNull, description: "Give it as after for the next page" },
  },
  required: ["items", "next"],
};

export const versionsSchema: JsonSchema = {
  type: "object",
  properties: { id: { type: "integer" }, versions: { type: "array", items: summarySchema } },
  required: ["id", "versions"],
};

export const uploadSchema: JsonSchema = {
  type: "object",
  properties: {
    models: {
      type: "array",
      items: {
        type: "object",
        properties: { ...summaryProperties, change: { enum: ["added", "replaced"] } },
        required: [...summaryRequired, "change"],
      },
    },
    warnings: {
      type: "array",
      description: "What the file says and the model does not keep",
      items: {
        type: "object",
        properties: { detail: { type: "string" }, line: { type: "integer" }, pointer: { type: "string" } },
        required: ["detail"],
      },
    },
  },
  required: ["models", "warnings"],
};
