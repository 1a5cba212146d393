/**
 * One operation from its creation to its end.
 *
 *   queued --claim--> leased            about to be sent by its owner; a crash from here on puts it back
 *   queued --claim--> sent              the same for what must not happen twice (Execute, Create): a crash from here on is final
 *   leased | sent --finish--> succeeded | failed
 *   leased | sent --putBack--> queued           it never left
 *   leased | sent --unanswered--> queued        attempts left and harmless to repeat
 *                             --> failed        attempts used up, or nobody knows whether it happened
 *                             --> expired       expiresAt passed meanwhile
 *   leased --apart--> queued            the exchange carried several and did not answer this one, or the device said "later"
 *   leased --interrupt--> queued        its owner stopped or is gone, or the device registered anew
 *                     --> failed        each time it is asked: a request that restarts the device must not do so for ever
 *   sent --interrupt--> failed (outcome-unknown), or queued with retryExecute
 *   queued --expire--> expired
 *   queued --refuse--> failed           it does not fit what the device has registered since
 *   queued --cancel--> cancelled
 */
import type { EventDraft, EventType } from "../events/event.ts";
import type { Json } from "../storage/collection.ts";
import { nextClaim } from "../storage/process-owner.ts";
import type { Attempt, Operation, OperationReason, OperationResult, OperationStatus } from "./operation.ts";

export type OperationEvent =
  | { readonly kind: "claim"; readonly owner: string }
  | { readonly kind: "putBack" }
  | {
      readonly kind: "finish";
      readonly attempt: Attempt | undefined;
      readonly result: OperationResult | null;
      readonly reason: OperationReason | null;
      readonly coapCode: string | null;
      readonly detail: string | null;
    }
  | {
      readonly kind: "unanswered";
      readonly attempt: Attempt;
      readonly reason: "no-answer" | "response-timeout" | "reset" | "invalid-response";
      readonly detail: string | null;
    }
  | { readonly kind: "apart"; readonly attempt: Attempt; readonly detail: string; readonly pauseMs?: number }
  | { readonly kind: "interrupt"; readonly attempt: Attempt | undefined; readonly detail: string }
  | { readonly kind: "refuse"; readonly reason: OperationReason; readonly detail: string }
  | { readonly kind: "expire" }
  | { readonly kind: "cancel"; readonly detail: string };

export interface OperationLimits {
  /** Exchanges without an answer before an operation fails. */
  readonly maxAttempts: number;
  /** Interruptions of a request in the air before an operation fails. */
  readonly maxInterruptions: number;
  /** Attempts kept for show; the oldest go first. */
  readonly keptAttempts: number;
}

/**
 * Three exchanges of 93 s each: what a device that is only badly reachable gets; the fourth would tell nothing new. A restart that
 * falls into an exchange by chance does not do so five times.
 */
export const operationLimits: OperationLimits = { maxAttempts: 3, maxInterruptions: 5, keptAttempts: 20 };

export type OperationChange = Partial<
  Pick<Operation, "status" | "claim" | "reason" | "detail" | "coapCode" | "result" | "attempts" | "sentAt" | "finishedAt" | "open">
>;

export interface OperationStep {
  readonly change: OperationChange;
  readonly events: readonly EventDraft[];
}

/** Undefined: the operation is in no state for this. */
export function step(operation: Operation, event: OperationEvent, nowMs: number, limits = operationLimits): OperationStep | undefined {
  const inFlight = isInFlight(operation);
  switch (event.kind) {
    case "claim": {
      if (operation.status !== "queued") return undefined;
      const claim = nextClaim(operation.claim, event.owner);
      return repeatable(operation)
        ? { change: { status: "leased", claim }, events: [] }
        : { change: { status: "sent", claim, sentAt: nowMs }, events: [draft(operation, "operation.sent", nowMs)] };
    }
    case "putBack":
      return inFlight ? backToQueue({ ...operation, sentAt: null }, operation.attempts, operation.detail, nowMs) : undefined;
    case "finish": {
      if (!inFlight) return undefined;
      const { result, reason, coapCode, detail } = event;
      const attempts = withAttempt(operation, event.attempt, limits);
      const status = reason === null ? "succeeded" : "failed";
      return end(operation, status, { result, reason, coapCode, detail, attempts, ...sentAtOf(operation, event.attempt) }, nowMs);
    }
    case "unanswered":
      return inFlight ? unanswered(operation, event, nowMs, limits) : undefined;
    case "apart":
      if (operation.status !== "leased") return undefined;
      return backToQueue(operation, withAttempt(operation, event.attempt, limits), event.detail, nowMs);
    case "interrupt": {
      if (!inFlight) return undefined;
      const attempts = withAttempt(operation, event.attempt, limits);
      if (operation.status === "leased" || operation.retryExecute === true) {
        const interruptions = attempts.filter(({ outcome }) => outcome === interrupted).length;
        if (interruptions < (operation.maxInterruptions ?? limits.maxInterruptions))
          return backToQueue(operation, attempts, event.detail, nowMs);
        const sentence = `${event.detail}, as it was ${interruptions} times`;
        return end(operation, "failed", { reason: "no-answer", detail: sentence, attempts, ...sentAtOf(operation, event.attempt) }, nowMs);
      }
      return end(operation, "failed", { reason: "outcome-unknown", detail: event.detail, attempts }, nowMs);
    }
    case "refuse":
      return operation.status === "queued" ? end(operation, "failed", { reason: event.reason, detail: event.detail }, nowMs) : undefined;
    case "expire":
      return operation.status === "queued" ? expired(operation, nowMs) : undefined;
    case "cancel":
      return operation.status === "queued" ? end(operation, "cancelled", { detail: event.detail }, nowMs) : undefined;
  }
}

