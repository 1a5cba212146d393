/** The request of an operation on several paths: FETCH and iPATCH on the root (LwM2M Core 1.1 §6.3.8, §6.3.9, §6.4.3). Pure. */
import { Method } from "@lwm2m/protocol/coap/codes";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { chooseFormat, formatsFor } from "@lwm2m/protocol/lwm2m/format-choice";
import { findPath, formatPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import { encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import { type CompositePath, encodePathList } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { type DeviceModel, uriPath } from "../registration/device-model.ts";
import type { Json } from "../storage/collection.ts";
import { compositeAttributes } from "./attribute-plan.ts";
import type { CreateRefusal, OperationRequest } from "./operation.ts";
import {
  findEncoding,
  type OperationPlan,
  type PlanBody,
  type PlanOutcome,
  type PlanTarget,
  refuse,
  refuseValue,
  rootOf,
} from "./operation-plan.ts";
import { escapePointer, placedUnder, valuesOf } from "./operation-value.ts";
import { noPath, pathFault } from "./path-fault.ts";
import { planSingle } from "./single-plan.ts";
import { versionFault } from "./version-gate.ts";

/** readComposite and observeComposite; also the end of the latter, which only needs its paths to be right. */
export function planPaths(request: OperationRequest, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const observing = request.kind !== "readComposite";
  const paths: CompositePath[] = [];
  for (const text of new Set(request.paths)) {
    const path = text === "/" ? text : findPath(text);
    if (path === undefined) return { ok: false, refusal: noPath(text) };
    const fault = path === "/" ? undefined : pathFault(observing ? "observe" : "read", path, target, model);
    if (fault !== undefined) return { ok: false, refusal: fault };
    paths.push(path);
  }
  if (paths.length === 0) return refuseValue("at least one path is needed", "/paths");
  const gated = versionFault(request, target);
  if (gated !== undefined) return { ok: false, refusal: gated };
  const wanted = observing ? request.attributes : undefined;
  const attributes = wanted === undefined ? undefined : compositeAttributes(wanted, target.lwm2mVersion);
  if (attributes?.ok === false) return refuseValue(attributes.detail, "/attributes");
  const accept = chooseFormat({ ...choiceOf(target), use: observing ? "timedAnswer" : "answer" });
  const body = pathsBody(paths, target);
  const outgoing: OutgoingRequest = { method: Method.fetch, path: rootSegments(target), accept, ...encoded(body) };
  const plan: OperationPlan = { paths, request: outgoing, body, written: [], removed: [] };
  if (!observing) return { ok: true, plan: { ...plan, oneByOne: readsOf(paths, target, model) } };
  return { ok: true, plan: attributes === undefined ? plan : withAttributes(plan, attributes.query, target) };
}

/** Before 1.2 attributes are attached to paths alone: each gets the same, so that they agree (LwM2M Core 1.1 §6.4.3). */
function withAttributes(plan: OperationPlan, query: readonly string[], target: PlanTarget): OperationPlan {
  const attached = plan.paths.flatMap((path) => (path === "/" ? [] : [{ method: Method.put, path: uriPath(target, path), query }]));
  const written: OperationPlan = { ...plan, before: attached };
  if (target.lwm2mVersion < "1.2") return written;
  // A client that does not know them there refuses the Observe (LwM2M Core 1.2 §6.4.1); at the root nothing can be written.
  const carried: OperationPlan = { ...plan, request: { ...plan.request, query } };
  return attached.length < plan.paths.length ? carried : { ...carried, otherwise: written };
}

export function planWriteComposite(request: OperationRequest, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const { values = {} } = request;
  const written: PathValue[] = [];
  const removed: Lwm2mPath[] = [];
  for (const [text, value] of Object.entries(values)) {
    const entry = entryOf(text, value, target, model);
    if (!entry.ok) return entry;
    written.push(...entry.values);
    removed.push(...entry.removed);
  }
  const paths = [...written.map(({ path }) => path), ...removed];
  if (paths.length === 0) return refuseValue("at least one value is needed", "/values");
  const twice = paths.map(formatPath).find((text, index, all) => all.indexOf(text) < index);
  if (twice !== undefined) return refuseValue(`${twice} is written twice`, "/values");
  const gated = versionFault(request, target);
  if (gated !== undefined) return { ok: false, refusal: gated };
  // All or nothing on the device (LwM2M Core 1.1 §6.3.9): only a single value comes to the same as a plain Write.
  const alone = findSingleWrite(values, written, target, model);
  if (target.lwm2mVersion === "1.0" && alone === undefined) {
    const detail =
      "writeComposite needs LwM2M 1.1; the device registered with 1.0, which writes several resources at once only within one instance";
    return refuse("not-in-device-version", detail);
  }
  const body = patchBody([...written, ...removed.map((path) => ({ path }))], target, model);
  const outgoing: OutgoingRequest = { method: Method.ipatch, path: rootSegments(target), ...encoded(body) };
  const plan: OperationPlan = { paths, request: outgoing, body, written, removed };
  return { ok: true, plan: alone === undefined ? plan : { ...plan, oneByOne: [alone] } };
}

type Entry =
  | { readonly ok: true; readonly values: readonly PathValue[]; readonly removed: readonly Lwm2mPath[] }
  | { readonly ok: false; readonly refusal: CreateRefusal };

function entryOf(text: string, value: Json, target: PlanTarget, model: DeviceModel): Entry {
  const path = findPath(text);
  if (path === undefined) return { ok: false, refusal: noPath(text) };
  const fault = pathFault("write", path, target, model);
  if (fault !== undefined) return { ok: false, refusal: fault };
  const pointer = `/values/${escapePointer(text)}`;
  if (value === null) {
    if (levelOf(path) === "resourceInstance") return { ok: true, values: [], removed: [path] };
    const detail = `${pointer}: null removes a resource instance, not the ${levelOf(path)} ${text}`;
    return { ok: false, refusal: { reason: "value-type-mismatch", detail, pointer } };
  }
  const outcome = valuesOf(path, value, model.definitionOf(path.objectId), "update");
  if (!outcome.ok) return { ok: false, refusal: placedUnder(pointer, outcome.refusal) };
  // In a patch it would be the removal of what stands there.
  if (outcome.values.some((node) => node.value === undefined)) {
    return { ok: false, refusal: { reason: "value-type-mismatch", detail: `${pointer}: names no value`, pointer } };
  }
  return { ok: true, values: outcome.values, removed: [] };
}

function findSingleWrite(
  values: { readonly [path: string]: Json },
  written: readonly PathValue[],
  target: PlanTarget,
  model: DeviceModel,
): OperationPlan | undefined {
  const [entry] = Object.entries(values);
  const [only] = written;
  if (entry === undefined || only === undefined || written.length > 1 || Object.keys(values).length > 1) return undefined;
  // A resource instance that is not there yet is made by an update of its resource, not by a Write to itself.
  if (only.path.resourceInstanceId !== undefined || formatPath(only.path) !== entry[0]) return undefined;
  const outcome = planSingle({ kind: "write", path: entry[0], value: entry[1] }, target, model);
  return outcome.ok ? outcome.plan : undefined;
}

/** Read-Composite takes what is there and leaves out the rest (LwM2M Core 1.1 §6.3.8), and so do Reads of which some are refused. */
function readsOf(paths: readonly CompositePath[], target: PlanTarget, model: DeviceModel): readonly OperationPlan[] {
  const texts = paths.flatMap((path) => (path === "/" ? target.objects.map(({ id }) => `/${id}`) : [formatPath(path)]));
  return [...new Set(texts)].flatMap((path) => {
    const outcome = planSingle({ kind: "read", path }, target, model);
    return outcome.ok ? [outcome.plan] : [];
  });
}

function pathsBody(paths: readonly CompositePath[], target: PlanTarget): PlanBody {
  const formats = formatsFor({ ...choiceOf(target), use: "paths" });
  return { use: "paths", formats, encode: (format) => encodePathList(format, paths, { rootPath: rootOf(target) }) };
}

export function patchBody(nodes: readonly PathValue[], target: PlanTarget, model: DeviceModel): PlanBody {
  const formats = formatsFor({ ...choiceOf(target), use: "patch", values: nodes });
  const context = { typeOf: model.typeOf, rootPath: rootOf(target) };
  return { use: "patch", formats, encode: (format) => encodePayload(format, nodes, context) };
}

/** A 1.0 device never gets the request itself; it is made all the same, for what its plan is. */
function choiceOf({ contentFormats, lwm2mVersion }: PlanTarget): {
  readonly clientFormats: readonly number[];
  readonly lwm2mVersion: string;
} {
  return { clientFormats: contentFormats, lwm2mVersion: lwm2mVersion === "1.0" ? "1.1" : lwm2mVersion };
}

function encoded(body: PlanBody): { readonly contentFormat: number; readonly payload: Uint8Array } {
  const encoding = findEncoding(body);
  if (encoding === undefined) throw new Error("SenML carries every list of paths and every patch");
  return encoding;
}

/** The alternate root stands before every address (LwM2M Core 1.1 §6.2.1). */
export function rootSegments({ rootPath }: PlanTarget): readonly string[] {
  return rootPath.split("/").filter((segment) => segment !== "");
}
