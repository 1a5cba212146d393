/** Every setting of the server as one row: its name, default, unit, bounds and the reason for them. Environment variables and flags derive from it (`config.ts`). */
import { coapSettingDefinitions } from "./coap-setting-definitions.ts";
import { dtlsSettingDefinitions } from "./dtls-setting-definitions.ts";
import { mongoSettingDefinitions } from "./mongo-setting-definitions.ts";
import { queueSettingDefinitions } from "./queue-setting-definitions.ts";
import { registrationSettingDefinitions } from "./registration-setting-definitions.ts";

export interface SettingDefinition {
  /** The environment variable; the flag is the same name in lower case with dashes. */
  readonly env: string;
  readonly kind: "text" | "integer" | "choice" | "secret";
  readonly default?: string | number;
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Shown by `--help`. */
  readonly purpose: string;
  /** Why this default and these bounds. */
  readonly reason: string;
}

const port = { kind: "integer", unit: "port", min: 0, max: 65_535 } as const;
const mebibyte = 1_048_576;

export const settingDefinitions = {
  dataDir: {
    env: "DATA_DIR",
    kind: "text",
    default: "./data",
    purpose: "directory of everything that is kept",
    reason: "one directory to back up; one server at a time holds it",
  },
  httpHost: {
    env: "HTTP_HOST",
    kind: "text",
    default: "127.0.0.1",
    purpose: "address of the REST API",
    reason: "reachable from this machine only until someone decides otherwise",
  },
  httpPort: {
    env: "HTTP_PORT",
    ...port,
    default: 8080,
    purpose: "port of the REST API; 0 takes a free one",
    reason: "no privilege needed",
  },
  coapHost: {
    env: "COAP_HOST",
    kind: "text",
    default: "0.0.0.0",
    purpose: "address of the CoAP doors, plain and secured",
    reason: "devices come from outside",
  },
  coapPort: { env: "COAP_PORT", ...port, default: 5683, purpose: "port of the LwM2M server, CoAP over UDP", reason: "RFC 7252 §6.1" },
  bootstrapCoapPort: {
    env: "BOOTSTRAP_COAP_PORT",
    ...port,
    default: 5783,
    purpose: "port of the bootstrap server, CoAP over UDP",
    reason: "beside the LwM2M server's own",
  },
  apiKey: {
    env: "API_KEY",
    kind: "secret",
    min: 16,
    max: 256,
    unit: "characters",
    purpose: "the administrator key, in place of the one kept in DATA_DIR/admin-key",
    reason: "scripts know it beforehand; shorter ones can be guessed",
  },
  logLevel: {
    env: "LOG_LEVEL",
    kind: "choice",
    default: "info",
    choices: ["error", "warn", "info", "debug"],
    purpose: "what the log holds",
    reason: "info is one line per event of the server's own life",
  },
  publicCoapHost: {
    env: "PUBLIC_COAP_HOST",
    kind: "text",
    purpose:
      "host name or address under which devices reach this server (default: the address a device's own messages arrive at, else COAP_HOST)",
    reason: "firmware addresses handed to devices must work behind NAT and port forwarding",
  },
  httpBodyBytes: {
    env: "HTTP_BODY_BYTES",
    kind: "integer",
    default: mebibyte,
    unit: "bytes",
    min: 1_024,
    max: 64 * mebibyte,
    purpose: "largest JSON body of a request",
    reason: "a write of a whole object instance with opaque values fits many times over",
  },
  packageBytes: {
    env: "PACKAGE_BYTES",
    kind: "integer",
    default: 100 * mebibyte,
    unit: "bytes",
    min: 1_024,
    max: 4_096 * mebibyte,
    purpose: "largest firmware package",
    reason: "above what CoAP block-wise carries in practice; bounds what one upload takes on disk",
  },
  maxWaitSeconds: {
    env: "MAX_WAIT_SECONDS",
    kind: "integer",
    default: 60,
    unit: "s",
    min: 1,
    max: 600,
    purpose: "cap of Prefer: wait=N",
    reason: "most proxies give up on a silent request after a minute",
  },
  httpRequestSeconds: {
    env: "HTTP_REQUEST_SECONDS",
    kind: "integer",
    default: 600,
    unit: "s",
    min: 5,
    max: 86_400,
    purpose: "longest time a client may take to send one request",
    reason: "a firmware package over a slow line, but no connection held for ever",
  },
  eventStreams: {
    env: "EVENT_STREAMS",
    kind: "integer",
    default: 200,
    unit: "streams",
    min: 1,
    max: 10_000,
    purpose: "event streams (SSE) open at one time",
    reason: "each holds a connection and a bounded buffer",
  },
  queueLength: {
    env: "QUEUE_LENGTH",
    kind: "integer",
    default: 1_000,
    unit: "operations",
    min: 1,
    max: 100_000,
    purpose: "operations that may wait for one device",
    reason: "a device asleep for days must not fill the store; beyond it 429 with Retry-After",
  },
  operationDays: {
    env: "OPERATION_DAYS",
    kind: "integer",
    default: 7,
    unit: "days",
    min: 1,
    max: 365,
    purpose: "how long an operation waits for its device unless it says so itself",
    reason: "longer than the sleep of common devices",
  },
  observeRate: {
    env: "OBSERVE_RATE",
    kind: "integer",
    default: 50,
    unit: "observations/s",
    min: 1,
    max: 10_000,
    purpose: "observations asked of all devices together by the server itself: after registrations, its own start, a change of a group",
    reason: "a fleet that comes back at once is spread over minutes, and no cell is flooded",
  },
  awakeSeconds: {
    env: "AWAKE_SECONDS",
    kind: "integer",
    unit: "s",
    min: 1,
    max: 86_400,
    purpose: "how long a device in queue mode listens after its last message (default: MAX_TRANSMIT_WAIT of COAP_LINK_PROFILE, 93)",
    reason: "RFC 7252 §4.8.2, as LwM2M Core 1.1 §6.5 says; devices that sleep sooner need less",
  },
  twinConflictPolicy: {
    env: "TWIN_CONFLICT_POLICY",
    kind: "choice",
    default: "server",
    choices: ["server", "device", "newest"],
    purpose: "who is right when a device that had a desired value reports another, unless its desired twin says so itself",
    reason: "server: what was wished for is written again; five times an hour at most, then it is left as a conflict",
  },
  staleSeconds: {
    env: "STALE_SECONDS",
    kind: "integer",
    unit: "s",
    min: 1,
    max: 31_536_000,
    purpose: "age from which a known value that nobody observes is called stale (default: the lifetime of the device's registration)",
    reason: "within its lifetime a device is expected to be heard from",
  },
  ...coapSettingDefinitions,
  ...dtlsSettingDefinitions,
  ...registrationSettingDefinitions,
  strictDevices: {
    env: "STRICT_DEVICES",
    kind: "choice",
    default: "off",
    choices: ["off", "on"],
    purpose: "refuse what devices send beyond the specifications instead of reading and recording it",
    reason: "devices in the field deviate; conformance runs must see it",
  },
  telemetryDays: {
    env: "TELEMETRY_DAYS",
    kind: "integer",
    default: 365,
    unit: "days, 0: for ever",
    min: 0,
    max: 36_500,
    purpose: "how long values are kept in the history of a resource, from their time or their arrival, whichever is later",
    reason: "a year shows the seasons; a device that reports ten values an hour fills about 2 MB in it",
  },
  eventCount: {
    env: "EVENT_COUNT",
    kind: "integer",
    default: 1_000_000,
    unit: "events",
    min: 1_000,
    max: 100_000_000,
    purpose: "events kept for replay",
    reason: "days of a small fleet in well under a gigabyte",
  },
  ...mongoSettingDefinitions,
  ...queueSettingDefinitions,
  secretKeyFile: {
    env: "SECRET_KEY_FILE",
    kind: "text",
    purpose: "file of the keys that encrypt secrets at rest (default: DATA_DIR/secret-key, made at the first start)",
    reason: "elsewhere than what it protects, a copy of the data directory shows no secret",
  },
} as const satisfies { readonly [name: string]: SettingDefinition };
