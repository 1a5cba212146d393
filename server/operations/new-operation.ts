/** An operation as it is accepted: queued, with its first event. Pure. */
import { findPath, formatPath } from "@lwm2m/protocol/lwm2m/path";
import { type Operation, type OperationRequest, usualPriority } from "./operation.ts";
import type { OperationServiceLimits } from "./operation-limits.ts";
import { draft } from "./operation-machine.ts";

export interface Accepted {
  readonly endpoint: string;
  readonly request: OperationRequest;
  readonly actor: string;
  readonly traceId: string;
  readonly id: string;
}

export function newOperation(
  { endpoint, request, actor, traceId, id }: Accepted,
  limits: OperationServiceLimits,
  nowMs: number,
): Operation {
  const { onlineExpiryMs, defaultExpiryMs } = limits;
  const path = findPath(request.path);
  const operation = {
    ...request,
    path: path === undefined ? request.path : formatPath(path),
    priority: request.priority ?? usualPriority,
    _id: id,
    endpoint,
    status: "queued",
    reason: null,
    detail: null,
    coapCode: null,
    result: null,
    attempts: [],
    createdBy: actor,
    traceId,
    queuedAt: nowMs,
    // What may not be sent yet waits for its device from then on.
    expiresAt:
      request.expiresAt ?? Math.max(nowMs, request.notBefore ?? nowMs) + (request.onOffline === "fail" ? onlineExpiryMs : defaultExpiryMs),
    sentAt: null,
    finishedAt: null,
    open: true,
    rev: 1,
  } as const;
  const queued = draft({ ...operation, rev: 0 }, "operation.queued", nowMs);
  return { ...operation, outbox: [queued], hasOutbox: true };
}
