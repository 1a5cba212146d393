/** What the device's response means for the operation (LwM2M Core 1.1 §6.3–6.4, response codes of LwM2M Transport 1.1 §6.4). Pure. */
import { formatCode, isSuccess, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { toJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { parseLinks } from "@lwm2m/protocol/lwm2m/link-format";
import { findPath, formatPath, type Lwm2mPath, pathOf } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { DeviceModel } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";
import { type AnswerContext, valuesIn } from "./answer-values.ts";
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
      if (response.code !== ResponseCode.content) throw new Lwm2mFormatError("value", `a read is answered 2.05, not ${coapCode}`);
      const { values, leftOut } = valuesIn(response, plan.path, registration, context, plan.request.accept);
      const source = operation.kind === "observe" ? "notify" : "read";
      return {
        finish: { ...finish({ kind: "values", values: resultValues(values, context.model) }), detail: leftOut },
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
  return parseLinks(response.payload).links.map(({ target, attributes }) => {
    // Old clients leave the first slash out, in the list they register as well.
    const path = target.startsWith("/") ? target : `/${target}`;
    return {
      path: root !== "" && path.startsWith(`${root}/`) ? path.slice(root.length) : path,
      attributes: Object.fromEntries(attributes.map(({ name, value }) => [name, value ?? true])),
    };
  });
}

/** From Location-Path, the alternate root taken off; devices that leave it out made the instance that was asked for. */
function createdPath(
  operation: Pick<Operation, "instanceId">,
  path: Lwm2mPath,
  { rootPath }: Pick<Registration, "rootPath">,
  { locationPath }: IncomingResponse,
): Lwm2mPath {
  const roots = rootPath.split("/").filter((segment) => segment !== "").length;
  // Some devices send the whole path as one segment.
  const segments = locationPath.flatMap((segment) => segment.split("/")).filter((segment) => segment !== "");
  const stated = findPath(`/${segments.join("/")}`) ?? findPath(`/${segments.slice(roots).join("/")}`);
  if (stated !== undefined) return stated;
  return operation.instanceId === undefined ? path : pathOf([path.objectId, operation.instanceId]);
}

/** RFC 7252 §5.5.2: the diagnostic payload is text for people. */
function diagnosticOf({ payload, contentFormat }: IncomingResponse): string | null {
  if (payload.length === 0 || (contentFormat ?? 0) !== 0) return null;
  return new TextDecoder().decode(payload.subarray(0, 200));
}
