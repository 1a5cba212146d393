/** Query parameters of Register and Update (LwM2M Core 1.1 §6.2.1, §6.2.2; transport bindings: LwM2M Transport 1.2 §5). */
import { Lwm2mFormatError } from "./format-error.ts";
import { quoted } from "./scalar.ts";

export interface RegisterQuery {
  /** Absent: the name comes from the secure transport (1.1 and later). */
  readonly endpointName?: string;
  /** 0 is infinite. */
  readonly lifetimeSeconds: number;
  readonly lwm2mVersion: Lwm2mVersion;
  /** Letters in the order sent, `Q` of 1.0 taken out. */
  readonly binding: string;
  readonly queueMode: boolean;
  /** MSISDN without plus sign. */
  readonly smsNumber?: string;
  /** LwM2M 1.2 §6.2.1. */
  readonly profileIds: readonly string[];
  /** Parameters this layer does not know, kept as sent. */
  readonly additional: Readonly<Record<string, string>>;
  readonly tolerances: readonly QueryTolerance[];
}

/** Only what the client named. */
export interface UpdateQuery {
  readonly lifetimeSeconds?: number;
  readonly binding?: string;
  readonly queueMode?: boolean;
  readonly smsNumber?: string;
  readonly profileIds?: readonly string[];
  readonly additional: Readonly<Record<string, string>>;
  readonly tolerances: readonly QueryTolerance[];
}

export type Lwm2mVersion = "1.0" | "1.1" | "1.2";
export type QueryTolerance =
  | "joined-query"
  | "missing-version"
  | "missing-lifetime"
  | "version-with-revision"
  | "queue-flag-value"
  | "sms-plus";

export interface QueryOptions {
  /** Refuses what is otherwise tolerated. */
  readonly strict?: boolean;
}

/** LwM2M 1.0 TS §5.3.1: lifetime of a client that names none. */
export const defaultLifetimeSeconds = 86_400;
const greatestLifetimeSeconds = 0xffffffff;

/** Bindings of LwM2M 1.0, where the Q of queue mode is one of the letters (LwM2M 1.0 TS §5.3.1.1). */
const firstBindings: ReadonlySet<string> = new Set(["U", "UQ", "S", "SQ", "US", "UQS"]);
/** Letters since 1.1; queue mode is a parameter of its own. */
const bindingLetters: Readonly<Record<Exclude<Lwm2mVersion, "1.0">, RegExp>> = { "1.1": /^[UTSN]+$/, "1.2": /^[UTSNMH]+$/ };

/** Throws `query` naming the parameter, or `version` (4.12) for an enabler version this server does not speak. */
export function parseRegisterQuery(query: readonly string[], options: QueryOptions = {}): RegisterQuery {
  const reading = openReading(query, options);
  const lwm2mVersion = takeVersion(reading);
  const endpointName = takeEndpointName(reading, lwm2mVersion);
  const lifetimeSeconds = takeLifetime(reading) ?? missingLifetime(reading);
  const transport = takeTransport(reading, lwm2mVersion);
  const rest = takeRest(reading);
  return {
    ...(endpointName === undefined ? {} : { endpointName }),
    lifetimeSeconds,
    lwm2mVersion,
    binding: transport.binding ?? "U",
    queueMode: transport.queueMode ?? false,
    ...rest,
    profileIds: rest.profileIds ?? [],
    tolerances: [...reading.tolerances],
  };
}

/** `version` is that of the registration. */
export function parseUpdateQuery(query: readonly string[], version: Lwm2mVersion, options: QueryOptions = {}): UpdateQuery {
  const reading = openReading(query, options);
  const lifetimeSeconds = takeLifetime(reading);
  const { binding, queueMode } = takeTransport(reading, version);
  return {
    ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }),
    ...(binding === undefined ? {} : { binding }),
    ...(queueMode === undefined ? {} : { queueMode }),
    ...takeRest(reading),
    tolerances: [...reading.tolerances],
  };
}

export function encodeRegisterQuery(query: Omit<RegisterQuery, "tolerances">): readonly string[] {
  const { endpointName, lwm2mVersion } = query;
  return [
    ...(endpointName === undefined ? [] : [`ep=${endpointName}`]),
    `lwm2m=${lwm2mVersion}`,
    ...encodeUpdateQuery(query, lwm2mVersion),
  ];
}

