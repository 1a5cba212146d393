/** The settings of the wake-up queue, rows of the table in `setting-definitions.ts`. */
import type { SettingDefinition } from "./setting-definitions.ts";

export const queueSettingDefinitions = {
  redisUrl: {
    env: "REDIS_URL",
    kind: "text",
    purpose: "address of Redis, redis://HOST:PORT/DATABASE (rediss:// for TLS): it wakes up the steps of firmware updates",
    reason:
      "each step goes to one of several processes on one MongoDB; what it loses the store knows, and a password in it is never logged",
  },
} as const satisfies { readonly [name: string]: SettingDefinition };
