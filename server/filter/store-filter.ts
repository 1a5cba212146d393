/** What of a filter the store can look up by its indexes; whoever asks looks at the rest himself. Pure. */
import type { Filter } from "../storage/collection.ts";
import { type Condition, conjuncts } from "./filter.ts";

/** The indexed fields of a document that hold a field of the filter, of `texts` several; undefined: none does. */
export type ColumnsOf = (field: string) => readonly string[] | undefined;

const operatorOf = { "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte" } as const;

/**
 * Every document that fits the condition fits this filter, and perhaps others do. It has one `$and` and one `$or` at most, which is what
 * both engines take; a negation narrows too little to be looked up.
 */
export function storeFilter(condition: Condition, columnsOf: ColumnsOf): Filter {
  const all: Filter[] = [];
  let any: readonly Filter[] | undefined;
  for (const part of conjuncts(condition)) {
    const alternatives = alternativesOf(part, columnsOf);
    const [only] = alternatives ?? [];
    if (only !== undefined && alternatives?.length === 1) all.push(only);
    else any ??= alternatives;
  }
  return { ...(all.length === 0 ? {} : { $and: all }), ...(any === undefined ? {} : { $or: any }) };
}

/** One of them holds; undefined: nothing can be said. */
function alternativesOf(condition: Condition, columnsOf: ColumnsOf): readonly Filter[] | undefined {
  switch (condition.kind) {
    case "and": {
      // Any one of its parts narrows as well; the first that can.
      for (const part of condition.conditions) {
        const found = alternativesOf(part, columnsOf);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    case "or": {
      const found = condition.conditions.map((part) => alternativesOf(part, columnsOf));
      return found.some((part) => part === undefined) ? undefined : found.flatMap((part) => part ?? []);
    }
    case "equals": {
      const { field, values, not } = condition;
      const [value] = values;
      const wanted = values.length === 1 ? value : { $in: [...values] };
      return not ? undefined : columnsOf(field)?.map((column) => ({ [column]: wanted }));
    }
    case "begins": {
      const { field, text, not } = condition;
      return not ? undefined : columnsOf(field)?.map((column) => ({ [column]: { $gte: text } }));
    }
    case "compares": {
      const { field, by, value } = condition;
      return columnsOf(field)?.map((column) => ({ [column]: { [operatorOf[by]]: value } }));
    }
  }
}
