/** What the device's response means for the operation (LwM2M Core 1.1 §6.3–6.4, response codes of LwM2M Transport 1.1 §6.4). Pure. */
import { formatCode, isSuccess, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { toJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { parseLinks } from "@lwm2m/protocol/lwm2m/link-format";
import { findPath, formatPath, type Lwm2mPath, pathOf } from "@lwm2m/protocol/lwm2m/path";
import { decodePayload } from "@lwm2m/protocol/lwm2m/payload";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { DeviceModel } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";
import type { News } from "./news.ts";
import type { Operation, OperationReason, OperationResult, ResultValue } from "./operation.ts";
import type { OperationPlan } from "./operation-plan.ts";

export interface Finish {
  readonly result: OperationResult | null;
  readonly reason: OperationReason | null;
  readonly coapCode: string;
  readonly detail: string | null;
}

export interface Answer {
  readonly finish: Finish;
  /** Undefined: nothing was learned. */
  readonly news?: News;
}

export interface AnswerContext {
  readonly model: DeviceModel;
  readonly nowMs: number;
}

export function readAnswer(
  operation: Pick<Operation, "kind" | "attempts" | "instanceId">,
  plan: OperationPlan,
  registration: Pick<Registration, "rootPath">,
  response: IncomingResponse,
  context: AnswerContext,
): Answer {
  const coapCode = formatCode(response.code);
  // A repeated Delete finds nothing: the first one did it, and only its answer was lost.
  const deletedBefore = operation.kind === "delete" && response.code === ResponseCode.notFound && operation.attempts.length > 0;
  if (!isSuccess(response.code) && !deletedBefore) {
    return { finish: { result: null, reason: "device-rejected", coapCode, detail: diagnosticOf(response) } };
  }
  try {
    return success(operation, plan, registration, response, context, coapCode);
  } catch (error) {
    if (!(error instanceof Lwm2mFormatError)) throw error;
    return { finish: { result: null, reason: "invalid-response", coapCode, detail: error.message } };
  }
}

function success(
  operation: Pick<Operation, "kind" | "instanceId">,
  plan: OperationPlan,
  registration: Pick<Registration, "rootPath">,
  response: IncomingResponse,
  context: AnswerContext,
  coapCode: string,
): Answer {
  const finish = (result: OperationResult): Finish => ({ result, reason: null, coapCode, detail: null });
  const receivedAt = context.nowMs;
  switch (operation.kind) {
    case "read":
    case "observe": {
      const values = valuesIn(response, plan.path, registration, context);
      const source = operation.kind === "observe" ? "notify" : "read";
      return {
        finish: finish({ kind: "values", values: resultValues(values, context.model) }),
        news: { source, values, completeUnder: plan.path, receivedAt },
      };
    }
    case "discover":
      return { finish: finish({ kind: "links", links: linksIn(response, registration) }) };
    case "create": {
      const path = createdPath(operation, plan.path, registration, response);
      const news: News = { source: "write", values: plan.written, receivedAt };
      return { finish: finish({ kind: "created", path: formatPath(path) }), ...(plan.written.length > 0 ? { news } : {}) };
    }
    case "write":
      return { finish: finish({ kind: "done" }), news: { source: "write", values: plan.written, receivedAt } };
    case "delete":
      return { finish: finish({ kind: "done" }), news: { source: "write", values: [], completeUnder: plan.path, receivedAt } };
    case "execute":
    case "writeAttributes":
    case "cancelObserve":
      return { finish: finish({ kind: "done" }) };
  }
}

/** The values of a 2.05 or a notification; throws `Lwm2mFormatError`. */
export function valuesIn(
  response: Pick<IncomingResponse, "payload" | "contentFormat">,
  path: Lwm2mPath,
  { rootPath }: Pick<Registration, "rootPath">,
  { model, nowMs }: AnswerContext,
): readonly PathValue[] {
  if (response.contentFormat === undefined) {
    // Without a format nothing can be read; an empty body is an empty instance in any.
    if (response.payload.length === 0) return [];
    throw new Lwm2mFormatError("unsupported-format", "the answer has a payload without a Content-Format");
  }
  const root = rootPath === "" ? {} : { rootPath: `/${rootPath}` };
  return decodePayload(response.contentFormat, response.payload, { path, typeOf: model.typeOf, nowMs, ...root });
}

/** The REST form of values, with their names. */
export function resultValues(values: readonly PathValue[], model: DeviceModel): readonly ResultValue[] {
  return values.map(({ path, value, timeMs }) => {
    const name = model.nameOf(path);
    return {
      path: formatPath(path),
      ...(name === undefined ? {} : { name }),
      ...(value === undefined ? {} : { type: value.type, value: toJsonValue(value) }),
      ...(timeMs === undefined ? {} : { timeMs }),
    };
  });
}

function linksIn(response: IncomingResponse, { rootPath }: Pick<Registration, "rootPath">): (OperationResult & { kind: "links" })["links"] {
  const root = rootPath === "" ? "" : `/${rootPath}`;
  return parseLinks(response.payload).links.map(({ target, attributes }) => ({
    path: root !== "" && target.startsWith(`${root}/`) ? target.slice(root.length) : target,
    attributes: Object.fromEntries(attributes.map(({ name, value }) => [name, value ?? true])),
  }));
}

/** From Location-Path, the alternate root taken off; devices that leave it out made the instance that was asked for. */
function createdPath(
  operation: Pick<Operation, "instanceId">,
  path: Lwm2mPath,
  { rootPath }: Pick<Registration, "rootPath">,
  { locationPath }: IncomingResponse,
): Lwm2mPath {
  const roots = rootPath.split("/").filter((segment) => segment !== "").length;
  const stated = findPath(`/${locationPath.join("/")}`) ?? findPath(`/${locationPath.slice(roots).join("/")}`);
  if (stated !== undefined) return stated;
  return operation.instanceId === undefined ? path : pathOf([path.objectId, operation.instanceId]);
}

/** RFC 7252 §5.5.2: the diagnostic payload is text for people. */
function diagnosticOf({ payload, contentFormat }: IncomingResponse): string | null {
  if (payload.length === 0 || (contentFormat ?? 0) !== 0) return null;
  return new TextDecoder().decode(payload.subarray(0, 200));
}
