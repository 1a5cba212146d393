/** Why a text names nothing: which part of it, and what was probably meant. Pure. */
import type { ObjectDefinition, ObjectRegistry } from "@lwm2m/object-registry/definition";
import { camelName, idIn, pathNames, resourceNames } from "@lwm2m/object-registry/names";
import { maxIdentifier } from "@lwm2m/protocol/lwm2m/path";

/** Steps of a path, each with what stands there. */
const levels = ["an object", "an instance", "a resource", "a resource instance"] as const;
/** Letters that may differ between what was said and what is offered. */
const mostDifferences = 3;
const shownCharacters = 60;

/** For a text that `names` of the device's model does not find. */
export function unknownPath(
  text: string,
  registry: ObjectRegistry,
  definitionOf: (objectId: number) => ObjectDefinition | undefined,
): string {
  return `${quoted(text)} is no path, and no name in the object model: ${faultOf(text, registry, definitionOf)}`;
}

function faultOf(text: string, registry: ObjectRegistry, definitionOf: (objectId: number) => ObjectDefinition | undefined): string {
  const parts = text.replace(/^\//, "").split("/");
  if (parts.length > levels.length)
    return `got ${parts.length} parts, expected at most ${levels.length} (object/instance/resource/resource instance)`;
  const [object = "", instance, resource, resourceInstance] = parts;
  const objectId = pathNames(registry, definitionOf).find(object)?.objectId;
  if (objectId === undefined) {
    if (isNumber(object)) return numberFault(object, levels[0]);
    return `no object is named ${quoted(object)}${offer(
      object,
      registry.list().map(({ name }) => camelName(name)),
    )}`;
  }
  if (instance !== undefined && idIn(instance) === undefined) return numberFault(instance, levels[1]);
  const definition = definitionOf(objectId);
  if (resource !== undefined && idIn(resource, definition && resourceNames(definition)) === undefined) {
    if (isNumber(resource) || definition === undefined) return numberFault(resource, levels[2]);
    return `${definition.name} has no resource ${quoted(resource)}${offer(resource, resourceNames(definition).nameOf.values())}`;
  }
  return numberFault(resourceInstance ?? "", levels[3]);
}

function numberFault(part: string, level: string): string {
  return `got ${quoted(part)} for ${level}, expected a number from 0 to ${maxIdentifier} without leading zeros`;
}

function isNumber(part: string): boolean {
  return /^\d+$/.test(part);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text);
}

/** The names that begin alike, or else differ by a slip or two. */
function offer(said: string, names: Iterable<string>): string {
  const lower = said.toLowerCase();
  const all = [...names].filter((name) => name !== "");
  const near = all
    .map((name) => ({ name, differences: differences(lower, name.toLowerCase()) }))
    .filter(({ differences: count }) => count <= Math.min(mostDifferences, Math.floor(lower.length / 2)))
    .toSorted((a, b) => a.differences - b.differences);
  const begun = lower === "" ? undefined : all.find((name) => name.toLowerCase().startsWith(lower));
  const best = near[0]?.name ?? begun;
  return best === undefined ? "" : `; ${best}?`;
}

/** Letters to add, take away or change (Levenshtein); lengths that differ too much are not looked at. */
function differences(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > mostDifferences) return mostDifferences + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const changed = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
