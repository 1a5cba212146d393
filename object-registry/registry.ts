/** Registries from definitions at hand (custom models), and several registries as one. */
import type { ObjectDefinition, ObjectRegistry } from "./definition.ts";
import { compareVersions } from "./object-version.ts";

export interface LazyDefinition {
  readonly id: number;
  readonly version: string;
  /** Called once, when the version is first asked for. */
  readonly define: () => ObjectDefinition;
}

/** Of two definitions of one version the later one counts. */
export function registryOf(definitions: Iterable<ObjectDefinition>): ObjectRegistry {
  return lazyRegistry([...definitions].map((definition) => ({ id: definition.id, version: definition.version, define: () => definition })));
}

/** The first registry that has the version wins: `composeRegistries(customModels, openCatalogue())`. */
export function composeRegistries(...registries: readonly ObjectRegistry[]): ObjectRegistry {
  const versionsOf = (objectId: number): readonly string[] => {
    const lists = registries.map((registry) => registry.versionsOf(objectId)).filter((versions) => versions.length > 0);
    // Nearly every object has its versions in one registry, and payloads ask for them all the time.
    return lists.length < 2 ? (lists[0] ?? []) : [...new Set(lists.flat())].sort(compareVersions);
  };
  const find = (objectId: number, version = versionsOf(objectId).at(-1)): ObjectDefinition | undefined => {
    if (version === undefined) return undefined;
    for (const registry of registries) {
      const definition = registry.find(objectId, version);
      if (definition !== undefined) return definition;
    }
    return undefined;
  };
  let parts: readonly (readonly ObjectDefinition[])[] = [];
  let listed: readonly ObjectDefinition[] = [];
  return {
    find,
    versionsOf,
    list() {
      const now = registries.map((registry) => registry.list());
      if (now.length === parts.length && now.every((part, index) => part === parts[index])) return listed;
      const ids = new Set(now.flatMap((part) => part.map(({ id }) => id)));
      parts = now;
      listed = newestOf([...ids], find);
      return listed;
    },
  };
}

export function lazyRegistry(definitions: Iterable<LazyDefinition>): ObjectRegistry {
  const objects = new Map<number, Map<string, LazyDefinition>>();
  for (const entry of definitions) {
    const versions = objects.get(entry.id) ?? new Map<string, LazyDefinition>();
    objects.set(entry.id, versions.set(entry.version, entry));
  }
  const ordered = new Map([...objects].map(([id, versions]) => [id, [...versions.keys()].sort(compareVersions)] as const));
  const built = new Map<LazyDefinition, ObjectDefinition>();
  const find = (objectId: number, version = ordered.get(objectId)?.at(-1)): ObjectDefinition | undefined => {
    const entry = version === undefined ? undefined : objects.get(objectId)?.get(version);
    if (entry === undefined) return undefined;
    const definition = built.get(entry) ?? entry.define();
    built.set(entry, definition);
    return definition;
  };
  let listed: readonly ObjectDefinition[] | undefined;
  return {
    find,
    versionsOf: (objectId) => ordered.get(objectId) ?? [],
    list() {
      listed ??= newestOf([...objects.keys()], find);
      return listed;
    },
  };
}

function newestOf(ids: readonly number[], find: (objectId: number) => ObjectDefinition | undefined): readonly ObjectDefinition[] {
  return ids
    .toSorted((a, b) => a - b)
    .map((id) => find(id))
    .filter((definition) => definition !== undefined);
}