export function encodeUpdateQuery(query: Omit<UpdateQuery, "tolerances">, version: Lwm2mVersion): readonly string[] {
  const { lifetimeSeconds, binding, queueMode, smsNumber, profileIds, additional } = query;
  return [
    ...(lifetimeSeconds === undefined ? [] : [`lt=${lifetimeSeconds}`]),
    ...(binding === undefined ? [] : [`b=${version === "1.0" && queueMode === true ? firstQueueBinding(binding) : binding}`]),
    ...(queueMode === true && version !== "1.0" ? ["Q"] : []),
    ...(smsNumber === undefined ? [] : [`sms=${smsNumber}`]),
    ...(profileIds === undefined || profileIds.length === 0 ? [] : [`pid=${formatProfileIds(profileIds)}`]),
    ...Object.entries(additional).map(([name, value]) => (value === "" ? name : `${name}=${value}`)),
  ];
}

interface Reading {
  readonly strict: boolean;
  readonly tolerances: Set<QueryTolerance>;
  /** Parameters not yet taken; undefined for a name alone. */
  readonly parameters: Map<string, string | undefined>;
}

function openReading(query: readonly string[], options: QueryOptions): Reading {
  const parameters = new Map<string, string | undefined>();
  const tolerances = new Set<QueryTolerance>();
  for (const item of separated(query, options, tolerances)) {
    const equals = item.indexOf("=");
    const name = equals === -1 ? item : item.slice(0, equals);
    if (parameters.has(name)) throw broken(name, "one", "two");
    parameters.set(name, equals === -1 ? undefined : item.slice(equals + 1));
  }
  return { strict: options.strict === true, tolerances, parameters };
}

/** Devices that build the query by hand send it in one option, as it would stand in a URI (RFC 7252 §6.4 wants one each). */
function separated(query: readonly string[], options: QueryOptions, tolerances: Set<QueryTolerance>): readonly string[] {
  const [only] = query;
  if (only === undefined || query.length > 1 || !/[&?](?:lt|lwm2m|b|ep)=/.test(only)) return query;
  tolerate({ strict: options.strict === true, tolerances }, "joined-query");
  return only.replace(/^\?/, "").split("&");
}

/** Undefined without the parameter; throws `query` when it has no value. */
function take(reading: Reading, name: string): string | undefined {
  if (!reading.parameters.has(name)) return undefined;
  const value = reading.parameters.get(name);
  reading.parameters.delete(name);
  if (value === undefined || value === "") throw broken(name, "a value", "none");
  return value;
}

function takeEndpointName(reading: Reading, version: Lwm2mVersion): string | undefined {
  const name = take(reading, "ep");
  if (name === undefined && version === "1.0") throw broken("ep", "an endpoint name", "none");
  if (name !== undefined && unprintable.test(name)) throw broken("ep", "printable UTF-8", quoted(name));
  // Every URI parser takes these out of a path (RFC 3986 §5.2.4): such a device could not be addressed.
  if (name === "." || name === "..") throw broken("ep", "a name", quoted(name));
  return name;
}

/**
 * Names are shown, logged and typed by people: no control characters, no line ends, nothing that turns the direction of the text
 * around it. U+FFFD is what bytes that are not UTF-8 have become, and two broken names would be one device.
 */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\ufffd]/u;

/** Devices from before the parameter send none and speak 1.0; some send a revision (`1.0.2`), which is the same version. */
function takeVersion(reading: Reading): Lwm2mVersion {
  const text = take(reading, "lwm2m");
  if (text === undefined) {
    tolerate(reading, "missing-version");
    return "1.0";
  }
  const match = /^(\d+\.\d+)(\.\d+)?$/.exec(text);
  if (match === null) throw broken("lwm2m", "major.minor", quoted(text));
  const [, version, revision] = match;
  if (version !== "1.0" && version !== "1.1" && version !== "1.2") {
    throw new Lwm2mFormatError("version", `lwm2m: expected 1.0, 1.1 or 1.2, got ${quoted(text)}`);
  }
  if (revision !== undefined) tolerate(reading, "version-with-revision");
  return version;
}

function takeLifetime(reading: Reading): number | undefined {
  const text = take(reading, "lt");
  if (text === undefined) return undefined;
  const seconds = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= greatestLifetimeSeconds)) throw broken("lt", `0 to ${greatestLifetimeSeconds} seconds`, quoted(text));
  return seconds;
}

