/** Typed values in few words, for the tables of the objects. */
import type { ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import { type ResourceContent, single } from "../tree/object-tree.ts";

export const text = (value: string): ResourceContent => single(textValue(value));
export const integer = (value: number): ResourceContent => single(integerValue(value));
export const float = (value: number): ResourceContent => single({ type: "float", value });
export const boolean = (value: boolean): ResourceContent => single({ type: "boolean", value });

export function textValue(value: string): ResourceValue {
  return { type: "string", value };
}

export function integerValue(value: number): ResourceValue {
  return { type: "integer", value: BigInt(value) };
}

/** Seconds since the Unix epoch from milliseconds. */
export function timeValue(epochMs: number): ResourceValue {
  return { type: "time", value: BigInt(Math.floor(epochMs / 1_000)) };
}
