/** JSON Schema (2020-12) of one instance of an object, in the JSON form of the REST API: named resources, typed values. */
import type { ObjectDefinition, ResourceDefinition } from "./definition.ts";
import { resourceNames } from "./names.ts";
import { findRange, type Range } from "./range.ts";

export type JsonSchema = { readonly [keyword: string]: unknown };

/** Every resource with a value is a property under its name; a multi-instance resource is an object keyed by resource instance id. */
export function instanceSchema(object: ObjectDefinition): JsonSchema {
  const { nameOf } = resourceNames(object);
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const resource of object.resources.values()) {
    if (resource.operations === "E") continue;
    const name = nameOf.get(resource.id) ?? String(resource.id);
    properties[name] = resourceSchema(resource);
    if (resource.mandatory) required.push(name);
  }
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: versionedUrn(object),
    title: object.name,
    type: "object",
    properties,
    required,
    additionalProperties: false,
  };
}

function versionedUrn({ urn, version }: ObjectDefinition): string {
  return urn.endsWith(`:${version}`) ? urn : `${urn}:${version}`;
}

function resourceSchema(resource: ResourceDefinition): JsonSchema {
  const facts = {
    title: resource.name,
    ...(resource.operations === "R" ? { readOnly: true } : {}),
    ...(resource.operations === "W" ? { writeOnly: true } : {}),
    ...(resource.unit === undefined ? {} : { "x-unit": resource.unit }),
    "x-lwm2m-id": resource.id,
  };
  const value = valueSchema(resource);
  if (!resource.multiple) return { ...facts, ...value };
  return { ...facts, type: "object", patternProperties: { "^(0|[1-9][0-9]{0,4})$": value }, additionalProperties: false };
}

/** 64-bit integers are strings beyond 2^53: JSON readers would round the number. */
const integerText: JsonSchema = { type: "string", pattern: "^-?(0|[1-9][0-9]{0,19})$" };

function valueSchema({ type, range }: ResourceDefinition): JsonSchema {
  const bounds = range === undefined ? undefined : findRange(range, type);
  switch (type) {
    case undefined:
      return {};
    case "integer":
      return { anyOf: [{ type: "integer", ...numberBounds(bounds) }, integerText] };
    case "unsigned":
      return {
        anyOf: [
          { type: "integer", minimum: 0, ...numberBounds(bounds) },
          { type: "string", pattern: "^(0|[1-9][0-9]{0,19})$" },
        ],
      };
    case "float":
      return { type: "number", ...numberBounds(bounds) };
    case "boolean":
      return { type: "boolean" };
    case "time":
      return { anyOf: [{ type: "string", format: "date-time" }, { type: "integer" }] };
    case "opaque":
      return { type: "string", contentEncoding: "base64" };
    case "objlnk":
      return { type: "string", pattern: "^[0-9]{1,5}:[0-9]{1,5}$" };
    case "string":
      return { type: "string", ...lengthBounds(bounds) };
    case "corelnk":
      return { type: "string" };
  }
}

function numberBounds(range: Range | undefined): JsonSchema {
  const only = range?.[0];
  if (range === undefined || only === undefined) return {};
  if (range.length === 1) return { minimum: Number(only.min), maximum: Number(only.max) };
  return { anyOf: range.map(({ min, max }) => ({ minimum: Number(min), maximum: Number(max) })) };
}

/** Schema counts characters, the model bytes: a text within the bytes is always within as many characters. */
function lengthBounds(range: Range | undefined): JsonSchema {
  if (range === undefined) return {};
  return { maxLength: Math.max(...range.map(({ max }) => Number(max))) };
}
