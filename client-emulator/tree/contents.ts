/** Decoded payload values brought into the shape of the tree, checked against the object model. */
import type { ObjectDefinition, ResourceDefinition } from "@lwm2m/object-registry/definition";
import { checkValue } from "@lwm2m/object-registry/value-check";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatPath } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue, ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import type { ResourceContent } from "./object-tree.ts";
import { type Refusal, refuse } from "./outcome.ts";

export type ContentsOutcome = { readonly ok: true; readonly contents: ReadonlyMap<number, ResourceContent> } | Refusal;

/**
 * The resources of one instance. Resources the device does not have are left out (LwM2M Core 1.1 §6.3.3);
 * a wrong type, a value out of range or a wrong number of instances is 4.00.
 */
export function contentsOf(definition: ObjectDefinition, supported: ReadonlySet<number>, values: readonly PathValue[]): ContentsOutcome {
  const singles = new Map<number, ResourceContent>();
  const multiples = new Map<number, Map<number, ResourceValue>>();
  for (const { path, value } of values) {
    const resource = path.resourceId === undefined ? undefined : definition.resources.get(path.resourceId);
    if (resource === undefined || !supported.has(resource.id)) continue;
    const problem = value === undefined ? undefined : problemOf(resource, value);
    if (problem !== undefined) return refuse(ResponseCode.badRequest, `${formatPath(path)}: ${problem}`);
    if (resource.multiple) {
      const instances = multiples.get(resource.id) ?? new Map<number, ResourceValue>();
      multiples.set(resource.id, instances);
      if (value === undefined) continue;
      // A single value for a multi-instance resource is its instance 0: text and CBOR carry no instance ids.
      instances.set(path.resourceInstanceId ?? 0, value);
      continue;
    }
    if (value === undefined || path.resourceInstanceId !== undefined) {
      return refuse(ResponseCode.badRequest, `${formatPath(path)}: the resource has exactly one value`);
    }
    singles.set(resource.id, { multiple: false, value });
  }
  const contents = new Map(singles);
  for (const [resourceId, instances] of multiples) contents.set(resourceId, { multiple: true, values: instances });
  return { ok: true, contents };
}

function problemOf(resource: ResourceDefinition, value: ResourceValue): string | undefined {
  const outcome = checkValue(value, resource);
  return outcome.ok ? undefined : `expected ${outcome.expected}, got ${outcome.got}`;
}
