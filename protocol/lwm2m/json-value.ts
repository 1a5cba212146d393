/** Values as the REST API writes them: one JSON form for each resource type, both ways, nothing lost. */

import { findEpochSeconds, formatEpochSeconds } from "../bytes/civil-time.ts";
import { encodeBase64, findBase64 } from "./base64.ts";
import { integerBounds, unsignedBounds } from "./scalar.ts";
import type { ResourceType, ResourceValue } from "./value.ts";

export type JsonScalar = string | number | boolean | null;

export type JsonReading =
  | { readonly ok: true; readonly value: ResourceValue }
  /** For the problem document: `expected` in words, `got` shortened. */
  | { readonly ok: false; readonly expected: string; readonly got: string };

/**
 * Integers beyond ±(2^53 − 1) are decimal strings, times RFC 3339 (or seconds as an integer outside the years 0 to 9999), opaque values Base64, object
 * links `"oid:iid"`. A float that JSON cannot write (a device sent infinity or NaN) is null.
 */
export function toJsonValue(value: ResourceValue): JsonScalar {
  switch (value.type) {
    case "string":
    case "corelnk":
    case "boolean":
      return value.value;
    case "integer":
    case "unsigned":
      return integerJson(value.value);
    case "float":
      return Number.isFinite(value.value) ? value.value : null;
    case "time":
      return formatEpochSeconds(value.value) ?? integerJson(value.value);
    case "opaque":
      return encodeBase64(value.value);
    case "objlnk":
      return `${value.value.objectId}:${value.value.instanceId}`;
  }
}

/** Integers as number or decimal string, times as RFC 3339 text or seconds, opaque as Base64 in either alphabet. */
export function fromJsonValue(type: ResourceType, json: unknown): JsonReading {
  switch (type) {
    case "string":
    case "corelnk":
      return typeof json === "string" ? { ok: true, value: { type, value: json } } : refused("a string", json);
    case "boolean":
      return typeof json === "boolean" ? { ok: true, value: { type, value: json } } : refused("true or false", json);
    case "integer":
    case "unsigned": {
      const value = findInteger(json, type);
      const { least, greatest } = boundsOf(type);
      if (value !== undefined) return { ok: true, value: { type, value } };
      // The parser of the caller's JSON has rounded it by now.
      const hint = typeof json === "number" && Math.abs(json) > Number.MAX_SAFE_INTEGER ? ", beyond 2^53 as text" : "";
      return refused(`an integer from ${least} to ${greatest}${hint}`, json);
    }
    case "float":
      if (typeof json !== "number" || !Number.isFinite(json)) return refused("a finite number", json);
      return { ok: true, value: { type, value: json } };
    case "time": {
      const value = (typeof json === "string" ? findEpochSeconds(json) : undefined) ?? findInteger(json, type);
      return value === undefined ? refused("an RFC 3339 date and time, or seconds since 1970", json) : { ok: true, value: { type, value } };
    }
    case "opaque": {
      const decoded = typeof json === "string" ? findBase64(json) : undefined;
      return decoded === undefined ? refused("Base64", json) : { ok: true, value: { type, value: decoded.bytes } };
    }
    case "objlnk": {
      const value = typeof json === "string" ? findLink(json) : undefined;
      return value === undefined ? refused('an object link such as "3:0"', json) : { ok: true, value: { type, value } };
    }
  }
}

function integerJson(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** A number beyond 2^53 may have been rounded by the parser already: it must come as a string. */
function findInteger(json: unknown, type: "integer" | "unsigned" | "time"): bigint | undefined {
  const value = integerOf(json);
  const { least, greatest } = boundsOf(type);
  return value !== undefined && value >= least && value <= greatest ? value : undefined;
}

function integerOf(json: unknown): bigint | undefined {
  if (typeof json === "number") return Number.isSafeInteger(json) ? BigInt(json) : undefined;
  return typeof json === "string" && /^-?\d{1,20}$/.test(json) ? BigInt(json) : undefined;
}

function boundsOf(type: "integer" | "unsigned" | "time"): { readonly least: bigint; readonly greatest: bigint } {
  return type === "unsigned" ? unsignedBounds : integerBounds;
}

function findLink(text: string): { readonly objectId: number; readonly instanceId: number } | undefined {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const objectId = Number(match?.[1]);
  const instanceId = Number(match?.[2]);
  return objectId <= 0xffff && instanceId <= 0xffff ? { objectId, instanceId } : undefined;
}

function refused(expected: string, json: unknown): JsonReading {
  return { ok: false, expected, got: described(json) };
}

function described(json: unknown): string {
  if (json === undefined) return "nothing";
  const text = typeof json === "number" ? String(json) : (JSON.stringify(json) ?? typeof json);
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}
