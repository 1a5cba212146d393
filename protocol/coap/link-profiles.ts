/** Transmission parameters of the links devices hang on, as data: set for one peer, or for a whole endpoint (RFC 7252 §4.8.1 lets a deployment choose). */
import { blockSizeWithin } from "./block-option.ts";
import { defaultParameters, type TransmissionParameters } from "./parameters.ts";

export type LinkProfileName = "default" | "nbiot" | "ltem" | "lorawan" | "satellite";

/** What header, token and options may take of a datagram: RFC 7252 §4.6 assumes 1,152 bytes for a payload of 1,024. */
const messageOverheadBytes = 128;

/** The block size that fits a datagram of `mtuBytes` beside header, token and options. */
export function blockSizeForMtu(mtuBytes: number): number {
  return blockSizeWithin(mtuBytes - messageOverheadBytes);
}

/**
 * What each differs in, and why. Give-up times (MAX_TRANSMIT_WAIT): default 93 s, LTE-M 186 s, NB-IoT 697.5 s, satellite 675 s,
 * LoRaWAN 3,150 s.
 */
export const linkProfiles: { readonly [name in LinkProfileName]: TransmissionParameters } = {
  default: defaultParameters,
  // A modem that wakes from extended discontinuous reception answers after 10 s and more; a shorter first timeout doubles the traffic.
  nbiot: profileOf(512, { ackTimeoutMs: 15_000, maxLatencyMs: 100_000, processingDelayMs: 15_000, piggybackMs: 3_000 }),
  // Coverage enhancement repeats a message over seconds; the bandwidth carries whole blocks.
  ltem: profileOf(1_280, { ackTimeoutMs: 4_000, maxLatencyMs: 100_000, processingDelayMs: 4_000, piggybackMs: 1_500 }),
  // Class A hears only after it spoke, and the duty cycle leaves minutes between two uplinks: two resends, not four.
  lorawan: profileOf(222, {
    ackTimeoutMs: 300_000,
    maxRetransmit: 2,
    maxLatencyMs: 300_000,
    processingDelayMs: 300_000,
    piggybackMs: 1_000,
  }),
  // A geostationary round trip is under a second; what takes long is the wait for a pass or for capacity.
  satellite: profileOf(512, {
    ackTimeoutMs: 30_000,
    maxRetransmit: 3,
    maxLatencyMs: 300_000,
    processingDelayMs: 30_000,
    piggybackMs: 3_000,
  }),
};

/** A profile with some values of one's own; a datagram size brings its block size along unless that is given too. */
export function withValues(profile: TransmissionParameters, values: Partial<TransmissionParameters>): TransmissionParameters {
  const { mtuBytes } = values;
  return { ...profile, ...(mtuBytes === undefined ? {} : { blockSizeBytes: blockSizeForMtu(mtuBytes) }), ...values };
}

/** Undefined for a name that is none of the five. */
export function findLinkProfile(name: string): TransmissionParameters | undefined {
  return Object.entries(linkProfiles).find(([known]) => known === name)?.[1];
}

function profileOf(mtuBytes: number, changes: Partial<TransmissionParameters>): TransmissionParameters {
  return { ...defaultParameters, mtuBytes, blockSizeBytes: blockSizeForMtu(mtuBytes), ...changes };
}
