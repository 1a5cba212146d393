/** A sorted result in pages: the ranges of an index it is made of, and where in them a page begins. */
import { reach } from "./document-path.ts";
import { keyColumn, operandOf } from "./key-columns.ts";
import type { Narrowing } from "./narrowing.ts";
import type { FindRequest } from "./requests.ts";

/** Part of a sorted result that one index range gives: documents without a sort value come first (last when descending). */
export interface Segment {
  readonly terms: readonly string[];
  readonly order: string;
}

export function segmentsOf(query: Pick<FindRequest, "sort" | "descending">, narrowing: Narrowing): readonly Segment[] {
  const direction = query.descending ? "DESC" : "ASC";
  if (query.sort === "_id") return [{ terms: [], order: `id ${direction}` }];
  const expression = keyColumn(query.sort);
  const valued: Segment = { terms: [`${expression} IS NOT NULL`], order: `${expression} ${direction}, id ${direction}` };
  // A range or an equality on the sort field already leaves out documents without it.
  if (narrowing.terms.some((term) => term.startsWith(`${expression} `) && !term.endsWith("IS NULL"))) return [valued];
  const absent: Segment = { terms: [`${expression} IS NULL`], order: `id ${direction}` };
  return query.descending ? [valued, absent] : [absent, valued];
}

/** The keyset condition of a page: strictly behind the last document of the page before. */
export function startAfter(
  query: Pick<FindRequest, "sort" | "descending">,
  segment: Segment,
  after: { readonly value: string; readonly id: string },
): Narrowing | "nothing-left" {
  const comparison = query.descending ? "<" : ">";
  const behindId: Narrowing = { terms: [`id ${comparison} ?`], parameters: [after.id] };
  if (query.sort === "_id") return behindId;
  const inAbsent = segment.terms.some((term) => term.endsWith("IS NULL"));
  const wasAbsent = after.value === "null";
  if (inAbsent && wasAbsent) return behindId;
  // The place lies in the other segment: that one is either all behind us or all ahead.
  if (inAbsent !== wasAbsent) return inAbsent === query.descending ? { terms: [], parameters: [] } : "nothing-left";
  const { sql, parameter } = operandOf(JSON.parse(after.value));
  return { terms: [`(${keyColumn(query.sort)}, id) ${comparison} (${sql}, ?)`], parameters: [parameter, after.id] };
}

/** Where a row stands in the order. */
export function placeOf(sort: string, id: string, text: string): { readonly value: string; readonly id: string } {
  if (sort === "_id") return { value: JSON.stringify(id), id };
  const reached = reach(JSON.parse(text), sort);
  const value = reached.kind === "value" ? reached.value : undefined;
  return { value: JSON.stringify(value ?? null), id };
}
