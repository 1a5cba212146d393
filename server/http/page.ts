/** Lists in pages: what a request may ask for, what a page looks like, and where the next one begins. */
import type { Json } from "../storage/collection.ts";
import type { JsonSchema, Reply, RouteRequest } from "./route.ts";

const usualLimit = 100;

export const limitParameter: JsonSchema = { type: "integer", minimum: 1, maximum: 1_000, default: usualLimit };

/** `after`: `next` of the page before. */
export const pageParameters = { limit: limitParameter, after: { type: "string" } } as const;

export function pageSchemaOf(item: JsonSchema): JsonSchema {
  return {
    type: "object",
    required: ["items", "next"],
    properties: { items: { type: "array", items: item }, next: { type: ["string", "null"] } },
  };
}

/** What `pageParameters` were given; without `after` from the beginning. */
export function pageIn({ limit, after }: RouteRequest["query"]): { readonly limit: number; readonly after?: string } {
  return { limit: Number(limit ?? usualLimit), ...(typeof after === "string" ? { after } : {}) };
}

/** A page that is not full is the last one. */
export function pageOf<T>(found: readonly T[], limit: number, view: (item: T) => Json, placeOf: (item: T) => string): Reply {
  const last = found.length === limit ? found.at(-1) : undefined;
  return { status: 200, body: { items: found.map((item) => view(item)), next: last === undefined ? null : placeOf(last) } };
}

export function idOf({ _id }: { readonly _id: string }): string {
  return _id;
}
