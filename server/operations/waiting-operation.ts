/** An operation as the planner of a wake-up sees it. Pure. */
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { toJsonValue } from "@lwm2m/protocol/lwm2m/json-value";
import { type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import { valueBytes } from "../planning/answer-sizes.ts";
import { formatOptionBytes } from "../planning/exchange-cost.ts";
import type { AnswerSizes, Asked, MergedForm, Role, SizedValue, Waiting } from "../planning/waiting.ts";
import type { DeviceModel } from "../registration/device-model.ts";
import { type Operation, type OperationKind, usualPriority } from "./operation.ts";
import { isUnanswered, operationLimits, wasAnswered } from "./operation-machine.ts";
import type { OperationPlan, PlanTarget } from "./operation-plan.ts";

export interface WaitingContext {
  readonly target: Pick<PlanTarget, "objects">;
  readonly model: DeviceModel;
  readonly sizes: AnswerSizes;
  readonly forms: ReadonlySet<MergedForm>;
}

const roles: { readonly [kind in OperationKind]: Role } = {
  read: "looks",
  readComposite: "looks",
  discover: "looks",
  observe: "listens",
  observeComposite: "listens",
  cancelObserve: "listens",
  writeAttributes: "listens",
  write: "changes",
  writeComposite: "changes",
  create: "changes",
  delete: "changes",
  execute: "acts",
};

export function roleOf(kind: OperationKind): Role {
  return roles[kind];
}

/** Firmware and software: a write there starts something, so it goes as it was made. */
const actingObjects: ReadonlySet<number> = new Set([5, 9]);
/** Bytes of the links of a Discover; nobody knows before. */
const linksGuess = 200;

export function waitingOf(operation: Operation, plan: OperationPlan, context: WaitingContext): Waiting {
  const asks = askedOf(operation, plan, context);
  const { supersedeKey } = operation;
  return {
    id: operation._id,
    priority: operation.priority ?? usualPriority,
    ...(supersedeKey === undefined ? {} : { supersedeKey }),
    role: roles[operation.kind],
    touches: asks.kind === "write" ? asks.values.map(({ path }) => path) : touchedBy(operation, plan, context.target),
    asks,
    alone: mustGoAlone(operation),
    load: {
      requestOptions: optionBytes(plan.request),
      requestBody: plan.request.payload?.length ?? 0,
      responseBody: answerBytes(operation, plan, context),
    },
  };
}

/** Refused or left out of an answer once, or before its last attempt, so that it has one of its own. */
function mustGoAlone({ attempts }: Operation): boolean {
  const shared = attempts.filter(({ sharedBy = 1 }) => sharedBy > 1);
  return shared.some(wasAnswered) || (shared.length > 0 && attempts.filter(isUnanswered).length >= operationLimits.maxAttempts - 1);
}

/** An Execute has to do with its whole instance: it is there to change something. */
function touchedBy({ kind }: Pick<Operation, "kind">, plan: OperationPlan, { objects }: WaitingContext["target"]): readonly Lwm2mPath[] {
  return plan.paths.flatMap((path) => {
    if (path === "/") return objects.map(({ id }) => ({ objectId: id }));
    const { objectId, instanceId } = path;
    return kind === "execute" && instanceId !== undefined ? [{ objectId, instanceId }] : [path];
  });
}

function askedOf(operation: Operation, plan: OperationPlan, context: WaitingContext): Asked {
  const { kind } = operation;
  if (kind === "read" || (kind === "readComposite" && context.forms.has("readComposite"))) {
    const paths = plan.paths.filter((path) => path !== "/");
    return paths.length === plan.paths.length ? { kind: "read", paths } : { kind: "other" };
  }
  if (kind !== "write") return { kind: "other" };
  const values = mergeableValues(operation, plan, context.model);
  return values === undefined ? { kind: "other" } : { kind: "write", values };
}

/**
 * Undefined where an update of the instance does something else: it adds to what is there, so it is a Write to a resource of one value or
 * an update itself (LwM2M Core 1.1 §6.3.3).
 */
function mergeableValues(
  { mode }: Operation,
  { paths, written }: OperationPlan,
  { definitionOf }: DeviceModel,
): readonly SizedValue[] | undefined {
  const [path] = paths;
  if (path === undefined || path === "/" || actingObjects.has(path.objectId) || written.length === 0) return undefined;
  const resources = definitionOf(path.objectId)?.resources;
  const isSingle = resources?.get(path.resourceId ?? -1)?.multiple === false && levelOf(path) === "resource";
  if (mode !== "update" && !isSingle) return undefined;
  const values: SizedValue[] = [];
  for (const node of written) {
    if (node.value === undefined || resources?.has(node.path.resourceId ?? -1) !== true) return undefined;
    const value = toJsonValue(node.value);
    values.push({ path: node.path, bytes: valueBytes(value), text: JSON.stringify(value) });
  }
  return values;
}

function optionBytes({ path, query = [], contentFormat, accept }: OutgoingRequest): number {
  const texts = [...path, ...query].reduce<number>((sum, text) => sum + 1 + text.length, 0);
  return texts + [contentFormat, accept].filter((format) => format !== undefined).length * formatOptionBytes;
}

function answerBytes({ kind }: Operation, plan: OperationPlan, { sizes, target }: WaitingContext): number {
  if (kind === "discover") return linksGuess;
  if (roles[kind] !== "looks" && kind !== "observe" && kind !== "observeComposite") return 0;
  return touchedBy({ kind }, plan, target).reduce<number>((sum, path) => sum + sizes.likely(path), 0);
}
