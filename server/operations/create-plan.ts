/** Several instances of an object in one Create: all of them or none (LwM2M Core 1.1 §6.3.5). Pure. */
import { idIn } from "@lwm2m/object-registry/names";
import { Method } from "@lwm2m/protocol/coap/codes";
import type { Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { type DeviceModel, uriPath } from "../registration/device-model.ts";
import type { OperationRequest } from "./operation.ts";
import { findEncoding, type PlanOutcome, type PlanTarget, refuse, refuseValue } from "./operation-plan.ts";
import { escapePointer, placedUnder, valuesOf } from "./operation-value.ts";
import { valuesBody } from "./values-body.ts";

/** Each has an identifier of its own: resources that stand under none would all be of one instance. */
export function planInstances(
  instances: NonNullable<OperationRequest["instances"]>,
  path: Lwm2mPath,
  target: PlanTarget,
  model: DeviceModel,
): PlanOutcome {
  const definition = model.definitionOf(path.objectId);
  if (definition?.multiple === false) return refuse("operation-not-allowed", `${definition.name} has one instance`);
  const written: PathValue[] = [];
  for (const [key, value] of Object.entries(instances)) {
    const pointer = `/instances/${escapePointer(key)}`;
    const instanceId = idIn(key);
    if (instanceId === undefined) return refuseValue(`${pointer}: expected an instance id, got ${JSON.stringify(key)}`, pointer);
    const outcome = valuesOf({ ...path, instanceId }, value, definition, "create");
    if (!outcome.ok) return { ok: false, refusal: placedUnder(pointer, outcome.refusal) };
    written.push(...outcome.values);
  }
  if (written.length === 0) return refuseValue("at least one instance is needed", "/instances");
  const body = valuesBody(written, path, target, model);
  const encoding = findEncoding(body);
  if (encoding === undefined) return refuseValue("no content format of the device carries these instances together", "/instances");
  return {
    ok: true,
    plan: { paths: [path], request: { method: Method.post, path: uriPath(target, path), ...encoding }, body, written, removed: [] },
  };
}
