/** The JSON form of a configuration, checked: every fault with its JSON pointer (RFC 6901). */
import type { BootstrapConfig, SecurityInstance, SecurityMode, ServerInstance } from "./bootstrap-config.ts";
import { usualDeletes, usualLifetimeSeconds } from "./bootstrap-config.ts";
import { type ConfigField, modeNumbers, securityFields, serverFields } from "./config-fields.ts";

export interface ConfigFault {
  readonly pointer: string;
  readonly message: string;
}

export type ConfigOutcome =
  | { readonly ok: true; readonly config: BootstrapConfig }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

const limits = {
  /** Accounts of one device; a constrained device holds a handful. */
  maxInstances: 16,
  maxDeletes: 64,
  maxInstanceId: 65_534,
} as const;

/** No resource, but read like one. */
const instanceIdField: ConfigField = { key: "instanceId", resourceId: -1, kind: "integer", min: 0, max: limits.maxInstanceId };

/** `pointer` stands before every pointer of a fault: where the configuration lies in a larger document. */
export function readBootstrapConfig(json: unknown, pointer = ""): ConfigOutcome {
  const faults: ConfigFault[] = [];
  const root = fieldsOf(json, pointer, ["deletes", "security", "servers"], faults);
  if (root === undefined) return { ok: false, faults };
  const security = readList(root.get("security"), `${pointer}/security`, faults).map((item, index) =>
    readSecurity(item, `${pointer}/security/${index}`, faults),
  );
  const servers = readList(root.get("servers"), `${pointer}/servers`, faults).map((item, index) =>
    readServer(item, `${pointer}/servers/${index}`, faults),
  );
  const deletes = readDeletes(root.get("deletes"), `${pointer}/deletes`, faults);
  if (faults.length > 0) return { ok: false, faults };
  const config = { deletes, security, servers };
  const contradictions = contradictionsIn(config, pointer);
  return contradictions.length === 0 ? { ok: true, config } : { ok: false, faults: contradictions };
}

/** A copy without key material, for replies and logs. */
export function withoutSecrets(json: unknown, secretKeys: readonly string[]): unknown {
  if (Array.isArray(json)) return json.map((item) => withoutSecrets(item, secretKeys));
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .filter(([key]) => !secretKeys.includes(key))
      .map(([key, value]) => [key, withoutSecrets(value, secretKeys)]),
  );
}

function readSecurity(json: unknown, pointer: string, faults: ConfigFault[]): SecurityInstance {
  const { publicKey, identity = publicKey, ...fields } = readFields(json, pointer, securityFields, faults);
  // Every field was read by the table, whose kinds are the types of SecurityInstance; with a fault the result is not used.
  return { bootstrapServer: false, ...fields, ...(identity === undefined ? {} : { identity }) } as SecurityInstance;
}

function readServer(json: unknown, pointer: string, faults: ConfigFault[]): ServerInstance {
  const fields = readFields(json, pointer, serverFields, faults);
  return { lifetimeSeconds: usualLifetimeSeconds, binding: "U", notificationStoring: true, ...fields } as ServerInstance; // As above.
}

function readFields(json: unknown, pointer: string, table: readonly ConfigField[], faults: ConfigFault[]): Record<string, unknown> {
  const given = fieldsOf(json, pointer, ["instanceId", ...table.map(({ key }) => key)], faults);
  if (given === undefined) return {};
  const fields: Record<string, unknown> = {};
  for (const field of [instanceIdField, ...table]) {
    const value = given.get(field.key);
    if (value === undefined) {
      if (field.required === true) faults.push({ pointer, message: `${field.key} is missing` });
      continue;
    }
    const read = readField(value, field);
    if (typeof read === "object" && "expected" in read)
      faults.push({ pointer: `${pointer}/${field.key}`, message: `expected ${read.expected}` });
    else fields[field.key] = read;
  }
  return fields;
}

type FieldValue = string | number | boolean | Uint8Array;

/** Never the value itself in the message: it may be a key. */
function readField(value: unknown, field: ConfigField): FieldValue | { readonly expected: string } {
  const { kind, min = 0, max = 0 } = field;
  switch (kind) {
    case "integer":
      return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
        ? value
        : { expected: `an integer, ${min} to ${max}` };
    case "boolean":
      return typeof value === "boolean" ? value : { expected: "true or false" };
    case "mode":
      return typeof value === "string" && Object.hasOwn(modeNumbers, value)
        ? value
        : { expected: `one of ${Object.keys(modeNumbers).join(", ")}` };
    case "text":
      return typeof value === "string" && isWithin(Buffer.byteLength(value), min, max)
        ? value
        : { expected: `text of ${min} to ${max} bytes` };
    case "identity": {
      const bytes = typeof value === "string" ? new TextEncoder().encode(value) : undefined;
      return bytes !== undefined && isWithin(bytes.length, min, max) ? bytes : { expected: `text of ${min} to ${max} bytes` };
    }
    case "base64": {
      const bytes = typeof value === "string" ? findBase64(value) : undefined;
      return bytes !== undefined && isWithin(bytes.length, min, max) ? bytes : { expected: `base64 of ${min} to ${max} bytes` };
    }
  }
}

function isWithin(length: number, min: number, max: number): boolean {
  return length >= min && length <= max;
}

