/** How long a relation may stay silent before it is asked for anew. Pure. */
import { exchangeLifetimeMs, type TransmissionParameters } from "@lwm2m/protocol/coap/parameters";
import type { Registration } from "../registration/registration.ts";
import type { Observation } from "./observation.ts";

/** Of two notifications in a row one may have been lost on its way: not each is confirmable. */
const missedNotifications = 2;
/** What is confirmed at least this often tells both sides that the other is still there (RFC 7641 §4.5). */
const longestUnconfirmedMs = 86_400_000;

/**
 * A device with a pmax says something at least that often (LwM2M Core 1.1 §5.1.2), any device once a day; one that sleeps may
 * keep it until it wakes, which it does within its lifetime. Then comes the time an exchange takes on its link.
 */
export function longestSilenceMs(
  attributes: Observation["attributes"],
  registration: Pick<Registration, "queueMode" | "lifetimeSeconds">,
  parameters: TransmissionParameters,
): number {
  const pmaxMs = pmaxInForceMs(attributes);
  const promisedMs = pmaxMs === undefined ? longestUnconfirmedMs : Math.min(pmaxMs * missedNotifications, longestUnconfirmedMs);
  return Math.max(promisedMs, asleepMs(registration)) + exchangeLifetimeMs(parameters);
}

/** For how long one must have listened to call a relation silent: while nobody did, what the device said went unheard. */
export function leastListeningMs(
  attributes: Observation["attributes"],
  registration: Pick<Registration, "queueMode" | "lifetimeSeconds">,
  parameters: TransmissionParameters,
): number {
  const promisedMs = Math.min(pmaxInForceMs(attributes) ?? 0, longestUnconfirmedMs);
  return Math.max(promisedMs, asleepMs(registration)) + exchangeLifetimeMs(parameters);
}

/** A pmax below pmin is ignored, 0 is none (LwM2M Core 1.1 §5.1.2). */
function pmaxInForceMs(attributes: Observation["attributes"]): number | undefined {
  const { pmin, pmax } = attributes ?? {};
  return typeof pmax === "number" && pmax > 0 && pmax >= (pmin ?? 0) ? pmax * 1_000 : undefined;
}

function asleepMs({ queueMode, lifetimeSeconds }: Pick<Registration, "queueMode" | "lifetimeSeconds">): number {
  return queueMode ? lifetimeSeconds * 1_000 : 0;
}
