/** Settings from the environment and the command line, by the table in `setting-definitions.ts`. */
import { type SettingDefinition, settingDefinitions } from "./setting-definitions.ts";

const shortestCid = 4;

type Definitions = typeof settingDefinitions;
type ValueOf<D extends SettingDefinition> = D["kind"] extends "integer"
  ? D extends { readonly default: number }
    ? number
    : number | undefined
  : D extends { readonly choices: readonly (infer C)[] }
    ? C
    : D extends { readonly default: string }
      ? string
      : string | undefined;

export type Settings = {
  readonly [Name in keyof Definitions]: ValueOf<Definitions[Name]>;
};

export type ParsedSettings =
  | { readonly kind: "settings"; readonly settings: Settings }
  | { readonly kind: "help"; readonly text: string }
  /** One line each, for a person; nothing was started. */
  | { readonly kind: "errors"; readonly errors: readonly string[] };

/** Flags win over the environment; an empty variable counts as not set. */
export function parseSettings(env: { readonly [name: string]: string | undefined }, argv: readonly string[]): ParsedSettings {
  if (argv.includes("--help") || argv.includes("-h")) return { kind: "help", text: helpText() };
  const errors: string[] = [];
  const flags = parseFlags(argv, errors);
  const values: { [name: string]: string | number | undefined } = {};
  for (const [name, definition] of Object.entries<SettingDefinition>(settingDefinitions)) {
    const given = flags.get(definition.env) ?? (env[definition.env] || undefined);
    values[name] = given === undefined ? definition.default : parseValue(definition, given, errors);
  }
  // The loop above filled every name with a value of its kind; one that was refused left an error.
  const settings = values as unknown as Settings;
  const isGiven = (name: string): boolean => flags.has(name) || (env[name] ?? "") !== "";
  // Who asks for any free port starts several servers on one machine: a fixed port beside it would let only one of them start.
  if (settings.coapPort === 0 && !isGiven("COAPS_PORT")) values["coapsPort"] = 0;
  if (settings.bootstrapCoapPort === 0 && !isGiven("BOOTSTRAP_COAPS_PORT")) values["bootstrapCoapsPort"] = 0;
  errors.push(...portClashes(settings), ...shortIds(settings));
  return errors.length > 0 ? { kind: "errors", errors } : { kind: "settings", settings };
}

function portClashes(settings: Settings): readonly string[] {
  const doors = [
    ["COAP_PORT", settings.coapPort],
    ["COAPS_PORT", settings.coapsPort],
    ["BOOTSTRAP_COAP_PORT", settings.bootstrapCoapPort],
    ["BOOTSTRAP_COAPS_PORT", settings.bootstrapCoapsPort],
  ] as const;
  return doors.flatMap(([env, port], index) => {
    const [first] = doors.slice(0, index).find(([, other]) => port !== 0 && other === port) ?? [];
    return first === undefined ? [] : [`${env}: ${port} is ${first}'s too; give each door a port of its own`];
  });
}

/** One byte names the owner; fewer than three behind it would soon be used up. */
function shortIds({ dtlsCidBytes }: Settings): readonly string[] {
  return dtlsCidBytes > 0 && dtlsCidBytes < shortestCid
    ? [`DTLS_CID_BYTES: got "${dtlsCidBytes}", expected 0 for none, or ${shortestCid} to 16`]
    : [];
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
  const definitions = Object.values<SettingDefinition>(settingDefinitions);
  const width = Math.max(...definitions.map((definition) => flagOf(definition).length)) + 2;
  const rows = definitions.map((definition) => {
    const { kind, env, purpose, reason, choices, min, max, unit } = definition;
    const bounds = kind === "integer" ? `${min}–${max} ${unit}` : (choices?.join(", ") ?? "");
    const facts = [`default ${definition.default ?? "none"}`, bounds, reason].filter((part) => part !== "");
    return `  ${flagOf(definition).padEnd(width)}${env}\n      ${purpose}\n      ${facts.join("; ")}\n`;
  });
  return ["An LwM2M device management server. Each setting is a flag or an environment variable; the flag wins.", "", ...rows].join("\n");
}
