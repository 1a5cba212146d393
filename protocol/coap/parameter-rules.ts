/** Which transmission parameters a deployment may choose (RFC 7252 §4.8.1), as a table, and what must hold between them. */
import { largestBlockBytes, smallestBlockBytes } from "./block-option.ts";
import { exchangeLifetimeMs, maxTransmitWaitMs, type TransmissionParameters } from "./parameters.ts";

/** The parameters that are numbers. */
export type NumericParameter = Exclude<keyof TransmissionParameters, "omitsFetchBodyInLaterBlocks">;

export interface ParameterRule {
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly isInteger: boolean;
  readonly reason: string;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export const parameterRules: { readonly [name in NumericParameter]: ParameterRule } = {
  ackTimeoutMs: {
    ...{ min: 1_000, max: 10 * minuteMs, unit: "ms", isInteger: true },
    reason: "ACK_TIMEOUT: RFC 7252 §4.8.1, below a second only with a measured round trip",
  },
  ackRandomFactor: {
    ...{ min: 1, max: 3, unit: "", isInteger: false },
    reason: "ACK_RANDOM_FACTOR: RFC 7252 §4.8.1, never below 1; well above it keeps a fleet from resending in step",
  },
  maxRetransmit: {
    ...{ min: 0, max: 10, unit: "", isInteger: true },
    reason: "MAX_RETRANSMIT: every resend doubles the wait",
  },
  maxLatencyMs: {
    ...{ min: 1_000, max: hourMs, unit: "ms", isInteger: true },
    reason: "MAX_LATENCY: how long the link may keep one datagram",
  },
  processingDelayMs: {
    ...{ min: 0, max: hourMs, unit: "ms", isInteger: true },
    reason: "PROCESSING_DELAY: from a confirmable message to its acknowledgement",
  },
  probingRateBytesPerSecond: {
    ...{ min: 1, max: 1_000_000, unit: "bytes/s", isInteger: true },
    reason: "PROBING_RATE: what a silent peer is sent without confirmation",
  },
  piggybackMs: {
    ...{ min: 0, max: minuteMs, unit: "ms", isInteger: true },
    reason: "RFC 7252 §5.2.2: the empty ACK has to leave before the peer sends again",
  },
  blockSizeBytes: {
    ...{ min: smallestBlockBytes, max: largestBlockBytes, unit: "bytes", isInteger: true },
    reason: "RFC 7959 §2.2: a power of two",
  },
  mtuBytes: {
    ...{ min: 64, max: 9_000, unit: "bytes", isInteger: true },
    reason: "what the link carries in one piece; the block size follows from it unless it is given",
  },
};

/** A device that would be waited for any longer is asleep: the queue is for that. */
const longestWaitMs = 24 * hourMs;

export interface ParameterFault {
  readonly parameter: NumericParameter;
  readonly detail: string;
}

/** Every rule the set breaks; none for the built-in profiles. */
export function findParameterFaults(parameters: TransmissionParameters): readonly ParameterFault[] {
  const faults: ParameterFault[] = [];
  for (const [name, rule] of Object.entries(parameterRules)) {
    const parameter = name as NumericParameter; // The keys of the table above.
    const value = parameters[parameter];
    if (value === undefined) continue;
    const fits = value >= rule.min && value <= rule.max && (!rule.isInteger || Number.isInteger(value));
    if (!fits) faults.push({ parameter, detail: `got ${value}, expected ${rule.min} to ${rule.max} ${rule.unit}`.trimEnd() });
  }
  return faults.length > 0 ? faults : findRelationFaults(parameters);
}

function findRelationFaults(parameters: TransmissionParameters): readonly ParameterFault[] {
  const { ackTimeoutMs, blockSizeBytes, mtuBytes, piggybackMs } = parameters;
  const faults: ParameterFault[] = [];
  if (Math.log2(blockSizeBytes) % 1 !== 0) {
    faults.push({ parameter: "blockSizeBytes", detail: `got ${blockSizeBytes}, expected 16, 32, 64, 128, 256, 512 or 1024 bytes` });
  } else if (mtuBytes !== undefined && blockSizeBytes > mtuBytes) {
    faults.push({ parameter: "blockSizeBytes", detail: `a block of ${blockSizeBytes} bytes does not fit a datagram of ${mtuBytes}` });
  }
  if (piggybackMs > ackTimeoutMs) {
    faults.push({
      parameter: "piggybackMs",
      detail: `${piggybackMs} ms is more than ackTimeoutMs, ${ackTimeoutMs}: the peer sends again before`,
    });
  }
  const waitMs = Math.max(maxTransmitWaitMs(parameters), exchangeLifetimeMs(parameters));
  if (waitMs > longestWaitMs) {
    const detail = `MAX_TRANSMIT_WAIT or EXCHANGE_LIFETIME would be ${waitMs} ms, at most ${longestWaitMs} (RFC 7252 §4.8.2)`;
    faults.push({ parameter: maxTransmitWaitMs(parameters) > longestWaitMs ? "maxRetransmit" : "maxLatencyMs", detail });
  }
  return faults;
}
