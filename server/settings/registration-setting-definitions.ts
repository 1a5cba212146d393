/** Settings of registration: who may come, and how fast. */
import type { SettingDefinition } from "./setting-definitions.ts";

export const registrationSettingDefinitions = {
  unknownDevices: {
    env: "UNKNOWN_DEVICES",
    kind: "choice",
    default: "accept",
    choices: ["accept", "quarantine", "refuse"],
    purpose: "what becomes of a device that nobody made an entry, a credential or a bootstrap configuration for",
    reason: "a first device needs nothing but an address; on a network open to strangers quarantine or refuse",
  },
  quarantineDevices: {
    env: "QUARANTINE_DEVICES",
    kind: "integer",
    default: 10_000,
    unit: "devices",
    min: 1,
    max: 1_000_000,
    purpose: "devices in quarantine at one time; then those whose registration is over are forgotten, and others are put off (5.03)",
    reason: "over plain CoAP anybody can come under any name",
  },
  registrationRate: {
    env: "REGISTRATION_RATE",
    kind: "integer",
    default: 10_000,
    unit: "registrations/s",
    min: 1,
    max: 1_000_000,
    purpose: "registrations taken in, even where the store takes more; others are told when to come back (5.03 with Max-Age)",
    reason:
      "above what one process stores, so that the store decides; lower it where the network or other work cannot take a fleet at once",
  },
} as const satisfies { readonly [name: string]: SettingDefinition };
