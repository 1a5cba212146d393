/** Which attributes an observation has at the device now, by what was written to its paths (LwM2M Core 1.1 §5.1.2). Pure. */
import {
  type AttributeChanges,
  effectiveAttributes,
  encodeAttributeQuery,
  inheritAttributes,
  mergeAttributes,
  type NotificationAttributes,
  parseAttributeQuery,
} from "@lwm2m/protocol/lwm2m/attributes";
import { contains, findPath, formatPath, type Lwm2mPath, pathIds, pathOf } from "@lwm2m/protocol/lwm2m/path";
import type { ObservedTarget } from "../operations/observation-exchange.ts";
import { type Observation, observedPaths } from "./observation.ts";

/** What Write-Attributes said at each path, null for what it removed there. */
export type WrittenLevels = { readonly [path: string]: AttributeChanges };

export type InForce = { readonly [name: string]: number };

type Asked = Pick<Observation, "path" | "paths" | "attributes"> & {
  readonly relation: Pick<NonNullable<Observation["relation"]>, "query">;
};

/**
 * Attributes that the Observe carried stand before all others, and before those of a composite one nothing counts (LwM2M Core 1.2
 * §6.4.1, §6.4.3). Without them those at the observed path count, then what each level above says; below it none does (§6.4.2).
 */
export function attributesInForce(asked: Asked, written: WrittenLevels): InForce {
  const own = changesOf(asked.attributes ?? {});
  const carried = asked.relation.query !== undefined;
  if (carried && asked.paths !== undefined) return plainOf(effectiveAttributes([mergeAttributes({}, own)]));
  const paths = observedPaths(asked).filter((path) => path !== "/");
  const each = paths.map((path) => {
    const [at = {}, ...above] = levelsOf(path).map((level) => written[formatPath(level)]);
    const attached = carried ? at : { ...own, ...at };
    const levels = [attached, ...above.map((changes) => changes ?? {})].map((changes) => mergeAttributes({}, changes));
    return carried ? [mergeAttributes({}, own), ...levels] : levels;
  });
  return together(each.map((levels) => plainOf(effectiveAttributes(levels))));
}

/** Those of its own path, as the wish for it: what a Write-Attributes said there later stands in their place. */
export function ownAttributes(asked: Asked, path: string, changes: AttributeChanges): Observation["attributes"] {
  if (asked.relation.query !== undefined || asked.paths !== undefined || asked.path !== path) return asked.attributes;
  const own = plainOf(mergeAttributes(mergeAttributes({}, changesOf(asked.attributes ?? {})), changes));
  return Object.keys(own).length === 0 ? null : own;
}

/** Whether a Write-Attributes to the path has to do with it: at an observed path or above one. */
export function isAbove(path: string, target: ObservedTarget): boolean {
  const written = findPath(path);
  return written !== undefined && observedPaths(target).some((observed) => observed !== "/" && contains(written, observed));
}

/** Of an operation, whose attributes were checked when it was planned. */
export function changesOf(attributes: NonNullable<Observation["attributes"]>): AttributeChanges {
  return parseAttributeQuery(encodeAttributeQuery(attributes));
}

/** What was said at a path before, and what is said there now. */
export function mergedChanges(before: AttributeChanges | undefined, changes: AttributeChanges): AttributeChanges {
  return { ...before, ...changes };
}

/** The path itself, then each level above it. */
function levelsOf(path: Lwm2mPath): readonly Lwm2mPath[] {
  const ids = pathIds(path);
  return ids.map((_, index) => pathOf(ids.slice(0, ids.length - index)));
}

/** One notification carries all paths and comes when any of them is due: the shortest pmax counts, of the rest what all have in common. */
function together(each: readonly InForce[]): InForce {
  const [first, ...others] = each;
  if (first === undefined || others.length === 0) return first ?? {};
  const common = Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value));
  const pmax = each.flatMap(({ pmax: seconds }) => seconds ?? []);
  return { ...Object.fromEntries(common), ...(pmax.length === 0 ? {} : { pmax: Math.min(...pmax) }) };
}

function plainOf(attributes: NotificationAttributes): InForce {
  return { ...inheritAttributes([attributes]) };
}
