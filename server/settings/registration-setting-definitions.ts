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
} as const satisfies { readonly [name: string]: SettingDefinition };
