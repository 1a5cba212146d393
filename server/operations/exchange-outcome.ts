/** How the exchange of an operation ended, whoever carried it out. */
import { formatCode } from "@lwm2m/protocol/coap/codes";
import type { ExchangeFacts, RequestOutcome } from "@lwm2m/protocol/coap/message";
import type { ObserveOutcome } from "@lwm2m/protocol/coap/observation";
import type { Attempt } from "./operation.ts";

export type ExchangeOutcome = RequestOutcome | ObserveOutcome;

export function isObserving(outcome: ExchangeOutcome): boolean {
  return "observing" in outcome && outcome.observing;
}

/** Undefined: nothing was handed to the socket. */
export function attemptOf(outcome: ExchangeOutcome, at: number): Attempt | undefined {
  const { facts }: { readonly facts: ExchangeFacts } = outcome;
  if (!outcome.ok && facts.datagramsSent === 0) return undefined;
  return {
    at,
    token: Buffer.from(facts.token).toString("hex"),
    roundTripMs: facts.roundTripMs ?? null,
    bytesUp: facts.bytesReceived,
    bytesDown: facts.bytesSent,
    outcome: outcome.ok ? formatCode(outcome.response.code) : outcome.reason,
  };
}

/** Several exchanges of one operation as one attempt: bytes and round trips together, token and outcome of the last. */
export function joinedAttempt(before: Attempt | undefined, next: Attempt | undefined): Attempt | undefined {
  if (before === undefined || next === undefined) return next ?? before;
  return {
    ...next,
    at: before.at,
    roundTripMs: before.roundTripMs === null || next.roundTripMs === null ? null : before.roundTripMs + next.roundTripMs,
    bytesUp: before.bytesUp + next.bytesUp,
    bytesDown: before.bytesDown + next.bytesDown,
  };
}
