import type { Json } from "./collection.ts";

export type JsonObject = { readonly [member: string]: Json };

export function isJsonObject(json: Json | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
