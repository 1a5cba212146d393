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
