/** Finds the route of a method and an address. The most specific template decides; then its methods (405 with Allow, RFC 9110 §15.5.6). */
import type { Route } from "./route.ts";
import { type RoutePattern, routePattern } from "./route-pattern.ts";

export type RouteMatch<T> =
  | { readonly kind: "found"; readonly entry: T; readonly params: { readonly [name: string]: string } }
  | { readonly kind: "wrong-method"; readonly allow: string }
  | { readonly kind: "malformed" }
  | { readonly kind: "unknown" };

export interface RouteTable<T> {
  /** `path` as it was sent, without the query. A HEAD finds the route of GET (RFC 9110 §9.3.2). */
  find(method: string, path: string): RouteMatch<T>;
}

interface Address<T> {
  readonly pattern: RoutePattern;
  readonly byMethod: Map<string, T>;
}

/** Two routes with one method and one shape of address are a mistake of the author. */
export function routeTable<T extends { readonly route: Route }>(prefix: string, entries: readonly T[]): RouteTable<T> {
  const byShape = new Map<string, Address<T>>();
  for (const entry of entries) {
    const pattern = routePattern(prefix + entry.route.path);
    const address = byShape.get(pattern.shape) ?? { pattern, byMethod: new Map<string, T>() };
    if (address.byMethod.has(entry.route.method)) throw new Error(`two routes for ${entry.route.method} ${entry.route.path}`);
    address.byMethod.set(entry.route.method, entry);
    byShape.set(pattern.shape, address);
  }
  const addresses = [...byShape.values()].sort((a, b) => (a.pattern.sortKey < b.pattern.sortKey ? -1 : 1));
  return {
    find(method, path) {
      for (const { pattern, byMethod } of addresses) {
        const params = pattern.match(path);
        if (params === undefined) continue;
        if (params === "malformed") return { kind: "malformed" };
        const entry = byMethod.get(method === "HEAD" ? "GET" : method);
        return entry === undefined ? { kind: "wrong-method", allow: allowOf(byMethod) } : { kind: "found", entry, params };
      }
      return { kind: "unknown" };
    },
  };
}

function allowOf(byMethod: ReadonlyMap<string, unknown>): string {
  const methods = [...byMethod.keys()];
  if (byMethod.has("GET")) methods.push("HEAD");
  return [...methods, "OPTIONS"].sort().join(", ");
}
