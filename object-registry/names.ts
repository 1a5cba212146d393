/**
 * Paths by name: `/3/0/9` as `device/0/batteryLevel`, both ways.
 *
 * A name is the registry's, cut at everything that is no letter or digit, joined in camel case: a word all in capitals counts as a
 * plain word (`Package URI` -> `packageUri`, `SMS Trigger` -> `smsTrigger`), other words keep their inner capitals (`PkgName` -> `pkgName`),
 * and LwM2M in any spelling is `lwm2m`. Of equal names the lowest id keeps the plain form, every other is `name_id` (`temperature_10300`);
 * `name_id` is understood for all. A name without a letter is the id. Names are read without regard to case, and an id is
 * understood wherever a name is.
 */
import { type Lwm2mPath, maxIdentifier, pathIds, pathOf } from "@lwm2m/protocol/lwm2m/path";
import type { ObjectDefinition, ObjectRegistry } from "./definition.ts";

export interface PathNames {
  /** `device/0/batteryLevel`; what no model knows stays a number. */
  format(path: Lwm2mPath): string;
  /** Named or numeric, with or without the leading slash; undefined when a name is unknown or the text is no path. */
  find(text: string): Lwm2mPath | undefined;
}

/** `definitionOf` gives the version a device registered; without it names come from the newest versions. */
export function pathNames(
  registry: ObjectRegistry,
  definitionOf: (objectId: number) => ObjectDefinition | undefined = (objectId) => registry.find(objectId),
): PathNames {
  const objectNames = objectNamesOf(registry);
  const resourcesOf = (objectId: number): NameTable | undefined => {
    const definition = definitionOf(objectId) ?? registry.find(objectId);
    return definition === undefined ? undefined : resourceNames(definition);
  };
  return {
    format(path) {
      const [objectId, ...rest] = pathIds(path);
      const resources = resourcesOf(path.objectId);
      const parts = rest.map((id, index) => (index === 1 ? (resources?.nameOf.get(id) ?? String(id)) : String(id)));
      return [objectNames.nameOf.get(path.objectId) ?? String(objectId), ...parts].join("/");
    },
    find(text) {
      const [object, instance, resource, resourceInstance, ...more] = text.replace(/^\//, "").split("/");
      const objectId = object === undefined ? undefined : idIn(object, objectNames);
      if (objectId === undefined || more.length > 0) return undefined;
      const rest = [
        instance === undefined ? undefined : idIn(instance),
        resource === undefined ? undefined : idIn(resource, resourcesOf(objectId)),
        resourceInstance === undefined ? undefined : idIn(resourceInstance),
      ];
      const given = [instance, resource, resourceInstance].filter((part) => part !== undefined).length;
      const ids = rest.filter((id) => id !== undefined);
      return ids.length === given ? pathOf([objectId, ...ids]) : undefined;
    },
  };
}

export interface NameTable {
  readonly nameOf: ReadonlyMap<number, string>;
  /** By the name in lower case. */
  readonly idOf: ReadonlyMap<string, number>;
}

/** The names of an object's resources, by id and back. */
export function resourceNames(definition: ObjectDefinition): NameTable {
  const known = resourceTables.get(definition);
  if (known !== undefined) return known;
  const table = nameTable(definition.resources.values());
  resourceTables.set(definition, table);
  return table;
}

/** The id a name or number stands for; undefined for an unknown name. */
export function idIn(part: string, table?: NameTable): number | undefined {
  if (/^(0|[1-9]\d{0,4})$/.test(part)) return Number(part) <= maxIdentifier ? Number(part) : undefined;
  return table?.idOf.get(part.toLowerCase());
}

/** `Battery Level` as `batteryLevel`; empty when there is no letter in it. */
export function camelName(registryName: string): string {
  const words = registryName
    .replace(/lwm2m/gi, " Lwm2m ")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .map((word) => (word === word.toUpperCase() ? word.toLowerCase() : word));
  const joined = words.map((word, index) => (index === 0 ? lowerFirst(word) : upperFirst(word))).join("");
  return /\p{L}/u.test(joined) ? joined : "";
}

/** By the list and not by the registry: custom models come and go, and with them the list. */
const objectTables = new WeakMap<readonly ObjectDefinition[], NameTable>();
const resourceTables = new WeakMap<ObjectDefinition, NameTable>();

function objectNamesOf(registry: ObjectRegistry): NameTable {
  const objects = registry.list();
  const table = objectTables.get(objects) ?? nameTable(objects);
  objectTables.set(objects, table);
  return table;
}

function nameTable(entries: Iterable<{ readonly id: number; readonly name: string }>): NameTable {
  const nameOf = new Map<number, string>();
  const idOf = new Map<string, number>();
  for (const { id, name } of [...entries].sort((a, b) => a.id - b.id)) {
    const plain = camelName(name);
    if (plain === "") continue;
    const withId = `${plain}_${id}`;
    idOf.set(withId.toLowerCase(), id);
    const taken = idOf.has(plain.toLowerCase());
    nameOf.set(id, taken ? withId : plain);
    if (!taken) idOf.set(plain.toLowerCase(), id);
  }
  return { nameOf, idOf };
}

/** `PkgName` -> `pkgName`; a run of capitals goes as one: `APNName` -> `apnName`. */
function lowerFirst(word: string): string {
  return word.replace(/^\p{Lu}+(?=\p{Lu}\p{Ll})|^\p{Lu}+/u, (capitals) => capitals.toLowerCase());
}

function upperFirst(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