function missingLifetime(reading: Reading): number {
  tolerate(reading, "missing-lifetime");
  return defaultLifetimeSeconds;
}

/** Queue mode is in the binding of 1.0 and beside it since 1.1; the one form is refused in the other (as Eclipse Leshan does). */
function takeTransport(reading: Reading, version: Lwm2mVersion): { readonly binding?: string; readonly queueMode?: boolean } {
  const hasQueueFlag = reading.parameters.has("Q");
  const queueFlag = takeQueueFlag(reading);
  const text = take(reading, "b");
  if (version === "1.0") {
    if (hasQueueFlag) throw new Lwm2mFormatError("query", "Q: LwM2M 1.0 has no such parameter, its queue mode is b=UQ");
    if (text === undefined) return {};
    if (!firstBindings.has(text)) throw broken("b", [...firstBindings].join(", "), quoted(text));
    return { binding: text.replace("Q", ""), queueMode: text.includes("Q") };
  }
  if (text !== undefined && !(bindingLetters[version].test(text) && new Set(text).size === text.length)) {
    throw broken("b", `letters of LwM2M ${version}, each once`, quoted(text));
  }
  // A binding without Q says that queue mode is off; neither of both says nothing.
  const queueMode = queueFlag ?? (text === undefined ? undefined : false);
  return { ...(text === undefined ? {} : { binding: text }), ...(queueMode === undefined ? {} : { queueMode }) };
}

/** `Q` has no value; `Q=`, `Q=1` or `Q=true` are read the same, `Q=0` and `Q=false` as off. */
function takeQueueFlag(reading: Reading): boolean | undefined {
  if (!reading.parameters.has("Q")) return undefined;
  const value = reading.parameters.get("Q");
  reading.parameters.delete("Q");
  if (value === undefined) return true;
  if (!/^(|0|1|true|false)$/i.test(value)) throw broken("Q", "no value", quoted(value));
  tolerate(reading, "queue-flag-value");
  return !/^(0|false)$/i.test(value);
}

type Rest = Pick<UpdateQuery, "smsNumber" | "profileIds" | "additional">;

function takeRest(reading: Reading): Rest {
  const sms = take(reading, "sms");
  const pid = take(reading, "pid");
  const additional = Object.fromEntries([...reading.parameters].map(([name, value]) => [name, value ?? ""]));
  return {
    ...(sms === undefined ? {} : { smsNumber: smsNumber(sms, reading) }),
    ...(pid === undefined ? {} : { profileIds: parseProfileIds(pid) }),
    additional,
  };
}

/** MSISDN (ITU-T E.164): up to 15 digits, no leading plus. */
function smsNumber(text: string, reading: Reading): string {
  const match = /^(\+?)(\d{1,15})$/.exec(text);
  if (match?.[2] === undefined) throw broken("sms", "an MSISDN of up to 15 digits", quoted(text));
  if (match[1] === "+") tolerate(reading, "sms-plus");
  return match[2];
}

/** One id, or a quoted comma list (LwM2M Core 1.2 §6.2.1): suite and hash, `oma:` name or `v:` name. */
function parseProfileIds(text: string): readonly string[] {
  const ids = (/^"(.*)"$/.exec(text)?.[1] ?? text).split(",");
  if (!ids.every((id) => /^(?:[1-6]:[0-9a-f]{8,64}|(?:oma|v):[\w.+-]{1,64})$/.test(id))) throw broken("pid", "profile ids", quoted(text));
  return ids;
}

function formatProfileIds(ids: readonly string[]): string {
  return ids.length === 1 ? ids.join() : `"${ids.join(",")}"`;
}

/** Queue mode goes behind the U, or the S without one. */
function firstQueueBinding(binding: string): string {
  return binding.includes("U") ? binding.replace("U", "UQ") : `${binding}Q`;
}

function tolerate(reading: Pick<Reading, "strict" | "tolerances">, tolerance: QueryTolerance): void {
  if (reading.strict) throw new Lwm2mFormatError("query", `not accepted in strict mode: ${tolerance}`);
  reading.tolerances.add(tolerance);
}

function broken(name: string, expected: string, got: string): Lwm2mFormatError {
  return new Lwm2mFormatError("query", `${name.slice(0, 64)}: expected ${expected}, got ${got}`);
}
