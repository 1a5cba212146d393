/** What a composite operation asked for and got nothing of (LwM2M Core 1.1 §6.3.8). Pure. */
import { contains, findPath } from "@lwm2m/protocol/lwm2m/path";
import type { ResultValue } from "./operation.ts";

/** The paths of which no value came; the field is left out when there are none. */
export function missingOf(asked: readonly string[], values: readonly ResultValue[]): { readonly missing?: readonly string[] } {
  const known = values.map(({ path }) => findPath(path)).filter((path) => path !== undefined);
  const missing = asked.filter((text) => {
    const path = findPath(text);
    return path === undefined ? known.length === 0 : !known.some((value) => contains(path, value));
  });
  return missing.length === 0 ? {} : { missing };
}
