/** The keyset condition of a page: strictly behind the last document of the page before, in MongoDB's order of types. */
import type { Filter } from "../collection.ts";

/**
 * Null and missing come first, then numbers, texts, booleans. A range in MongoDB stays within its type, so the types behind
 * the one of the last document are named each.
 */
export function behind(path: string, direction: 1 | -1, after: { readonly value: unknown; readonly id: string }): Filter {
  const beyond = direction === 1 ? "$gt" : "$lt";
  const behindId = { _id: { [beyond]: after.id } };
  if (path === "_id") return behindId;
  const value = after.value ?? null;
  const sameType = value === null ? [] : [{ [path]: { [beyond]: value } }];
  const otherTypes = typesBeyond(typeOf(value), direction).map((type) => ({ [path]: wholeType[type] }));
  return { $or: [{ [path]: value, ...behindId }, ...sameType, ...otherTypes] };
}

const order = ["null", "number", "string", "boolean"] as const;
type Type = (typeof order)[number];

/** A condition that every value of the type meets. */
const wholeType: { readonly [type in Type]: unknown } = {
  null: null,
  number: { $gte: -Number.MAX_VALUE },
  string: { $gte: "" },
  boolean: { $gte: false },
};

function typeOf(value: unknown): Type {
  return order.find((type) => type === typeof value) ?? "null";
}

function typesBeyond(type: Type, direction: 1 | -1): readonly Type[] {
  const at = order.indexOf(type);
  return direction === 1 ? order.slice(at + 1) : order.slice(0, at);
}
