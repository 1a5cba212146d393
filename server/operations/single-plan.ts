/** The request of an operation on one path (LwM2M Core 1.1 §6.3–6.4). Pure. */
import type { PathOperation } from "@lwm2m/object-registry/value-check";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { encodeExecuteArguments, parseExecuteArguments } from "@lwm2m/protocol/lwm2m/execute-arguments";
import { chooseFormat, type FormatUse } from "@lwm2m/protocol/lwm2m/format-choice";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { findPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import { unassignedInstanceId } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { DeviceModel } from "../registration/device-model.ts";
import { uriPath } from "../registration/device-model.ts";
import { attributesAt } from "./attribute-plan.ts";
import { planInstances } from "./create-plan.ts";
import type { OperationKind, OperationRequest } from "./operation.ts";
import { findEncoding, type OperationPlan, type PlanOutcome, type PlanTarget, refuse, refuseValue } from "./operation-plan.ts";
import { valuesOf } from "./operation-value.ts";
import { noPath, pathFault } from "./path-fault.ts";
import { valuesBody } from "./values-body.ts";
import { usualDepth, versionFault } from "./version-gate.ts";

export type SingleKind = Exclude<OperationKind, "readComposite" | "writeComposite" | "observeComposite">;
export type SingleRequest = OperationRequest & { readonly kind: SingleKind };

const checkedAs: { readonly [kind in SingleKind]: PathOperation } = {
  read: "read",
  write: "write",
  writeAttributes: "writeAttributes",
  execute: "execute",
  create: "create",
  delete: "delete",
  discover: "discover",
  observe: "observe",
  cancelObserve: "observe",
};

export function planSingle(request: SingleRequest, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const path = findPath(request.path);
  if (path === undefined) return { ok: false, refusal: noPath(request.path) };
  const fault = pathFault(checkedAs[request.kind], path, target, model) ?? versionFault(request, target);
  if (fault !== undefined) return { ok: false, refusal: fault };
  const uri = uriPath(target, path);
  switch (request.kind) {
    case "read":
      return planned(path, { method: Method.get, path: uri, accept: formatFor(target, "values") });
    case "observe":
    case "cancelObserve":
      return planObserve(request, path, target, model);
    case "discover":
      return planDiscover(request, path, target);
    case "write":
      return planWrite(request, path, target, model);
    case "create":
      return request.instances === undefined
        ? planWrite(request, path, target, model)
        : planInstances(request.instances, path, target, model);
    case "writeAttributes":
      return planAttributes(request, path, target, model);
    case "execute":
      return planExecute(request, path, uri);
    case "delete":
      return planned(path, { method: Method.delete, path: uri });
  }
}

function planObserve(request: OperationRequest, path: Lwm2mPath, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const get: OutgoingRequest = { method: Method.get, path: uriPath(target, path), accept: formatFor(target, "timed") };
  if (request.kind !== "observe" || request.attributes === undefined) return planned(path, get);
  const attributes = planAttributes(request, path, target, model);
  if (!attributes.ok) return attributes;
  const plan: OperationPlan = { paths: [path], before: [attributes.plan.request], request: get, written: [], removed: [] };
  // An attribute is only removed by writing.
  const removes = Object.values(request.attributes).includes(null);
  const { query } = attributes.plan.request;
  if (target.lwm2mVersion < "1.2" || removes || query === undefined) return { ok: true, plan };
  // Since 1.2 the Observe carries them, for this relation alone; clients should, not shall, know that (LwM2M Core 1.2 §6.4.1).
  return { ok: true, plan: { paths: [path], request: { ...get, query }, written: [], removed: [], otherwise: plan } };
}

/** A depth that is the device's own rule is not said: older clients may refuse the parameter. */
function planDiscover({ depth }: OperationRequest, path: Lwm2mPath, target: PlanTarget): PlanOutcome {
  const isSaid = depth !== undefined && depth !== usualDepth(path) && target.lwm2mVersion >= "1.2";
  const get: OutgoingRequest = { method: Method.get, path: uriPath(target, path), accept: ContentFormat.linkFormat };
  return planned(path, isSaid ? { ...get, query: [`depth=${depth}`] } : get);
}

function planWrite(request: OperationRequest, path: Lwm2mPath, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const creating = request.kind === "create";
  const level = levelOf(path);
  const instanceId = request.instanceId ?? unassignedInstanceId;
  const update = request.mode === "update";
  if (update && !creating && !partlyWritable(path, model))
    return refuse("operation-not-allowed", "mode update applies to an instance or a multi-instance resource");
  const mode = creating ? "create" : level === "instance" && !update ? "replace" : "update";
  const outcome = valuesOf(creating ? { ...path, instanceId } : path, request.value, model.definitionOf(path.objectId), mode);
  if (!outcome.ok) return outcome;
  const { values } = outcome;
  // LwM2M 1.0 updates instances only: the resource goes into an update of its instance, which leaves the others alone (LwM2M 1.0 TS §5.4.3).
  const addressed = update && level === "resource" && target.lwm2mVersion === "1.0" ? instanceOf(path) : path;
  const body = valuesBody(values, addressed, target, model);
  const encoding = findEncoding(body);
  if (encoding === undefined) return refuseValue("no content format of the device carries this value", "/value");
  const method = creating || update ? Method.post : Method.put;
  const written = creating && request.instanceId === undefined ? [] : values;
  const outgoing: OutgoingRequest = { method, path: uriPath(target, addressed), ...encoding };
  // Replaced as a whole: what the value does not name is gone (LwM2M Core 1.1 §6.3.3). Of an instance the rest stays, where it is read-only.
  const removed = level === "resource" && !update ? [path] : [];
  return { ok: true, plan: { paths: [path], request: outgoing, body, written, removed } };
}

function instanceOf({ objectId, instanceId }: Lwm2mPath): Lwm2mPath {
  return instanceId === undefined ? { objectId } : { objectId, instanceId };
}

function partlyWritable(path: Lwm2mPath, model: DeviceModel): boolean {
  const level = levelOf(path);
  if (level === "instance") return true;
  const resource = path.resourceId === undefined ? undefined : model.definitionOf(path.objectId)?.resources.get(path.resourceId);
  return level === "resource" && (resource === undefined || resource.multiple);
}

function planAttributes({ attributes = {} }: OperationRequest, path: Lwm2mPath, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const outcome = attributesAt(attributes, path, model);
  if (!outcome.ok) return refuseValue(outcome.detail, "/attributes");
  return planned(path, { method: Method.put, path: uriPath(target, path), query: outcome.query });
}

function planExecute({ arguments: given = "" }: OperationRequest, path: Lwm2mPath, uri: readonly string[]): PlanOutcome {
  try {
    const list =
      typeof given === "string"
        ? parseExecuteArguments(given)
        : given.map(({ digit, value }) => ({ digit, ...(value === undefined ? {} : { text: value }) }));
    if (list.length === 0) return planned(path, { method: Method.post, path: uri });
    const payload = encodeExecuteArguments(list);
    return planned(path, { method: Method.post, path: uri, contentFormat: ContentFormat.text, payload });
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return refuseValue(error.message, "/arguments");
    throw error;
  }
}

function formatFor({ contentFormats, lwm2mVersion }: PlanTarget, use: FormatUse): number {
  return chooseFormat({ clientFormats: contentFormats, lwm2mVersion, use });
}

function planned(path: Lwm2mPath, request: OutgoingRequest): PlanOutcome {
  return { ok: true, plan: { paths: [path], request, written: [], removed: [] } };
}
