/** text/plain, content format 0: one value as text (LwM2M Core 1.1 §7.4.1). */
import { findUtf8 } from "../bytes/utf8.ts";
import { encodeBase64, findBase64 } from "./base64.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { onlyValue, singleValuePath, typeAt } from "./node.ts";
import { findDecimal, formatPlainDecimal } from "./number-text.ts";
import type { DecodeContext } from "./payload-contract.ts";
import { findWholeSeconds, parseObjectLink, quoted, requireBounds } from "./scalar.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue, ResourceType, ResourceValue } from "./value.ts";

export function decodeText(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const path = singleValuePath(context);
  const text = findUtf8(withoutTrailingNuls(payload, context));
  if (text === undefined) throw new Lwm2mFormatError("text", "payload is not UTF-8");
  return [{ path, value: textValue(text, typeAt(path, context) ?? "string", context) }];
}

export function encodeText(values: readonly PathValue[]): Uint8Array {
  return new TextEncoder().encode(formatTextValue(onlyValue(values)));
}

function textValue(text: string, type: ResourceType, context: DecodeContext): ResourceValue {
  switch (type) {
    case "string":
    case "corelnk":
      return { type, value: text };
    case "integer":
    case "unsigned":
    case "time":
      return { type, value: wholeNumber(trimmed(text, context), type, context) };
    case "float": {
      const decimal = findDecimal(trimmed(text, context));
      if (decimal === undefined) throw mismatch(type, text);
      return { type, value: decimal.float };
    }
    case "boolean":
      return { type, value: truth(trimmed(text, context), context) };
    case "opaque":
      return { type, value: opaque(trimmed(text, context), context) };
    case "objlnk":
      return { type, value: parseObjectLink(trimmed(text, context), context) };
  }
}

function formatTextValue(value: ResourceValue): string {
  switch (value.type) {
    case "string":
    case "corelnk":
      return value.value;
    case "integer":
    case "unsigned":
    case "time":
      return String(requireBounds(value.value, value.type));
    case "float":
      if (!Number.isFinite(value.value)) throw new Lwm2mFormatError("value", `text carries no ${value.value}`);
      return formatPlainDecimal(value.value);
    case "boolean":
      return value.value ? "1" : "0";
    case "opaque":
      return encodeBase64(value.value);
    case "objlnk":
      return `${value.value.objectId}:${value.value.instanceId}`;
  }
}

function wholeNumber(text: string, type: "integer" | "unsigned" | "time", context: DecodeContext): bigint {
  const decimal = findDecimal(text);
  if (decimal?.integer === undefined) {
    const seconds = type === "time" ? findWholeSeconds(decimal?.float, context) : undefined;
    if (seconds === undefined) throw mismatch(type, text);
    return seconds;
  }
  if (!decimal.plainInteger) tolerate(context, "float-for-integer");
  return requireBounds(decimal.integer, type);
}

function truth(text: string, context: DecodeContext): boolean {
  if (text === "0" || text === "1") return text === "1";
  const word = text.toLowerCase();
  if (word !== "true" && word !== "false") throw mismatch("boolean", text);
  tolerate(context, "boolean-word");
  return word === "true";
}

function opaque(text: string, context: DecodeContext): Uint8Array {
  const decoded = findBase64(text);
  if (decoded === undefined) throw mismatch("opaque", text);
  if (decoded.form !== "padded" && decoded.form !== "either") tolerate(context, "base64-variant");
  return decoded.bytes;
}

/** The end mark of a C string is no part of its text. */
function withoutTrailingNuls(payload: Uint8Array, context: DecodeContext): Uint8Array {
  let end = payload.length;
  while (end > 0 && payload[end - 1] === 0) end--;
  if (end < payload.length) tolerate(context, "text-trailing-nul", "text");
  return payload.subarray(0, end);
}

function trimmed(text: string, context: DecodeContext): string {
  const inner = text.trim();
  if (inner !== text) tolerate(context, "text-whitespace");
  return inner;
}

function mismatch(type: ResourceType, text: string): Lwm2mFormatError {
  return new Lwm2mFormatError("value", `expected ${type}, got ${quoted(text)}`);
}