/** Strict, padded (RFC 4648 §4): a mistyped key must not become a shorter one. */
function findBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? new Uint8Array(bytes) : undefined;
}

function readDeletes(json: unknown, pointer: string, faults: ConfigFault[]): readonly string[] {
  if (json === undefined) return usualDeletes;
  const list = Array.isArray(json) && json.length <= limits.maxDeletes ? json : undefined;
  if (list === undefined) faults.push({ pointer, message: `expected at most ${limits.maxDeletes} paths` });
  return (list ?? []).filter((path: unknown, index): path is string => {
    const good = typeof path === "string" && isDeletable(path);
    if (!good) faults.push({ pointer: `${pointer}/${index}`, message: 'expected "/", an object or an instance, such as "/1" or "/1/0"' });
    return good;
  });
}

/** Bootstrap-Delete takes everything, an object or an instance (LwM2M Core 1.1 §6.1.7.6). */
function isDeletable(path: string): boolean {
  return path === "/" || (/^(\/(0|[1-9]\d{0,4})){1,2}$/.test(path) && path.split("/").every((id) => Number(id) <= limits.maxInstanceId));
}

function readList(json: unknown, pointer: string, faults: ConfigFault[]): readonly unknown[] {
  if (Array.isArray(json) && json.length >= 1 && json.length <= limits.maxInstances) return json;
  faults.push({ pointer, message: `expected a list of 1 to ${limits.maxInstances} accounts` });
  return [];
}

function fieldsOf(
  json: unknown,
  pointer: string,
  known: readonly string[],
  faults: ConfigFault[],
): ReadonlyMap<string, unknown> | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    faults.push({ pointer, message: "expected an object" });
    return undefined;
  }
  const entries = Object.entries(json);
  for (const [key] of entries)
    if (!known.includes(key))
      faults.push({ pointer: `${pointer}/${escapePointer(key)}`, message: `unknown; known are ${known.join(", ")}` });
  return new Map(entries);
}

export function escapePointer(key: string): string {
  return key.slice(0, 64).replaceAll("~", "~0").replaceAll("/", "~1");
}

/** What each field allows and all together do not: a device would refuse Finish (4.06), or never find its server. */
function contradictionsIn({ security, servers }: BootstrapConfig, pointer: string): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const seen = new Set<string>();
  const once = (what: string, at: string): void => {
    if (seen.has(what)) faults.push({ pointer: at, message: `${what} is given twice` });
    seen.add(what);
  };
  const serverIds = servers.map(({ shortServerId }) => shortServerId);
  for (const [index, account] of security.entries()) {
    const at = `${pointer}/security/${index}`;
    if (account.instanceId !== undefined) once(`security instance ${account.instanceId}`, at);
    if (account.bootstrapServer) once("a bootstrap server account", at);
    else if (account.shortServerId === undefined) faults.push({ pointer: at, message: "shortServerId is missing" });
    else {
      once(`security account of server ${account.shortServerId}`, at);
      if (!serverIds.includes(account.shortServerId))
        faults.push({ pointer: `${at}/shortServerId`, message: `no server has shortServerId ${account.shortServerId}` });
    }
    faults.push(...credentialFaults(account, at));
  }
  for (const [index, server] of servers.entries()) {
    const at = `${pointer}/servers/${index}`;
    once(`server ${server.shortServerId}`, at);
    if (server.instanceId !== undefined) once(`server instance ${server.instanceId}`, at);
    if (!security.some((account) => !account.bootstrapServer && account.shortServerId === server.shortServerId))
      faults.push({ pointer: `${at}/shortServerId`, message: `no security account has shortServerId ${server.shortServerId}` });
  }
  return faults;
}

/** Schemes of LwM2M Transport 1.1 §6.1, and whether they are secured. */
const schemes: ReadonlyMap<string, boolean> = new Map([
  ["coap:", false],
  ["coaps:", true],
  ["coap+tcp:", false],
  ["coaps+tcp:", true],
]);

/** What a mode cannot do without (LwM2M Transport 1.1 §5.2.8 to §5.2.10). */
const neededByMode: Readonly<Record<SecurityMode, readonly ("identity" | "serverPublicKey" | "secretKey")[]>> = {
  psk: ["identity", "secretKey"],
  rpk: ["identity", "serverPublicKey", "secretKey"],
  x509: ["identity", "serverPublicKey", "secretKey"],
  noSec: [],
  est: ["serverPublicKey"],
};

function credentialFaults(account: SecurityInstance, at: string): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const url = URL.canParse(account.serverUri) ? new URL(account.serverUri) : undefined;
  const secured = url === undefined || url.hostname === "" ? undefined : schemes.get(url.protocol);
  if (secured === undefined) faults.push({ pointer: `${at}/serverUri`, message: "expected coap://host:port or coaps://host:port" });
  else if (secured !== (account.mode !== "noSec"))
    faults.push({ pointer: `${at}/serverUri`, message: `${url?.protocol}// does not go with mode ${account.mode}` });
  for (const key of neededByMode[account.mode])
    if (account[key] === undefined)
      faults.push({
        pointer: at,
        message: `mode ${account.mode} needs ${key === "identity" && account.mode !== "psk" ? "publicKey" : key}`,
      });
  return faults;
}
