/** The objects of one device: typed values, reached by path; what may be done with them is decided in read.ts and write.ts. */
import type { ObjectDefinition, ResourceDefinition } from "@lwm2m/object-registry/definition";
import type { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { type Lwm2mPath, pathIds } from "@lwm2m/protocol/lwm2m/path";
import type { ResourceTypeLookup, ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import type { Done, Refusal } from "./outcome.ts";

export type ResourceContent =
  | { readonly multiple: false; readonly value: ResourceValue }
  | { readonly multiple: true; readonly values: ReadonlyMap<number, ResourceValue> };

export type Instance = Map<number, ResourceContent>;

/** What an object does beyond holding values. */
export interface ObjectBehaviour {
  /** Every resource this device implements of the object, executable ones included. */
  readonly supported: ReadonlySet<number>;
  /** Values taken at the moment of reading, such as the current time. */
  readonly live?: (instanceId: number, resourceId: number) => ResourceValue | undefined;
  /** Takes a written resource instead of the tree (write-only packages); undefined: the tree stores it. */
  readonly takeWrite?: (instanceId: number, resourceId: number, content: ResourceContent) => Done | Refusal | undefined;
  /** After the tree has stored what a server wrote. */
  readonly written?: (instanceId: number, resourceIds: readonly number[]) => void;
  readonly execute?: (instanceId: number, resourceId: number, text: string) => ExecuteOutcome;
  /** The values a created instance starts with; without it, servers cannot create instances. */
  readonly newInstance?: () => Instance;
  readonly deletable?: boolean;
}

export type ExecuteOutcome =
  | { readonly ok: true; readonly afterSent?: () => void }
  | { readonly ok: false; readonly code: ResponseCode; readonly detail: string };

export interface TreeObject {
  readonly definition: ObjectDefinition;
  readonly behaviour: ObjectBehaviour;
  readonly instances: Map<number, Instance>;
}

/** `structure`: instances came or went, so that the server needs a new object list. */
export interface TreeChange {
  readonly paths: readonly Lwm2mPath[];
  readonly structure: boolean;
}

export class ObjectTree {
  readonly #objects = new Map<number, TreeObject>();
  readonly #listeners: ((change: TreeChange) => void)[] = [];

  add(definition: ObjectDefinition, behaviour: ObjectBehaviour, instances: ReadonlyMap<number, Instance> = new Map()): void {
    this.#objects.set(definition.id, { definition, behaviour, instances: new Map(instances) });
  }

  find(objectId: number): TreeObject | undefined {
    return this.#objects.get(objectId);
  }

  /** By id. */
  objects(): readonly TreeObject[] {
    return [...this.#objects.values()].sort((a, b) => a.definition.id - b.definition.id);
  }

  instance(objectId: number, instanceId: number): Instance | undefined {
    return this.#objects.get(objectId)?.instances.get(instanceId);
  }

  onChange(listener: (change: TreeChange) => void): void {
    this.#listeners.push(listener);
  }

  announce(change: TreeChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** Undefined for a resource that is not there or has several instances. */
  value(objectId: number, instanceId: number, resourceId: number): ResourceValue | undefined {
    const content = this.instance(objectId, instanceId)?.get(resourceId);
    return content === undefined || content.multiple ? undefined : content.value;
  }

  /** The device itself changes values: one announcement for all of them. */
  set(objectId: number, instanceId: number, values: ReadonlyMap<number, ResourceContent>): void {
    const instance = this.instance(objectId, instanceId);
    if (instance === undefined) return;
    const changed = [...values].filter(([resourceId, content]) => !sameContent(instance.get(resourceId), content));
    for (const [resourceId, content] of changed) instance.set(resourceId, content);
    if (changed.length === 0) return;
    this.announce({ paths: changed.map(([resourceId]) => ({ objectId, instanceId, resourceId })), structure: false });
  }

  readonly typeOf: ResourceTypeLookup = (objectId, resourceId) => {
    const resource = this.resource(objectId, resourceId);
    return resource?.type === undefined ? undefined : { type: resource.type, multiple: resource.multiple };
  };

  resource(objectId: number, resourceId: number): ResourceDefinition | undefined {
    return this.#objects.get(objectId)?.definition.resources.get(resourceId);
  }
}

/** In the order of their ids, whatever the order they came in. */
export function instancesOf(object: TreeObject): readonly (readonly [number, Instance])[] {
  return [...object.instances].sort(([a], [b]) => a - b);
}

export function single(value: ResourceValue): ResourceContent {
  return { multiple: false, value };
}

export function several(values: readonly ResourceValue[]): ResourceContent {
  return { multiple: true, values: new Map(values.map((value, index) => [index, value])) };
}

export function sameValue(a: ResourceValue, b: ResourceValue): boolean {
  if (a.type !== b.type) return false;
  if (a.type === "opaque" && b.type === "opaque") return Buffer.compare(a.value, b.value) === 0;
  if (a.type === "objlnk" && b.type === "objlnk") {
    return a.value.objectId === b.value.objectId && a.value.instanceId === b.value.instanceId;
  }
  return a.value === b.value;
}

export function sameContent(a: ResourceContent | undefined, b: ResourceContent): boolean {
  if (a === undefined || a.multiple !== b.multiple) return false;
  if (!a.multiple) return !b.multiple && sameValue(a.value, b.value);
  if (!b.multiple || a.values.size !== b.values.size) return false;
  return [...a.values].every(([id, value]) => {
    const other = b.values.get(id);
    return other !== undefined && sameValue(value, other);
  });
}

/** One of the two lies on or below the other. */
export function related(a: Lwm2mPath, b: Lwm2mPath): boolean {
  const left = pathIds(a);
  const right = pathIds(b);
  const shared = Math.min(left.length, right.length);
  return left.slice(0, shared).every((id, index) => id === right[index]);
}
