/** Structured logs: one JSON object per line, or one short line per entry for a person at a terminal. Secrets never pass. */
import { createLogger, format, transports } from "winston";

export type LogLevel = "error" | "warn" | "info" | "debug";

export type LogFields = { readonly [name: string]: unknown };

export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

export interface LogSettings {
  readonly level: LogLevel;
  /** A line for people in place of JSON. */
  readonly pretty: boolean;
  readonly sink: NodeJS.WritableStream;
  /** Values that must never be written, whatever field or sentence they stand in. */
  readonly secrets?: readonly string[];
}

/** What stands where a secret stood. */
export const redacted = "[redacted]";

export function openLog(settings: LogSettings): Log {
  const secrets = (settings.secrets ?? []).filter((secret) => secret.length > 0);
  const logger = createLogger({
    level: settings.level,
    format: format.combine(
      format.timestamp(),
      format((entry) => Object.assign(entry, clean({ ...entry }, secrets, 0)))(),
      settings.pretty ? format.printf(prettyLine) : format.json(),
    ),
    transports: [new transports.Stream({ stream: settings.sink, eol: "\n" })],
  });
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    logger.log({ ...fields, level, message });
  };
  return { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}

const secretFieldName = /^(authorization|api_?key|admin_?key|secret.*|.*secret|psk|.*pre_?shared_?key|password|private_?key|secret_?key)$/i;
const bearerToken = /\b(Bearer\s+)[A-Za-z0-9._~+/=-]+/gi;
const administratorKey = /\blwm2m_[A-Za-z0-9_-]{20,}/g;

/** Deeper fields are bugs of the caller, not facts for a reader. */
const deepestField = 6;

function clean(value: unknown, secrets: readonly string[], depth: number): unknown {
  if (typeof value === "string") return cleanText(value, secrets);
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return value;
  if (depth > deepestField) return "[too deep]";
  if (value instanceof Error) return clean(errorFields(value), secrets, depth);
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (Array.isArray(value)) return value.map((item) => clean(item, secrets, depth + 1));
  const result: { [name: string]: unknown } = {};
  for (const [name, field] of Object.entries(value)) {
    result[name] = secretFieldName.test(name) ? redacted : clean(field, secrets, depth + 1);
  }
  return result;
}

function cleanText(text: string, secrets: readonly string[]): string {
  let result = text.replace(bearerToken, `$1${redacted}`).replace(administratorKey, redacted);
  for (const secret of secrets) result = result.replaceAll(secret, redacted);
  return result;
}

function errorFields(error: Error): LogFields {
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    ...("code" in error ? { code: error.code } : {}),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  };
}

function prettyLine(entry: { readonly [name: string]: unknown }): string {
  const { timestamp, level, message, ...fields } = entry;
  const shown = Object.entries(fields).map(([name, field]) => `${name}=${prettyField(field)}`);
  return [String(timestamp).slice(11, 23), String(level).padEnd(5), String(message), ...shown].join(" ");
}

function prettyField(field: unknown): string {
  if (typeof field === "string") return /^[^\s"=]+$/.test(field) ? field : JSON.stringify(field);
  if (field !== null && typeof field === "object" && "stack" in field) return String(field.stack);
  return JSON.stringify(field) ?? "undefined";
}
