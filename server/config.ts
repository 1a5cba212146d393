/** Every setting of the server as one row: its name, default, unit, bounds and the reason for them. Environment variables and flags derive from it. */

export interface SettingDefinition {
  /** The environment variable; the flag is the same name in lower case with dashes. */
  readonly env: string;
  readonly kind: "text" | "integer" | "choice" | "secret" | "later";
  readonly default?: string | number;
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Shown by `--help`. */
  readonly purpose: string;
  /** Why this default and these bounds. */
  readonly reason: string;
  /** Of a setting whose feature comes later: the server does its work without it, so setting it is a warning, not a mistake. */
  readonly harmless?: true;
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
    purpose: "address of both CoAP doors",
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
  awakeSeconds: {
    env: "AWAKE_SECONDS",
    kind: "integer",
    default: 93,
    unit: "s",
    min: 1,
    max: 86_400,
    purpose: "how long a device in queue mode listens after its last message",
    reason: "MAX_TRANSMIT_WAIT, RFC 7252 §4.8.2, as LwM2M Core 1.1 §6.5 says; devices that sleep sooner need less",
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
  coapsPort: { env: "COAPS_PORT", kind: "later", harmless: true, purpose: "port of the LwM2M server, CoAP over DTLS", reason: "DTLS" },
  bootstrapCoapsPort: {
    env: "BOOTSTRAP_COAPS_PORT",
    kind: "later",
    harmless: true,
    purpose: "port of the bootstrap server, CoAP over DTLS",
    reason: "DTLS",
  },
  mongoUrl: { env: "MONGO_URL", kind: "later", purpose: "MongoDB in place of the embedded store", reason: "the MongoDB store" },
  redisUrl: {
    env: "REDIS_URL",
    kind: "later",
    harmless: true,
    purpose: "Redis for several processes",
    reason: "work shared by several processes",
  },
  secretKeyFile: {
    env: "SECRET_KEY_FILE",
    kind: "later",
    purpose: "key that encrypts device secrets at rest",
    reason: "encryption of device secrets",
  },
} as const satisfies { readonly [name: string]: SettingDefinition };

type Definitions = typeof settingDefinitions;
type ValueOf<D extends SettingDefinition> = D["kind"] extends "integer"
  ? number
  : D extends { readonly choices: readonly (infer C)[] }
    ? C
    : D extends { readonly default: string }
      ? string
      : string | undefined;

export type Settings = {
  readonly [Name in keyof Definitions as Definitions[Name]["kind"] extends "later" ? never : Name]: ValueOf<Definitions[Name]>;
};

export type ParsedSettings =
  /** `warnings`: one line each about what was set and has no effect. */
  | { readonly kind: "settings"; readonly settings: Settings; readonly warnings: readonly string[] }
  | { readonly kind: "help"; readonly text: string }
  /** One line each, for a person; nothing was started. */
  | { readonly kind: "errors"; readonly errors: readonly string[] };

/** Flags win over the environment; an empty variable counts as not set. */
export function parseSettings(env: { readonly [name: string]: string | undefined }, argv: readonly string[]): ParsedSettings {
  if (argv.includes("--help") || argv.includes("-h")) return { kind: "help", text: helpText() };
  const errors: string[] = [];
  const warnings: string[] = [];
  const flags = parseFlags(argv, errors);
  const values: { [name: string]: string | number | undefined } = {};
  for (const [name, definition] of Object.entries<SettingDefinition>(settingDefinitions)) {
    const given = flags.get(definition.env) ?? (env[definition.env] || undefined);
    const value =
      given === undefined ? definition.default : parseValue(definition, given, definition.harmless === true ? warnings : errors);
    if (definition.kind !== "later") values[name] = value;
  }
  // The loop above filled every name with a value of its kind; one that was refused left an error.
  const settings = values as unknown as Settings;
  if (settings.coapPort !== 0 && settings.coapPort === settings.bootstrapCoapPort) {
    errors.push(`BOOTSTRAP_COAP_PORT: ${settings.coapPort} is COAP_PORT's too; give each door a port of its own`);
  }
  return errors.length > 0 ? { kind: "errors", errors } : { kind: "settings", settings, warnings };
}

function flagOf(definition: SettingDefinition): string {
  return `--${definition.env.toLowerCase().replaceAll("_", "-")}`;
}

function parseFlags(argv: readonly string[], errors: string[]): ReadonlyMap<string, string> {
  const byFlag = new Map(Object.values<SettingDefinition>(settingDefinitions).map((definition) => [flagOf(definition), definition]));
  const given = new Map<string, string>();
  for (let i = 0; i < argv.length; i += 1) {
    const argument = argv[i] ?? "";
    const equals = argument.indexOf("=");
    const flag = equals < 0 ? argument : argument.slice(0, equals);
    const definition = byFlag.get(flag);
    if (definition === undefined) {
      errors.push(`${flag}: no such flag; --help lists them`);
      continue;
    }
    const value = equals < 0 ? argv[++i] : argument.slice(equals + 1);
    if (value === undefined || value === "" || (equals < 0 && value.startsWith("--"))) {
      errors.push(`${flag}: a value is missing`);
      if (value?.startsWith("--")) i -= 1;
    } else if (given.has(definition.env)) errors.push(`${flag}: given twice`);
    else given.set(definition.env, value);
  }
  return given;
}

function parseValue(definition: SettingDefinition, text: string, problems: string[]): string | number | undefined {
  const { env, min = 0, max = Number.MAX_SAFE_INTEGER, unit = "" } = definition;
  switch (definition.kind) {
    case "later":
      problems.push(
        `${env}: ${definition.reason} is not offered by this version${definition.harmless === true ? ", the setting has no effect" : "; remove the setting"}`,
      );
      return undefined;
    case "choice":
      if (definition.choices?.includes(text)) return text;
      problems.push(`${env}: got ${JSON.stringify(text)}, expected one of ${definition.choices?.join(", ")}`);
      return undefined;
    case "integer": {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= min && value <= max) return value;
      problems.push(`${env}: got ${JSON.stringify(text)}, expected a whole number from ${min} to ${max} (${unit})`);
      return undefined;
    }
    case "secret":
      // The value itself must not be shown.
      if (/^[\x21-\x7e]+$/.test(text) && text.length >= min && text.length <= max) return text;
      problems.push(`${env}: expected ${min} to ${max} visible ASCII characters without spaces, got ${text.length} characters`);
      return undefined;
    case "text":
      return text;
  }
}

function helpText(): string {
  const rows = Object.values<SettingDefinition>(settingDefinitions)
    .filter((definition) => definition.kind !== "later")
    .map((definition) => {
      const bounds =
        definition.kind === "integer" ? `${definition.min}–${definition.max} ${definition.unit}` : (definition.choices?.join(", ") ?? "");
      return `  ${flagOf(definition).padEnd(24)}${definition.env.padEnd(22)}${definition.purpose}\n${" ".repeat(48)}${[
        `default ${definition.default ?? "none"}`,
        bounds,
        definition.reason,
      ]
        .filter((part) => part !== "")
        .join("; ")}`;
    });
  return ["An LwM2M device management server. Each setting is a flag or an environment variable; the flag wins.", "", ...rows, ""].join(
    "\n",
  );
}
