/** A filter as it is meant: comparisons of declared fields, joined by and and or. Pure. */

/** `texts`: several, of which one has to fit. */
export type FieldType = "text" | "number" | "boolean" | "time" | "texts";

/** What may be compared, by name. */
export type Fields = { readonly [name: string]: FieldType };

/** A time is its epoch milliseconds. */
export type Scalar = string | number | boolean;

export type Condition =
  | { readonly kind: "and" | "or"; readonly conditions: readonly Condition[] }
  /** `not`: of one whose field does not fit, or is not known. */
  | { readonly kind: "equals"; readonly field: string; readonly values: readonly Scalar[]; readonly not: boolean }
  | { readonly kind: "begins"; readonly field: string; readonly text: string; readonly not: boolean }
  | { readonly kind: "compares"; readonly field: string; readonly by: Comparison; readonly value: number };

export type Comparison = "<" | "<=" | ">" | ">=";

/** Null or absent: not known. */
export type FieldValues = { readonly [name: string]: Scalar | readonly string[] | null | undefined };

export function isFitting(condition: Condition, values: FieldValues): boolean {
  switch (condition.kind) {
    case "and":
      return condition.conditions.every((each) => isFitting(each, values));
    case "or":
      return condition.conditions.some((each) => isFitting(each, values));
    case "equals": {
      const { field, values: wanted, not } = condition;
      return membersOf(values[field]).some((value) => wanted.includes(value)) !== not;
    }
    case "begins": {
      const { field, text, not } = condition;
      return membersOf(values[field]).some((value) => typeof value === "string" && value.startsWith(text)) !== not;
    }
    case "compares":
      return compares(values[condition.field], condition);
  }
}

export function fieldsIn(condition: Condition): ReadonlySet<string> {
  if ("conditions" in condition) return new Set(condition.conditions.flatMap((each) => [...fieldsIn(each)]));
  return new Set([condition.field]);
}

/** All of them hold; what is no conjunction is one. */
export function conjuncts(condition: Condition): readonly Condition[] {
  return condition.kind === "and" ? condition.conditions.flatMap(conjuncts) : [condition];
}

function membersOf(value: FieldValues[string]): readonly Scalar[] {
  if (value === null || value === undefined) return [];
  return typeof value === "object" ? value : [value];
}

function compares(held: FieldValues[string], { by, value }: Condition & { readonly kind: "compares" }): boolean {
  if (typeof held !== "number") return false;
  switch (by) {
    case "<":
      return held < value;
    case "<=":
      return held <= value;
    case ">":
      return held > value;
    case ">=":
      return held >= value;
  }
}
