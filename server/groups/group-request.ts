/** Bodies of requests about groups, read after the schema of their route let them pass. */
import type { Json } from "../storage/collection.ts";
import { isJsonObject, type JsonObject } from "../storage/json-object.ts";
import { type GroupQuery, plainTraits } from "./group.ts";
import type { GroupChange, NewGroup } from "./group-service.ts";

export function newGroupIn(body: Json | undefined): NewGroup {
  const { name, query, members } = fieldsOf(body);
  return {
    name: textIn(name),
    ...(query === undefined ? {} : { query: queryIn(query) }),
    ...(members === undefined ? {} : { members: textsIn(members) }),
  };
}

export function groupChangeIn(body: Json | undefined): GroupChange {
  const { name, query, add, remove } = fieldsOf(body);
  return {
    ...(name === undefined ? {} : { name: textIn(name) }),
    ...(query === undefined ? {} : { query: queryIn(query) }),
    ...(add === undefined ? {} : { add: textsIn(add) }),
    ...(remove === undefined ? {} : { remove: textsIn(remove) }),
  };
}

export function tagsIn(body: Json | undefined): readonly string[] {
  return textsIn(fieldsOf(body)["tags"]);
}

function queryIn(asked: Json): GroupQuery {
  const { endpointPrefix, queueMode, tags, q, ...others } = fieldsOf(asked);
  const texts = plainTraits.flatMap((trait) => (others[trait] === undefined ? [] : [[trait, textIn(others[trait])]]));
  return {
    ...Object.fromEntries(texts),
    ...(endpointPrefix === undefined ? {} : { endpointPrefix: textIn(endpointPrefix) }),
    ...(queueMode === undefined ? {} : { queueMode: queueMode === true }),
    ...(tags === undefined ? {} : { tags: textsIn(tags) }),
    ...(q === undefined ? {} : { q: textIn(q) }),
  };
}

function fieldsOf(json: Json | undefined): JsonObject {
  if (!isJsonObject(json)) throw new Error("the schema asks for an object");
  return json;
}

function textIn(json: Json | undefined): string {
  if (typeof json !== "string") throw new Error("the schema asks for text");
  return json;
}

function textsIn(json: Json | undefined): readonly string[] {
  if (!Array.isArray(json)) throw new Error("the schema asks for a list");
  return json.map(textIn);
}
