/** Numbers into JSON text: integers in full, floats in the shortest form that reads back the same. */
import { Lwm2mFormatError } from "./format-error.ts";
import { requireBounds } from "./scalar.ts";
import type { ResourceValue } from "./value.ts";

export type NumericValue = Extract<ResourceValue, { type: "integer" | "unsigned" | "time" | "float" }>;

/** Throws `value`: JSON has no infinity and no NaN (RFC 8259 §6). */
export function formatJsonNumber(value: NumericValue): string {
  if (value.type !== "float") return String(requireBounds(value.value, value.type));
  if (!Number.isFinite(value.value)) throw new Lwm2mFormatError("value", `JSON carries no ${value.value}`);
  return Object.is(value.value, -0) ? "-0" : String(value.value);
}
