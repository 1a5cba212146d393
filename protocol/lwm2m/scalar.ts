/** Values as the self-describing formats write them, and how a resource type reads them (LwM2M Core 1.1 appendix C). */

import { findEpochSeconds } from "../bytes/civil-time.ts";
import type { CborScalar } from "../cbor/cbor-scalar.ts";
import { findBase64 } from "./base64.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { decimalOf, type ScalarNumber } from "./number-text.ts";
import { type ToleranceSwitch, tolerate } from "./tolerance.ts";
import type { ResourceType, ResourceValue } from "./value.ts";

export type Scalar =
  | ScalarNumber
  /** Written as an integer; a bigint where a double would not be exact. */
  | { readonly kind: "integer"; readonly value: number | bigint }
  /** A binary float; whole numbers in it are found only where an integer is wanted. */
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "text" | "date" | "link"; readonly value: string }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "boolean"; readonly value: boolean };

export interface ReadingOptions extends ToleranceSwitch {
  /** JSON 11543 carries opaque values as Base64 strings and has no way to tell them from text. */
  readonly opaqueAsText?: boolean;
}

export const integerBounds = { least: -(2n ** 63n), greatest: 2n ** 63n - 1n };
export const unsignedBounds = { least: 0n, greatest: 2n ** 64n - 1n };

/** `null` stays null; throws `value` where a decimal fraction is no finite number. */
export function scalarOfCbor(item: CborScalar): Scalar | null {
  switch (item.kind) {
    case "decimal": {
      const decimal = decimalOf(item.mantissa, item.exponent);
      if (decimal === undefined) throw new Lwm2mFormatError("value", "decimal fraction is not a finite number");
      return decimal;
    }
    case "null":
      return null;
    default:
      return item;
  }
}

/** The value as `type` understands it; without a type, what the notation says by itself. Throws `value`. */
export function readScalar(scalar: Scalar, type: ResourceType | undefined, options: ReadingOptions): ResourceValue {
  switch (type) {
    case undefined:
      return naturalValue(scalar);
    case "string":
    case "corelnk":
      return { type, value: scalar.kind === "text" ? scalar.value : mismatch(type, scalar) };
    case "integer":
    case "unsigned":
      return { type, value: wholeNumber(scalar, type, options) };
    case "time":
      return { type, value: timeOf(scalar, options) };
    case "float":
      return { type, value: floatOf(scalar) ?? mismatch(type, scalar) };
    case "boolean":
      return { type, value: truth(scalar, options) };
    case "opaque":
      return { type, value: opaque(scalar, options) };
    case "objlnk":
      return { type, value: link(scalar, options) };
  }
}

/** `oid:iid` in decimal; `FFFF:FFFF` is read as the null link (contradiction in the TS). Throws `value`. */
export function parseObjectLink(text: string, context: ToleranceSwitch): { readonly objectId: number; readonly instanceId: number } {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const objectId = Number(match?.[1]);
  const instanceId = Number(match?.[2]);
  if (objectId <= 0xffff && instanceId <= 0xffff) return { objectId, instanceId };
  if (!/^ffff:ffff$/i.test(text)) throw new Lwm2mFormatError("value", `expected an object link, got ${quoted(text)}`);
  tolerate(context, "objlnk-hexadecimal");
  return { objectId: 0xffff, instanceId: 0xffff };
}

export function requireBounds(value: bigint, type: "integer" | "unsigned" | "time"): bigint {
  const { least, greatest } = type === "unsigned" ? unsignedBounds : integerBounds;
  if (value < least || value > greatest) throw new Lwm2mFormatError("value", `expected ${type} of 64 bits, got ${value}`);
  return value;
}

/** For messages: quoted, and no longer than a line. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

/** The number as a double; undefined when it is none. */
export function floatOf(scalar: Scalar): number | undefined {
  if (scalar.kind === "float") return scalar.value;
  if (scalar.kind === "integer") return Number(scalar.value);
  return scalar.kind === "number" ? scalar.float : undefined;
}

/** Exact; undefined when the scalar is no whole number of about 64 bits. */
export function integerOf(scalar: Scalar): bigint | undefined {
  if (scalar.kind === "integer") return BigInt(scalar.value);
  if (scalar.kind === "number") return scalar.integer;
  if (scalar.kind !== "float" || !Number.isInteger(scalar.value) || Math.abs(scalar.value) > 2 ** 64) return undefined;
  return BigInt(scalar.value);
}

