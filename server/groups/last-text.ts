/** The last known texts of a device, from wherever its values are kept. */
import type { Json } from "../storage/collection.ts";
import type { LastText } from "./trait-keeper.ts";

interface KnownValues {
  readonly values: { readonly [path: string]: { readonly value: Json } };
}

export function lastTextOf(find: (endpoint: string) => Promise<KnownValues | undefined>): LastText {
  return async (endpoint, paths) => {
    const known = (await find(endpoint))?.values ?? {};
    return paths.map((path) => {
      const value = known[path]?.value;
      return typeof value === "string" ? value : undefined;
    });
  };
}
