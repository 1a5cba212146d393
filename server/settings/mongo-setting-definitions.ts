/** The settings of the MongoDB store, rows of the table in `setting-definitions.ts`. */
import type { SettingDefinition } from "./setting-definitions.ts";

export const mongoSettingDefinitions = {
  mongoUrl: {
    env: "MONGO_URL",
    kind: "text",
    purpose: "address of MongoDB, mongodb://HOST/DATABASE, in place of the embedded store",
    reason: "one store for a fleet, with its own replication and backup; a password in it is never logged",
  },
  mongoPoolSize: {
    env: "MONGO_POOL_SIZE",
    kind: "integer",
    default: 20,
    unit: "connections",
    min: 1,
    max: 1_000,
    purpose: "connections to MongoDB at most",
    reason: "calls that wait for the disk of the server side by side; each costs it memory",
  },
  mongoTimeoutMs: {
    env: "MONGO_TIMEOUT_MS",
    kind: "integer",
    default: 5_000,
    unit: "ms",
    min: 500,
    max: 60_000,
    purpose: "how long a call waits for MongoDB before it answers 503 or 5.03",
    reason: "most elections of a replica set are over by then; devices and programs try again",
  },
  processLeaseSeconds: {
    env: "PROCESS_LEASE_SECONDS",
    kind: "integer",
    default: 30,
    unit: "seconds",
    min: 2,
    max: 600,
    purpose: "how long after its last word others on one MongoDB leave alone what a process has in the air",
    reason: "longer than an election and than clocks differ; after a crash, what was in the air waits this long",
  },
} as const satisfies { readonly [name: string]: SettingDefinition };
