/** When a device last said something of what is observed, by what is known of it: no notification is written down for that. Pure. */
import { contains, findPath } from "@lwm2m/protocol/lwm2m/path";
import type { NewsSource } from "../operations/news.ts";
import type { ObservedTarget } from "../operations/observation-exchange.ts";
import { observedPaths } from "./observation.ts";

/** By path; undefined: nothing is known. */
export type SaidValuesOf = (
  endpoint: string,
) => Promise<{ readonly [path: string]: { readonly receivedAt: number; readonly source: NewsSource } } | undefined>;

export function lastSaidOf(knownValues: SaidValuesOf): (endpoint: string, target: ObservedTarget) => Promise<number | undefined> {
  return async (endpoint, target) => {
    const paths = observedPaths(target);
    let last: number | undefined;
    for (const [text, { receivedAt, source }] of Object.entries((await knownValues(endpoint)) ?? {})) {
      const path = findPath(text);
      // What the server wrote says nothing of the device; an answer to a Read stands where a notification may have stood.
      if (path === undefined || source === "write" || !paths.some((outer) => outer === "/" || contains(outer, path))) continue;
      last = Math.max(last ?? 0, receivedAt);
    }
    return last;
  };
}
