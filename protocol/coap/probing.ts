/**
 * PROBING_RATE (RFC 7252 §4.7): what leaves without asking for an acknowledgement, to a peer that says nothing, stays below a byte a second
 * on average over EXCHANGE_LIFETIME, so that a handful may leave at once. Anything heard from the peer clears the account.
 */
import { exchangeLifetimeMs, type TransmissionParameters } from "./parameters.ts";

export interface ProbeAccount {
  /** What was sent since the peer was last heard is paid for until then; undefined when there is nothing to pay. */
  probesPaidUntil: number | undefined;
}

const msPerSecond = 1_000;
/** The peer may be heard meanwhile, so that a long wait is cut into pieces. */
const longestPauseMs = 1_000;

export function noteProbe(account: ProbeAccount, parameters: TransmissionParameters, bytes: number, now: number): void {
  account.probesPaidUntil = Math.max(account.probesPaidUntil ?? now, now) + (bytes * msPerSecond) / parameters.probingRateBytesPerSecond;
}

/** Milliseconds until it is worth asking again; 0 when the next one may leave. */
export function probeWaitMs(account: ProbeAccount, parameters: TransmissionParameters, now: number): number {
  const { probesPaidUntil } = account;
  if (probesPaidUntil === undefined) return 0;
  return Math.min(Math.max(0, probesPaidUntil - now - exchangeLifetimeMs(parameters)), longestPauseMs);
}
