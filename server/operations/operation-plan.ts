/** An operation as the CoAP request that carries it out (LwM2M Core 1.1 §6.3–6.4), or why it cannot be one. Pure. */
import { checkOperation, type PathOperation } from "@lwm2m/object-registry/value-check";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import {
  encodeAttributeQuery,
  findAttributeProblem,
  isAttributeName,
  mergeAttributes,
  parseAttributeQuery,
} from "@lwm2m/protocol/lwm2m/attributes";
import { encodeExecuteArguments, parseExecuteArguments } from "@lwm2m/protocol/lwm2m/execute-arguments";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { findPath, formatPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import { chooseFormat, encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import { type EncodeContext, unassignedInstanceId } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { DeviceModel } from "../registration/device-model.ts";
import { uriPath } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";
import type { CreateRefusal, OperationRequest } from "./operation.ts";
import { refusalOf, valuesOf } from "./operation-value.ts";

export interface OperationPlan {
  readonly path: Lwm2mPath;
  /** Must succeed before the request leaves: attributes of an observation (LwM2M Core 1.1 §6.4.1). */
  readonly before?: OutgoingRequest;
  readonly request: OutgoingRequest;
  /** What the payload was made of: to say the same in another format. */
  readonly encoded?: { readonly values: readonly PathValue[]; readonly context: EncodeContext };
  /** What a success writes. */
  readonly written: readonly PathValue[];
}

export type PlanOutcome = { readonly ok: true; readonly plan: OperationPlan } | { readonly ok: false; readonly refusal: CreateRefusal };

/** What the plan takes from the registration. */
export type PlanTarget = Pick<Registration, "objects" | "lwm2mVersion" | "contentFormats" | "rootPath">;

/** A device that never registered is taken for a 1.1 client with any object: what does not fit is found out when it has. */
export const unseenTarget: PlanTarget = { objects: [], lwm2mVersion: "1.1", contentFormats: [], rootPath: "" };

export function planOperation(request: OperationRequest, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const path = findPath(request.path);
  if (path === undefined) return refuse("path-not-in-model", `${request.path} is no path to an object, instance or resource`);
  const fault = pathFault(request, path, target, model);
  if (fault !== undefined) return { ok: false, refusal: fault };
  const uri = uriPath(target, path);
  switch (request.kind) {
    case "read":
    case "observe":
    case "cancelObserve":
      return planRead(request, path, target, uri);
    case "discover":
      return planned(path, { method: Method.get, path: uri, accept: ContentFormat.linkFormat });
    case "write":
    case "create":
      return planWrite(request, path, target, model);
    case "writeAttributes":
      return planAttributes(request, path, uri);
    case "execute":
      return planExecute(request, path, uri);
    case "delete":
      return planned(path, { method: Method.delete, path: uri });
  }
}

const checkedAs: { readonly [kind in OperationRequest["kind"]]: PathOperation } = {
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

function pathFault(request: OperationRequest, path: Lwm2mPath, target: PlanTarget, model: DeviceModel): CreateRefusal | undefined {
  const registered = target === unseenTarget || target.objects.some(({ id }) => id === path.objectId);
  if (!registered && !isBootstrapOnly(path)) {
    return { reason: "path-not-in-model", detail: `the device has not registered object ${path.objectId}` };
  }
  if (path.resourceInstanceId !== undefined && target.lwm2mVersion === "1.0") {
    return { reason: "operation-not-allowed", detail: "a LwM2M 1.0 client knows no paths to resource instances" };
  }
  const definition = model.definitionOf(path.objectId);
  if (definition === undefined) return isBootstrapOnly(path) ? bootstrapOnly(path) : levelFault(request, path);
  const outcome = checkOperation(checkedAs[request.kind], path, definition);
  return outcome.ok ? undefined : refusalOf(outcome);
}

/** Security, OSCORE and COSE are never registered and never a management server's business (LwM2M Core 1.1 §6.3). */
function isBootstrapOnly({ objectId }: Lwm2mPath): boolean {
  return objectId === 0 || objectId === 21 || objectId === 23;
}

function bootstrapOnly({ objectId }: Lwm2mPath): CreateRefusal {
  return { reason: "operation-not-allowed", detail: `object ${objectId} belongs to the bootstrap server` };
}

/** Without a model only the level of the path can be wrong. */
function levelFault({ kind }: OperationRequest, path: Lwm2mPath): CreateRefusal | undefined {
  const level = levelOf(path);
  const wrong =
    (kind === "create" && level !== "object") ||
    (kind === "execute" && level !== "resource") ||
    (kind === "write" && level === "object") ||
    (kind === "delete" && level !== "instance" && level !== "resourceInstance");
  return wrong ? { reason: "operation-not-allowed", detail: `${kind} does not apply to the ${level} ${formatPath(path)}` } : undefined;
}

function planRead(request: OperationRequest, path: Lwm2mPath, target: PlanTarget, uri: readonly string[]): PlanOutcome {
  const get: OutgoingRequest = { method: Method.get, path: uri, accept: formatFor(target) };
  if (request.kind !== "observe" || request.attributes === undefined) return planned(path, get);
  const attributes = planAttributes(request, path, uri);
  return attributes.ok ? { ok: true, plan: { path, before: attributes.plan.request, request: get, written: [] } } : attributes;
}

function planWrite(request: OperationRequest, path: Lwm2mPath, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const creating = request.kind === "create";
  const level = levelOf(path);
  const instanceId = request.instanceId ?? unassignedInstanceId;
  const update = request.mode === "update";
  if (update && !creating && !partlyWritable(path, model))
    return refuse("operation-not-allowed", "mode update applies to an instance or a multi-instance resource");
  const mode = creating ? "create" : level === "instance" && !update ? "replace" : "update";
  const values = valuesOf(creating ? { ...path, instanceId } : path, request.value, model.definitionOf(path.objectId), mode);
  if (!values.ok) return values;
  const contentFormat = formatFor(target, values.values);
  const encoded = { values: values.values, context: { path, typeOf: model.typeOf, rootPath: rootOf(target) } };
  const payload = encodePayload(contentFormat, encoded.values, encoded.context);
  const method = creating || update ? Method.post : Method.put;
  const written = creating && request.instanceId === undefined ? [] : values.values;
  return { ok: true, plan: { path, request: { method, path: uriPath(target, path), contentFormat, payload }, encoded, written } };
}

function partlyWritable(path: Lwm2mPath, model: DeviceModel): boolean {
  const level = levelOf(path);
  if (level === "instance") return true;
  const resource = path.resourceId === undefined ? undefined : model.definitionOf(path.objectId)?.resources.get(path.resourceId);
  return level === "resource" && (resource === undefined || resource.multiple);
}

function planAttributes({ attributes = {} }: OperationRequest, path: Lwm2mPath, uri: readonly string[]): PlanOutcome {
  const unknown = Object.keys(attributes).find((name) => !isAttributeName(name));
  if (unknown !== undefined) return refuseValue(`${JSON.stringify(unknown)} is no notification attribute`, "/attributes");
  const query = encodeAttributeQuery(attributes);
  if (query.length === 0) return refuseValue("at least one attribute is needed", "/attributes");
  try {
    const problem = findAttributeProblem(mergeAttributes({}, parseAttributeQuery(query)), levelOf(path));
    if (problem !== undefined) return refuseValue(`the attributes contradict each other or the path: ${problem}`, "/attributes");
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return refuseValue(error.message, "/attributes");
    throw error;
  }
  return planned(path, { method: Method.put, path: uri, query });
}

function planExecute(request: OperationRequest, path: Lwm2mPath, uri: readonly string[]): PlanOutcome {
  const text = request.arguments ?? "";
  if (text === "") return planned(path, { method: Method.post, path: uri });
  try {
    const payload = encodeExecuteArguments(parseExecuteArguments(text));
    return planned(path, { method: Method.post, path: uri, contentFormat: ContentFormat.text, payload });
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return refuseValue(error.message, "/arguments");
    throw error;
  }
}

function formatFor({ contentFormats, lwm2mVersion }: PlanTarget, values: readonly PathValue[] = []): number {
  return chooseFormat({ clientFormats: contentFormats, lwm2mVersion, values });
}

function rootOf({ rootPath }: PlanTarget): string {
  return rootPath === "" ? "" : `/${rootPath}`;
}

function planned(path: Lwm2mPath, request: OutgoingRequest): PlanOutcome {
  return { ok: true, plan: { path, request, written: [] } };
}

function refuse(reason: "path-not-in-model" | "operation-not-allowed", detail: string): PlanOutcome {
  return { ok: false, refusal: { reason, detail } };
}

function refuseValue(detail: string, pointer: string): PlanOutcome {
  return { ok: false, refusal: { reason: "value-type-mismatch", detail, pointer } };
}
