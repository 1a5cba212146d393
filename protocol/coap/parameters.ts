/** Transmission parameters and what follows from them (RFC 7252 §4.8). */

export interface TransmissionParameters {
  /** ACK_TIMEOUT, milliseconds. */
  readonly ackTimeoutMs: number;
  /** ACK_RANDOM_FACTOR, 1 or more. */
  readonly ackRandomFactor: number;
  /** MAX_RETRANSMIT. */
  readonly maxRetransmit: number;
  /** MAX_LATENCY, milliseconds. */
  readonly maxLatencyMs: number;
  /** PROCESSING_DELAY, milliseconds. */
  readonly processingDelayMs: number;
  /** PROBING_RATE, bytes per second. */
  readonly probingRateBytesPerSecond: number;
  /** How long a handler may think before an empty ACK leaves and the response follows separately (RFC 7252 §5.2.2). */
  readonly piggybackMs: number;
  /** Preferred block size: 16, 32, 64, 128, 256, 512 or 1024 bytes (RFC 7959 §2.2). */
  readonly blockSizeBytes: number;
  /** Largest datagram the link carries in one piece, bytes; what `blockSizeBytes` was derived from (`link-profiles.ts`). */
  readonly mtuBytes?: number;
  /** A peer that chokes on the body of a FETCH when it asks for later blocks (RFC 8132 §2.3 leaves it open); default: repeated. */
  readonly omitsFetchBodyInLaterBlocks?: boolean;
}

/** RFC 7252 §4.8: the defaults; piggyback and block size are ours. */
export const defaultParameters: TransmissionParameters = {
  ackTimeoutMs: 2_000,
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
  maxLatencyMs: 100_000,
  processingDelayMs: 2_000,
  probingRateBytesPerSecond: 1,
  piggybackMs: 1_000,
  blockSizeBytes: 1_024,
};

/** MAX_TRANSMIT_SPAN: first to last transmission (RFC 7252 §4.8.2; 45 s by default). */
export function maxTransmitSpanMs(p: TransmissionParameters): number {
  return p.ackTimeoutMs * (2 ** p.maxRetransmit - 1) * p.ackRandomFactor;
}

/** MAX_TRANSMIT_WAIT: first transmission to giving up (RFC 7252 §4.8.2; 93 s by default). */
export function maxTransmitWaitMs(p: TransmissionParameters): number {
  return p.ackTimeoutMs * (2 ** (p.maxRetransmit + 1) - 1) * p.ackRandomFactor;
}

/** EXCHANGE_LIFETIME: how long a confirmable message id stays taken (RFC 7252 §4.8.2; 247 s by default). */
export function exchangeLifetimeMs(p: TransmissionParameters): number {
  return maxTransmitSpanMs(p) + 2 * p.maxLatencyMs + p.processingDelayMs;
}

/** NON_LIFETIME: how long a non-confirmable message id stays taken (RFC 7252 §4.8.2; 145 s by default). */
export function nonLifetimeMs(p: TransmissionParameters): number {
  return maxTransmitSpanMs(p) + p.maxLatencyMs;
}
