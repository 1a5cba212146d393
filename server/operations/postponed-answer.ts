/** "Later" from a device that sleeps in between (4.29 of RFC 8516, 5.03 of RFC 7252 §5.9.3.4): asked again when it is over, if it is awake then. Pure. */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import type { Attempt, Operation } from "./operation.ts";
import { type OperationEvent, operationLimits, repeatable } from "./operation-machine.ts";

const laterCodes: ReadonlySet<number> = new Set([ResponseCode.tooManyRequests, ResponseCode.serviceUnavailable]);
const msPerSecond = 1_000;

/** Undefined where the answer says nothing of the kind, or has said it often enough. */
export function findPostponement(
  operation: Operation,
  { code, maxAgeSeconds }: Pick<IncomingResponse, "code" | "maxAgeSeconds">,
  attempt: Attempt | undefined,
): OperationEvent | undefined {
  if (attempt === undefined || maxAgeSeconds === undefined || !laterCodes.has(code) || !repeatable(operation)) return undefined;
  const before = operation.attempts.filter(({ outcome }) => outcome === attempt.outcome).length;
  if (before + 1 >= operationLimits.maxAttempts || operation.onOffline === "fail") return undefined;
  const { sharedBy: _, ...own } = attempt;
  const detail = `the device asked for ${maxAgeSeconds} s of patience`;
  return { kind: "apart", attempt: own, detail, pauseMs: maxAgeSeconds * msPerSecond };
}
