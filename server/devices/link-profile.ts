/** The link a device hangs on: one of the profiles by name, with values of its own if need be (RFC 7252 §4.8). Pure. */
import { type LinkProfileName, linkProfiles, withValues } from "@lwm2m/protocol/coap/link-profiles";
import { findParameterFaults, type NumericParameter } from "@lwm2m/protocol/coap/parameter-rules";
import {
  exchangeLifetimeMs,
  maxTransmitSpanMs,
  maxTransmitWaitMs,
  nonLifetimeMs,
  type TransmissionParameters,
} from "@lwm2m/protocol/coap/parameters";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

export interface LinkProfile {
  readonly profile: LinkProfileName;
  /** In place of the profile's own. */
  readonly values?: { readonly [name in NumericParameter]?: number };
  /** How long the device listens after a message, if that is not MAX_TRANSMIT_WAIT. */
  readonly awakeSeconds?: number;
  /** Bytes both ways that one wake-up of the device may cost, if that matters. */
  readonly wakeUpBytes?: number;
}

/** What follows from the parameters (RFC 7252 §4.8.2), milliseconds. */
export interface DerivedTimes {
  readonly maxTransmitSpanMs: number;
  readonly maxTransmitWaitMs: number;
  readonly exchangeLifetimeMs: number;
  readonly nonLifetimeMs: number;
}

/** What is known of the link of a device; implemented by `link-profile-service.ts`. */
export interface LinkFacts {
  linkOf(endpoint: string): LinkProfile;
  /** How long the device listens after a message (LwM2M Core 1.1 §6.5), milliseconds. */
  awakeWindowMs(endpoint: string): number;
}

/** What registration tells of a device, and asks; implemented by `link-profile-service.ts`. */
export interface DeviceLinks {
  /** The device is heard at this address now, and no other is. */
  place(endpoint: string, address: SocketAddress): void;
  /** The device is heard nowhere, or another is heard at its address. */
  leave(endpoint: string): void;
  /** How long the device listens after a message (LwM2M Core 1.1 §6.5), milliseconds. */
  awakeWindowMs(endpoint: string): number;
}

export const linkProfileNames = Object.keys(linkProfiles) as readonly LinkProfileName[];

export function parametersOf({ profile, values }: LinkProfile): TransmissionParameters {
  return values === undefined ? linkProfiles[profile] : withValues(linkProfiles[profile], values);
}

export function derivedTimes(parameters: TransmissionParameters): DerivedTimes {
  return {
    maxTransmitSpanMs: maxTransmitSpanMs(parameters),
    maxTransmitWaitMs: maxTransmitWaitMs(parameters),
    exchangeLifetimeMs: exchangeLifetimeMs(parameters),
    nonLifetimeMs: nonLifetimeMs(parameters),
  };
}

/** Where in the profile which rule is broken. */
export function findLinkFaults(link: LinkProfile): readonly { readonly pointer: string; readonly detail: string }[] {
  return findParameterFaults(parametersOf(link)).map(({ parameter, detail }) => ({ pointer: `/values/${parameter}`, detail }));
}
