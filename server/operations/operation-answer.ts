/** What the device's response means for the operation (LwM2M Core 1.1 §6.3–6.4, response codes of LwM2M Transport 1.1 §6.4). Pure. */
import { formatCode, isSuccess, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { toJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { findPath, formatPath, type Lwm2mPath, pathOf } from "@lwm2m/protocol/lwm2m/path";
import { compositeText } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { DeviceModel } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";
import { isSecretPath } from "../registration/secret-paths.ts";
import { type AnswerContext, valuesIn } from "./answer-values.ts";
import { discoveredLinks } from "./discovered-links.ts";
import { missingOf } from "./missing-paths.ts";
import type { News } from "./news.ts";
import type { Operation, OperationReason, OperationResult, ResultValue } from "./operation.ts";
import { type OperationPlan, onlyPath } from "./operation-plan.ts";

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
  /** What had to be tolerated, by code. */
  readonly tolerances: readonly string[];
}

/** Deviations of the response itself: another code of success than the operation has, a Location-Path in one piece. */
export type ResponseTolerance = "unexpected-success-code" | "location-in-one-segment";

type Asked = Pick<Operation, "kind" | "attempts" | "instanceId" | "instances" | "depth">;

export function readAnswer(
  operation: Asked,
  plan: OperationPlan,
  registration: Pick<Registration, "rootPath">,
  response: IncomingResponse,
  context: AnswerContext,
): Answer {
  const coapCode = formatCode(response.code);
  // A repeated Delete finds nothing: the first one did it, and only its answer was lost.
  const deletedBefore = operation.kind === "delete" && response.code === ResponseCode.notFound && operation.attempts.length > 0;
  if (!isSuccess(response.code) && !deletedBefore) {
    return { finish: { result: null, reason: "device-rejected", coapCode, detail: diagnosticOf(response) }, tolerances: [] };
  }
  try {
    const unexpected = deletedBefore ? [] : successFault(operation, response, context);
    const answer = success({ operation, plan, registration, response, context, coapCode });
    return { ...answer, tolerances: [...unexpected, ...answer.tolerances] };
  } catch (error) {
    if (!(error instanceof Lwm2mFormatError)) throw error;
    return { finish: { result: null, reason: "invalid-response", coapCode, detail: error.message }, tolerances: [] };
  }
}

/** The success code of each operation (LwM2M Transport 1.1 §6.4). */
const successCodes: { readonly [kind in Operation["kind"]]: number } = {
  read: ResponseCode.content,
  observe: ResponseCode.content,
  cancelObserve: ResponseCode.content,
  discover: ResponseCode.content,
  readComposite: ResponseCode.content,
  observeComposite: ResponseCode.content,
  write: ResponseCode.changed,
  writeAttributes: ResponseCode.changed,
  writeComposite: ResponseCode.changed,
  execute: ResponseCode.changed,
  create: ResponseCode.created,
  delete: ResponseCode.deleted,
};

/** Without the code that says there is a value there is none; any other success of an operation that changes something is taken for its own. */
function successFault({ kind }: Asked, { code }: IncomingResponse, { strict }: AnswerContext): readonly ResponseTolerance[] {
  const expected = successCodes[kind];
  if (code === expected) return [];
  const sentence = `${kind} is answered ${formatCode(expected)}, not ${formatCode(code)}`;
  if (expected === ResponseCode.content) throw new Lwm2mFormatError("value", sentence);
  if (strict) throw new Lwm2mFormatError("value", `not accepted in strict mode: unexpected-success-code (${sentence})`);
  return ["unexpected-success-code"];
}

interface Success {
  readonly operation: Asked;
  readonly plan: OperationPlan;
  readonly registration: Pick<Registration, "rootPath">;
  readonly response: IncomingResponse;
  readonly context: AnswerContext;
  readonly coapCode: string;
}

function success(answered: Success): Answer {
  const { operation, plan, registration, context, coapCode } = answered;
  const finish = (result: OperationResult): Finish => ({ result, reason: null, coapCode, detail: null });
  const receivedAt = context.nowMs;
  const source = "write" as const;
  switch (operation.kind) {
    case "read":
    case "observe":
    case "readComposite":
    case "observeComposite":
      return valuesAnswered(answered);
    case "discover": {
      const { links, tolerances } = discoveredLinks(answered.response, onlyPath(plan), operation.depth, registration, context);
      return { finish: finish({ kind: "links", links }), tolerances };
    }
    case "create": {
      const { path, tolerances } = createdPath(operation, onlyPath(plan), registration, answered.response, context.strict);
      const news: News = { source, values: plan.written, receivedAt };
      const paths = operation.instances === undefined ? undefined : instancePaths(plan);
      const created: OperationResult = { kind: "created", path: paths?.[0] ?? formatPath(path), ...(paths === undefined ? {} : { paths }) };
      return { finish: finish(created), ...(plan.written.length > 0 ? { news } : {}), tolerances };
    }
    case "write":
    case "writeComposite":
      return {
        finish: finish({ kind: "done" }),
        news: { source, values: plan.written, completeUnder: plan.removed, receivedAt },
        tolerances: [],
      };
    case "delete":
      return {
        finish: finish({ kind: "done" }),
        news: { source, values: [], completeUnder: [onlyPath(plan)], receivedAt },
        tolerances: [],
      };
    case "execute":
    case "writeAttributes":
    case "cancelObserve":
      return { finish: finish({ kind: "done" }), tolerances: [] };
  }
}

function valuesAnswered({ operation, plan, registration, response, context, coapCode }: Success): Answer {
  const composite = operation.kind === "readComposite" || operation.kind === "observeComposite";
  const asked = { paths: plan.paths, composite };
  const { values, leftOut, tolerances } = valuesIn(response, asked, registration, context, plan.request.accept);
  const observing = operation.kind === "observe" || operation.kind === "observeComposite";
  const shown = resultValues(values, context.model);
  const missing = composite ? missingOf(plan.paths.map(compositeText), shown) : {};
  const completeUnder = plan.paths.filter((path) => path !== "/");
  return {
    finish: { result: { kind: "values", values: shown, ...missing }, reason: null, coapCode, detail: leftOut },
    news: { source: observing ? "notify" : "read", values, completeUnder, receivedAt: context.nowMs },
    tolerances,
  };
}

/** The REST form of values, with their names; that of a secret one is named only. */
export function resultValues(values: readonly PathValue[], model: DeviceModel): readonly ResultValue[] {
  return values.map(({ path, value, timeMs }) => {
    const name = model.nameOf(path);
    return {
      path: formatPath(path),
      ...(name === undefined ? {} : { name }),
      ...(value === undefined ? {} : { type: value.type, ...shown(value, isSecretPath(path, model)) }),
      ...(timeMs === undefined ? {} : { timeMs }),
    };
  });
}

function shown(value: NonNullable<PathValue["value"]>, isSecret: boolean): Pick<ResultValue, "value" | "isSecret"> {
  return isSecret ? { value: null, isSecret } : { value: toJsonValue(value) };
}

/** Those of several are named in the request, and all of them are there or none: one Location-Path could not name them. */
function instancePaths({ written }: OperationPlan): readonly string[] {
  const ids = new Set(written.map(({ path: { objectId, instanceId } }) => `/${objectId}/${instanceId}`));
  return [...ids];
}

interface CreatedPath {
  readonly path: Lwm2mPath;
  readonly tolerances: readonly ResponseTolerance[];
}

/** From Location-Path, the alternate root taken off; devices that leave it out made the instance that was asked for. */
function createdPath(
  operation: Pick<Operation, "instanceId">,
  path: Lwm2mPath,
  { rootPath }: Pick<Registration, "rootPath">,
  { locationPath }: IncomingResponse,
  strict: boolean,
): CreatedPath {
  const roots = rootPath.split("/").filter((segment) => segment !== "").length;
  const joined = locationPath.some((segment) => segment.includes("/"));
  if (joined && strict) throw new Lwm2mFormatError("path", "not accepted in strict mode: location-in-one-segment");
  // Some devices send the whole path as one segment.
  const segments = locationPath.flatMap((segment) => segment.split("/")).filter((segment) => segment !== "");
  const stated = findPath(`/${segments.join("/")}`) ?? findPath(`/${segments.slice(roots).join("/")}`);
  const tolerances = joined ? (["location-in-one-segment"] as const) : [];
  if (stated !== undefined) return { path: stated, tolerances };
  return { path: operation.instanceId === undefined ? path : pathOf([path.objectId, operation.instanceId]), tolerances };
}

/** RFC 7252 §5.5.2: the diagnostic payload is text for people. */
function diagnosticOf({ payload, contentFormat }: IncomingResponse): string | null {
  if (payload.length === 0 || (contentFormat ?? 0) !== 0) return null;
  return new TextDecoder().decode(payload.subarray(0, 200));
}
