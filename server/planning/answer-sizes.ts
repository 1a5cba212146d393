/** How large answers are: of last known values, guessed by the object model where there are none. Pure. */
import type { ResourceDefinition } from "@lwm2m/object-registry/definition";
import { contains, findPath, formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { DeviceModel } from "../registration/device-model.ts";
import type { RegisteredObject } from "../registration/registration.ts";
import type { Json } from "../storage/collection.ts";
import { recordBytes } from "./exchange-cost.ts";
import type { AnswerSizes } from "./waiting.ts";

/** Last known values of a device, by path. */
export type KnownValues = { readonly [path: string]: { readonly value: Json } };

/** Bytes of a value nobody knows. */
const guesses = { number: 6, string: 24, opaque: 64, instance: 200 } as const;
/** Resource instances, where nobody knows how many there are: usually, and at most as far as a guess goes. */
const guessedInstances = { likely: 2, most: 4 } as const;

export function answerSizes(
  known: KnownValues | undefined,
  objects: readonly RegisteredObject[],
  { definitionOf }: DeviceModel,
): AnswerSizes {
  const values = Object.entries(known ?? {}).flatMap(([text, { value }]) => {
    const path = findPath(text);
    return path === undefined ? [] : [{ path, bytes: valueBytes(value) }];
  });
  const knownUnder = (path: Lwm2mPath): number | undefined => {
    const under = values.filter((value) => contains(path, value.path));
    return under.length === 0 ? undefined : under.reduce<number>((sum, value) => sum + recordBytes(value), 0);
  };
  const guessed = (path: Lwm2mPath, resource: ResourceDefinition, instances: number): number =>
    recordBytes({ path: { ...path, resourceId: resource.id }, bytes: guessOf(resource) }) * (resource.multiple ? instances : 1);
  const instancesOf = ({ objectId, instanceId }: Lwm2mPath): readonly Lwm2mPath[] => {
    if (instanceId !== undefined) return [{ objectId, instanceId }];
    return (objects.find(({ id }) => id === objectId)?.instances ?? []).map((id) => ({ objectId, instanceId: id }));
  };
  const instanceAtMost = (instance: Lwm2mPath): number | undefined => {
    const definition = definitionOf(instance.objectId);
    if (definition === undefined) return undefined;
    const readable = [...definition.resources.values()].filter(isReadable);
    return readable.reduce((sum, resource) => {
      const own = knownUnder({ ...instance, resourceId: resource.id });
      return sum + (own ?? guessed(instance, resource, guessedInstances.most));
    }, 0);
  };
  const instanceLikely = (instance: Lwm2mPath): number => {
    const own = knownUnder(instance);
    if (own !== undefined) return own;
    const mandatory = [...(definitionOf(instance.objectId)?.resources.values() ?? [])].filter((one) => one.mandatory && isReadable(one));
    const sum = mandatory.reduce((bytes, resource) => bytes + guessed(instance, resource, guessedInstances.likely), 0);
    return Math.max(sum, guesses.instance);
  };
  const likely = (path: Lwm2mPath): number => {
    const resource = path.resourceId === undefined ? undefined : definitionOf(path.objectId)?.resources.get(path.resourceId);
    if (path.resourceId === undefined)
      return Math.max(
        instancesOf(path).reduce((sum, one) => sum + instanceLikely(one), 0),
        1,
      );
    if (resource === undefined || path.resourceInstanceId !== undefined)
      return knownUnder(path) ?? recordBytes({ path, bytes: resource === undefined ? guesses.string : guessOf(resource) });
    return knownUnder(path) ?? guessed(path, resource, guessedInstances.likely);
  };
  const atMost = (path: Lwm2mPath): number | undefined => {
    if (path.resourceId !== undefined) return undefined;
    const instances = instancesOf(path).map(instanceAtMost);
    if (instances.length === 0) return undefined;
    return instances.reduce((sum, one) => (sum === undefined || one === undefined ? undefined : sum + one), 0);
  };
  return { likely: remembered(likely), atMost: remembered(atMost) };
}

/** A plan asks for the same paths again and again. */
function remembered<T>(sizeOf: (path: Lwm2mPath) => T): (path: Lwm2mPath) => T {
  const sizes = new Map<string, { readonly size: T }>();
  return (path) => {
    const key = formatPath(path);
    const known = sizes.get(key) ?? { size: sizeOf(path) };
    sizes.set(key, known);
    return known.size;
  };
}

/** About what the REST form of a value takes on the wire. */
export function valueBytes(value: Json): number {
  if (typeof value === "string") return value.length + 1;
  if (typeof value === "object" && value !== null)
    return Object.values<Json>(value).reduce<number>((sum, each) => sum + valueBytes(each), 0);
  return guesses.number;
}

function isReadable({ operations }: ResourceDefinition): boolean {
  return operations.includes("R");
}

function guessOf({ type }: ResourceDefinition): number {
  if (type === "opaque") return guesses.opaque;
  return type === "string" || type === "corelnk" ? guesses.string : guesses.number;
}
