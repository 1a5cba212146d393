/** Operations of a step, and what their results say to the machine. */
import type { CreateRefusal, Operation, OperationRequest } from "../operations/operation.ts";
import type { DeviceFirmware, FirmwareUpdate, PendingStep } from "./update.ts";
import type { UpdateLimits } from "./update-limits.ts";
import type { UpdateEvent } from "./update-step.ts";

/** An operation that exists, or why it was refused. */
export type StepAnswer =
  | { readonly kind: "operation"; readonly operation: Operation }
  | { readonly kind: "refused"; readonly refusal: CreateRefusal };

/** The device has no such instance. */
const notFound = "4.04";
/** Milliseconds a single operation of a step may wait for the device. */
const stepExpiryMs = 86_400_000;

/** One request per id of the pending step, in order. The State is read last: a device may fall asleep between two reads. */
export function requestsOf(
  update: FirmwareUpdate,
  pending: PendingStep,
  now: { readonly nowMs: number; readonly limits: UpdateLimits },
): readonly OperationRequest[] {
  const expiresAt = Math.min(update.expiresAt, now.nowMs + stepExpiryMs);
  switch (pending.purpose) {
    case "look": {
      const until = lookExpiry(update, now.nowMs, now.limits);
      return [
        { kind: "read", path: "/3/0/3", expiresAt: until },
        { kind: "read", path: "/5/0", expiresAt: until },
      ];
    }
    case "reset":
      return [{ kind: "write", path: "/5/0/1", value: "", expiresAt }];
    case "offer":
      return [{ kind: "write", path: "/5/0/1", value: update.packageUri ?? "", expiresAt }];
    case "apply":
      return [{ kind: "execute", path: "/5/0/2", expiresAt }];
  }
}

/** What may be installing is looked at beyond the time allowed, and given up on when the time of a restart is over. */
function lookExpiry({ state, stateSince, expiresAt }: FirmwareUpdate, nowMs: number, limits: UpdateLimits): number {
  const latest = nowMs + stepExpiryMs;
  switch (state) {
    case "rebooting":
    case "verifying":
      return Math.max(stateSince + limits.bootTimeoutMs, nowMs + limits.leaseMs);
    case "applying":
      return Math.min(latest, Math.max(expiresAt, nowMs + limits.bootTimeoutMs));
    default:
      return Math.min(latest, expiresAt);
  }
}

/** How many operations a step of this purpose has. */
export function operationCount(purpose: PendingStep["purpose"]): number {
  return purpose === "look" ? 2 : 1;
}

/** All answers are final. */
export function eventOf(purpose: PendingStep["purpose"], answers: readonly StepAnswer[], nowMs: number): UpdateEvent {
  const [first, second] = answers;
  if (first === undefined) throw new Error(`a firmware step (${purpose}) without an operation`);
  if (answers.some((answer) => answer.kind === "refused" && answer.refusal.reason === "device-unknown")) return { kind: "device-deleted" };
  switch (purpose) {
    case "look":
      if (second === undefined) throw new Error("a look is two reads");
      return lookEvent(second, first, nowMs);
    case "reset":
      return isUnanswered(first) ? { kind: "unreachable" } : { kind: "reset-answered", detail: sentence(first) };
    case "offer":
      if (isUnanswered(first)) return { kind: "unreachable" };
      return { kind: "offer-answered", accepted: hasSucceeded(first), detail: sentence(first) };
    case "apply":
      return { kind: "apply-answered", outcome: applyOutcome(first), detail: sentence(first) };
  }
}

function lookEvent(instance: StepAnswer, version: StepAnswer, nowMs: number): UpdateEvent {
  if (instance.kind === "refused")
    return instance.refusal.reason === "path-not-in-model" ? { kind: "no-firmware-object" } : { kind: "unreachable" };
  const { operation } = instance;
  if (operation.status !== "succeeded") return failedLook(operation);
  const state = numberAt(operation, "/5/0/3");
  const result = numberAt(operation, "/5/0/5");
  if (state === undefined || result === undefined) return { kind: "no-firmware-object" };
  const seen: DeviceFirmware = {
    state,
    result,
    version: (version.kind === "operation" ? textAt(version.operation, "/3/0/3") : undefined) ?? textAt(operation, "/5/0/7") ?? null,
    protocols: protocolsOf(operation),
    delivery: numberAt(operation, "/5/0/9") ?? null,
    at: operation.finishedAt ?? nowMs,
  };
  return { kind: "looked", seen };
}

function failedLook(operation: Operation): UpdateEvent {
  const { status, reason, coapCode } = operation;
  if (status !== "failed") return { kind: "unreachable" };
  if (coapCode === notFound || reason === "path-not-in-model") return { kind: "no-firmware-object" };
  const answered = reason === "device-rejected" || reason === "invalid-response";
  return answered ? { kind: "look-refused", detail: sentence({ kind: "operation", operation }) } : { kind: "unreachable" };
}

function applyOutcome(answer: StepAnswer): (UpdateEvent & { readonly kind: "apply-answered" })["outcome"] {
  if (answer.kind === "refused") return isUnanswered(answer) ? "unsent" : "rejected";
  const { status, reason, sentAt } = answer.operation;
  if (status === "succeeded") return "accepted";
  if (status === "failed") return reason === "device-rejected" || reason === "path-not-in-model" ? "rejected" : "unknown";
  return sentAt === null ? "unsent" : "unknown";
}

/** Nothing came back that the device said: asleep for too long, gone, or the queue was full. */
function isUnanswered(answer: StepAnswer): boolean {
  if (answer.kind === "refused") return answer.refusal.reason !== "path-not-in-model" && answer.refusal.reason !== "operation-not-allowed";
  const { status, reason } = answer.operation;
  return status !== "succeeded" && !(status === "failed" && reason === "device-rejected");
}

function hasSucceeded(answer: StepAnswer): boolean {
  return answer.kind === "operation" && answer.operation.status === "succeeded";
}

function sentence(answer: StepAnswer): string {
  if (answer.kind === "refused") return answer.refusal.detail;
  const { kind, path, coapCode, detail } = answer.operation;
  return `${kind} ${path}: ${coapCode ?? answer.operation.status}${detail === null ? "" : `, ${detail}`}`;
}

function valueAt(operation: Operation, path: string): unknown {
  if (operation.result?.kind !== "values") return undefined;
  return operation.result.values.find((value) => value.path === path)?.value;
}

function numberAt(operation: Operation, path: string): number | undefined {
  const value = valueAt(operation, path);
  return typeof value === "number" ? value : undefined;
}

function textAt(operation: Operation, path: string): string | undefined {
  const value = valueAt(operation, path);
  return typeof value === "string" ? value : undefined;
}

function protocolsOf(operation: Operation): readonly number[] {
  if (operation.result?.kind !== "values") return [];
  return operation.result.values
    .filter((value) => value.path === "/5/0/8" || value.path.startsWith("/5/0/8/"))
    .map((value) => value.value)
    .filter((value) => typeof value === "number");
}