/** In the hands of the owner of its claim. */
export function isInFlight({ status }: Pick<Operation, "status">): boolean {
  return status === "leased" || status === "sent";
}

/** The outcome of an attempt that was ended from outside. */
export const interrupted = "interrupted";

/** Nothing, or nothing that can be read, came back; not so when it was cut off, or answered with the code that stands as its outcome. */
export function isUnanswered({ outcome }: Pick<Attempt, "outcome">): boolean {
  return outcome !== interrupted && !wasAnswered({ outcome });
}

export function wasAnswered({ outcome }: Pick<Attempt, "outcome">): boolean {
  return /^\d\.\d\d$/.test(outcome);
}

/** An Execute, and a Create (a second one makes a second instance), may happen once only. */
export function repeatable({ kind }: Pick<Operation, "kind">): boolean {
  return kind !== "execute" && kind !== "create";
}

function unanswered(
  operation: Operation,
  { attempt, reason, detail }: OperationEvent & { kind: "unanswered" },
  nowMs: number,
  limits: OperationLimits,
): OperationStep {
  const attempts = withAttempt(operation, attempt, limits);
  const sent = sentAtOf(operation, attempt);
  if (!repeatable(operation) && operation.retryExecute !== true) {
    const sentence = `it left, and nothing tells whether the device did it (${reason})`;
    return end(operation, "failed", { reason: "outcome-unknown", detail: sentence, attempts, ...sent }, nowMs);
  }
  // `onOffline: fail` asks for an answer now or never.
  if (operation.onOffline === "fail") return end(operation, "failed", { reason, detail, attempts, ...sent }, nowMs);
  const tried = attempts.filter(isUnanswered).length;
  if (tried >= limits.maxAttempts) return end(operation, "failed", { reason, detail, attempts, ...sent }, nowMs);
  return backToQueue(operation, attempts, detail, nowMs);
}

function backToQueue(operation: Operation, attempts: readonly Attempt[], detail: string | null, nowMs: number): OperationStep {
  if (operation.expiresAt <= nowMs) return expired({ ...operation, attempts }, nowMs);
  return { change: { status: "queued", attempts, detail, sentAt: operation.sentAt }, events: [] };
}

function expired(operation: Operation, nowMs: number): OperationStep {
  const tried = operation.attempts.length === 0 ? "the device did not come in time" : "the device did not answer in time";
  return end(operation, "expired", { detail: tried, attempts: operation.attempts }, nowMs);
}

const eventOf: { readonly [status in OperationStatus]?: EventType } = {
  succeeded: "operation.succeeded",
  failed: "operation.failed",
  expired: "operation.expired",
  cancelled: "operation.cancelled",
};

function end(operation: Operation, status: OperationStatus, change: OperationChange, nowMs: number): OperationStep {
  const type = eventOf[status];
  if (type === undefined) throw new Error(`${status} is no end of an operation`);
  const { reason = null, coapCode = null, detail = null } = change;
  const told = draft(operation, type, nowMs, { reason, coapCode, detail });
  const unsaid = operation.sentAt === null && typeof change.sentAt === "number";
  const sent = unsaid ? [draft(operation, "operation.sent", change.sentAt ?? nowMs)] : [];
  return { change: { ...change, status, finishedAt: nowMs, open: false }, events: [...sent, told] };
}

function sentAtOf(operation: Operation, attempt: Attempt | undefined): { readonly sentAt?: number } {
  return operation.sentAt === null && attempt !== undefined ? { sentAt: attempt.at } : {};
}

function withAttempt({ attempts }: Operation, attempt: Attempt | undefined, { keptAttempts }: OperationLimits): readonly Attempt[] {
  return attempt === undefined ? attempts : [...attempts, attempt].slice(-keptAttempts);
}

/** The subject is the device: who follows one device sees its operations. */
export function draft(
  operation: Pick<Operation, "_id" | "endpoint" | "kind" | "path" | "paths" | "rev">,
  type: EventType,
  timeMs: number,
  more: { readonly [field: string]: Json } = {},
): EventDraft {
  const { _id, endpoint, kind, path, paths, rev } = operation;
  const about = { operationId: _id, kind, path, ...(paths === undefined ? {} : { paths: [...paths] }) };
  return { key: `operation/${_id}/${rev + 1}/${type}`, type, subject: endpoint, timeMs, data: { ...about, ...more } };
}
