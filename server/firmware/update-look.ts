/** Operations of a step, and what their results say to the machine. */
import type { CreateRefusal, Operation, OperationRequest } from "../operations/operation.ts";
import type { DeviceFirmware, FirmwareUpdate, PendingStep } from "./update.ts";
import type { UpdateEvent } from "./update-machine.ts";

/** An operation that exists, or why it was refused. */
export type StepAnswer =
  | { readonly kind: "operation"; readonly operation: Operation }
  | { readonly kind: "refused"; readonly refusal: CreateRefusal };

/** Milliseconds a single operation of a step may wait for the device. */
const stepExpiryMs = 86_400_000;

/** One request per id of the pending step, in order. */
export function requestsOf(update: FirmwareUpdate, pending: PendingStep, nowMs: number): readonly OperationRequest[] {
  const expiresAt = Math.min(update.expiresAt, nowMs + stepExpiryMs);
  switch (pending.purpose) {
    case "look":
      return [
        { kind: "read", path: "/5/0", expiresAt },
        { kind: "read", path: "/3/0/3", expiresAt },
      ];
    case "reset":
      return [{ kind: "write", path: "/5/0/1", value: "", expiresAt }];
    case "offer":
      return [{ kind: "write", path: "/5/0/1", value: update.packageUri ?? "", expiresAt }];
    case "apply":
      return [{ kind: "execute", path: "/5/0/2", expiresAt }];
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
  switch (purpose) {
    case "look":
      return lookEvent(first, second, nowMs);
    case "reset":
      return isUnanswered(first) ? { kind: "unreachable" } : { kind: "reset-answered", detail: sentence(first) };
    case "offer":
      if (isUnanswered(first)) return { kind: "unreachable" };
      return { kind: "offer-answered", accepted: hasSucceeded(first), detail: sentence(first) };
    case "apply": {
      const outcome = hasSucceeded(first) ? "accepted" : isUnanswered(first) ? "unknown" : "rejected";
      return { kind: "apply-answered", outcome, detail: sentence(first) };
    }
  }
}

function lookEvent(instance: StepAnswer, version: StepAnswer | undefined, nowMs: number): UpdateEvent {
  if (instance.kind === "refused")
    return instance.refusal.reason === "path-not-in-model" ? { kind: "no-firmware-object" } : { kind: "unreachable" };
  const { operation } = instance;
  if (operation.status !== "succeeded") return operation.coapCode === "4.04" ? { kind: "no-firmware-object" } : { kind: "unreachable" };
  const state = numberAt(operation, "/5/0/3");
  const result = numberAt(operation, "/5/0/5");
  if (state === undefined || result === undefined) return { kind: "no-firmware-object" };
  const seen: DeviceFirmware = {
    state,
    result,
    version: (version?.kind === "operation" ? textAt(version.operation, "/3/0/3") : undefined) ?? textAt(operation, "/5/0/7") ?? null,
    protocols: protocolsOf(operation),
    delivery: numberAt(operation, "/5/0/9") ?? null,
    at: nowMs,
  };
  return { kind: "looked", seen };
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