function naturalValue(scalar: Scalar): ResourceValue {
  switch (scalar.kind) {
    case "float":
      return { type: "float", value: scalar.value };
    case "integer":
      return naturalInteger(BigInt(scalar.value));
    case "number":
      if (!scalar.plainInteger || scalar.integer === undefined) return { type: "float", value: scalar.float };
      return naturalInteger(scalar.integer);
    case "text":
      return { type: "string", value: scalar.value };
    case "date":
      return { type: "time", value: epochOf(scalar.value) };
    case "link":
      return { type: "objlnk", value: parseObjectLink(scalar.value, {}) };
    case "bytes":
      return { type: "opaque", value: scalar.value };
    case "boolean":
      return { type: "boolean", value: scalar.value };
  }
}

function naturalInteger(value: bigint): ResourceValue {
  const type = value > integerBounds.greatest ? "unsigned" : "integer";
  return { type, value: requireBounds(value, type) };
}

function wholeNumber(scalar: Scalar, type: "integer" | "unsigned" | "time", options: ReadingOptions): bigint {
  if (scalar.kind === "integer") {
    // A safe integer is within all bounds but the sign of an unsigned: no need of 64-bit comparisons.
    const isInside = typeof scalar.value === "number" && (scalar.value >= 0 || type !== "unsigned");
    return isInside ? BigInt(scalar.value) : requireBounds(BigInt(scalar.value), type);
  }
  const integer = integerOf(scalar) ?? mismatch(type, scalar);
  // `1.6E9` for an Integer is seen in the field; it is exact or refused.
  if (scalar.kind !== "number" || !scalar.plainInteger) tolerate(options, "float-for-integer");
  return requireBounds(integer, type);
}

function timeOf(scalar: Scalar, options: ReadingOptions): bigint {
  if (scalar.kind === "date") return epochOf(scalar.value);
  const seconds = integerOf(scalar) === undefined ? findWholeSeconds(floatOf(scalar), options) : undefined;
  return seconds ?? wholeNumber(scalar, "time", options);
}

/** A Time counts seconds; stacks that keep it in a double say `1700000000.25`: the second it lies in. Undefined for what is no number. */
export function findWholeSeconds(seconds: number | undefined, options: ToleranceSwitch): bigint | undefined {
  if (seconds === undefined || Math.abs(seconds) > Number.MAX_SAFE_INTEGER) return undefined;
  tolerate(options, "time-with-fraction");
  return BigInt(Math.floor(seconds));
}

function truth(scalar: Scalar, options: ReadingOptions): boolean {
  if (scalar.kind === "boolean") return scalar.value;
  const integer = integerOf(scalar);
  if (integer !== 0n && integer !== 1n) return mismatch("boolean", scalar);
  tolerate(options, "number-for-boolean");
  return integer === 1n;
}

function opaque(scalar: Scalar, options: ReadingOptions): Uint8Array {
  if (scalar.kind === "bytes") return scalar.value;
  if (scalar.kind !== "text" || options.opaqueAsText !== true) return mismatch("opaque", scalar);
  const decoded = findBase64(scalar.value);
  if (decoded === undefined) return mismatch("opaque", scalar);
  if (decoded.form !== "padded" && decoded.form !== "either") tolerate(options, "base64-variant");
  return decoded.bytes;
}

function link(scalar: Scalar, options: ReadingOptions): { readonly objectId: number; readonly instanceId: number } {
  if (scalar.kind === "link") return parseObjectLink(scalar.value, options);
  if (scalar.kind !== "text") return mismatch("objlnk", scalar);
  tolerate(options, "objlnk-as-string");
  return parseObjectLink(scalar.value, options);
}

function epochOf(text: string): bigint {
  const seconds = findEpochSeconds(text);
  if (seconds === undefined) throw new Lwm2mFormatError("value", `expected an RFC 3339 date and time, got ${quoted(text)}`);
  return seconds;
}

function mismatch(type: ResourceType, scalar: Scalar): never {
  throw new Lwm2mFormatError("value", `expected ${type}, got ${describe(scalar)}`);
}

function describe(scalar: Scalar): string {
  switch (scalar.kind) {
    case "integer":
      return `number ${scalar.value}`;
    case "number":
      return `number ${scalar.integer ?? scalar.float}`;
    case "bytes":
      return `${scalar.value.length} bytes`;
    case "boolean":
    case "float":
      return `${scalar.kind} ${scalar.value}`;
    default:
      return `${scalar.kind} ${quoted(scalar.value)}`;
  }
}
