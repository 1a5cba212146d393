/**
 * From a filter to SQL that narrows: every document the filter matches is in the result, others may be too, and the matcher
 * sorts them out. So only `_id` and indexed fields are looked at, bounds are inclusive, and what SQL cannot say is left out.
 */
import type { CollectionDefinition, Filter, IndexDefinition, Json } from "./collection.ts";
import { isRecord, isScalar } from "./document-path.ts";
import type { SqlValue } from "./drivers/driver.ts";
import { indexedFields } from "./guard.ts";
import { keyColumn, operandOf } from "./key-columns.ts";
import { hasOperators } from "./matcher.ts";

/** Terms to join with AND, and their parameters in order. */
export interface Narrowing {
  readonly terms: readonly string[];
  readonly parameters: readonly SqlValue[];
}

/** How `where` of a partial index reads; a query must contain it word by word to use the index. */
export function partialTerm(where: { readonly field: string; readonly equals: Json }): string {
  const expression = keyColumn(where.field);
  if (where.equals === null) return `${expression} IS NULL`;
  if (typeof where.equals === "string") return `${expression} = '${where.equals.replaceAll("'", "''")}'`;
  return `${expression} = ${Number(where.equals)}`;
}

export function narrow(definition: CollectionDefinition, filter: Filter): Narrowing {
  const id = filter["_id"];
  // One document at most: anything more would only cost.
  if (typeof id === "string") return { terms: ["id = ?"], parameters: [id] };
  const terms: string[] = [];
  const parameters: SqlValue[] = [];
  for (const [key, condition] of Object.entries(filter)) {
    const part = narrowEntry(definition, key, condition);
    terms.push(...part.terms);
    parameters.push(...part.parameters);
  }
  return { terms, parameters };
}

const nothing: Narrowing = { terms: [], parameters: [] };

function narrowEntry(definition: CollectionDefinition, key: string, condition: unknown): Narrowing {
  if (key === "$and") return joined((condition as readonly Filter[]).map((branch) => narrow(definition, branch)));
  if (key === "$or") return narrowAlternatives((condition as readonly Filter[]).map((branch) => narrow(definition, branch)));
  if (key !== "_id" && !indexedFields(definition).includes(key)) return nothing;
  if (!isRecord(condition) || !hasOperators(condition)) return equality(definition, key, condition);
  return joined(Object.entries(condition).map(([operator, operand]) => narrowOperator(definition, key, operator, operand)));
}

function narrowAlternatives(branches: readonly Narrowing[]): Narrowing {
  // One branch without a term could match any document.
  if (branches.some((branch) => branch.terms.length === 0)) return nothing;
  const alternatives = branches.map((branch) => `(${branch.terms.join(" AND ")})`);
  return { terms: [`(${alternatives.join(" OR ")})`], parameters: branches.flatMap((branch) => branch.parameters) };
}

function narrowOperator(definition: CollectionDefinition, path: string, operator: string, operand: unknown): Narrowing {
  const expression = keyColumn(path);
  switch (operator) {
    case "$eq":
      return equality(definition, path, operand);
    case "$in":
      return membership(expression, operand as readonly unknown[]);
    case "$all":
      return joined((operand as readonly unknown[]).map((value) => equality(definition, path, value)));
    case "$exists":
      return operand === false && path !== "_id" ? { terms: [`${expression} IS NULL`], parameters: [] } : nothing;
    case "$gt":
    case "$gte":
      return bound(expression, ">=", operand);
    case "$lt":
    case "$lte":
      return bound(expression, "<=", operand);
    default:
      return nothing;
  }
}

function equality(definition: CollectionDefinition, path: string, value: unknown): Narrowing {
  if (!isScalar(value)) return nothing;
  const partial = definition.indexes.find((index) => index.where?.field === path && index.where.equals === value);
  if (partial?.where !== undefined) return { terms: [partialTerm(partial.where)], parameters: [] };
  const expression = keyColumn(path);
  if (value === null) return { terms: [`${expression} IS NULL`], parameters: [] };
  const operand = operandOf(value);
  return { terms: [`${expression} = ${operand.sql}`], parameters: [operand.parameter] };
}

function membership(expression: string, values: readonly unknown[]): Narrowing {
  if (!values.every(isScalar)) return nothing;
  const present = values.filter((value) => value !== null);
  // The list is one parameter, so that its length does not make new statements. SQLite's JSON reader rounds long numbers in its own way.
  const [long, usual] = [present.filter(isLong), present.filter((value) => !isLong(value))];
  const rows = ["SELECT value FROM json_each(?)", ...long.map(() => "SELECT ?")].join(" UNION ALL ");
  const listed = `${expression} IN (${rows})`;
  return {
    terms: [present.length < values.length ? `(${listed} OR ${expression} IS NULL)` : listed],
    parameters: [JSON.stringify(usual), ...long],
  };
}

function isLong(value: string | number | boolean): value is number {
  return typeof value === "number" && !Number.isSafeInteger(value);
}

function bound(expression: string, comparison: string, operand: unknown): Narrowing {
  if (!isScalar(operand) || operand === null) return nothing;
  const { sql, parameter } = operandOf(operand);
  return { terms: [`${expression} ${comparison} ${sql}`], parameters: [parameter] };
}

function joined(parts: readonly Narrowing[]): Narrowing {
  return { terms: parts.flatMap((part) => part.terms), parameters: parts.flatMap((part) => part.parameters) };
}

/** True when `_id` or an index leads to the documents; false when the engine would have to look at all of them. */
export function isServed(definition: CollectionDefinition, filter: Filter): boolean {
  if (typeof filter["_id"] === "string") return true;
  const conditions = conjunction(filter);
  if (conditions.length === 0) return true;
  return conditions.some(([key, condition]) => {
    if (key === "$or") return (condition as readonly Filter[]).every((branch) => isServed(definition, branch));
    if (key === "_id") return leads(condition);
    return leads(condition) && definition.indexes.some((index) => index.fields[0] === key && covers(index, conditions));
  });
}

type Conditions = readonly (readonly [string, unknown])[];

/** What must hold all at once: the filter's own conditions and those in its `$and`. */
function conjunction(filter: Filter): Conditions {
  return Object.entries(filter).flatMap(([key, condition]) =>
    key === "$and" ? (condition as readonly Filter[]).flatMap((branch) => Object.entries(branch)) : [[key, condition] as const],
  );
}

/** A partial index serves only filters that ask for its part. */
function covers(index: IndexDefinition, conditions: Conditions): boolean {
  return index.where === undefined || conditions.some(([key, condition]) => key === index.where?.field && condition === index.where.equals);
}

function leads(condition: unknown): boolean {
  if (!isRecord(condition) || !hasOperators(condition)) return isScalar(condition);
  return Object.entries(condition).some(([operator, operand]) => (operator === "$exists" ? operand === false : operator !== "$ne"));
}

/** True when pages can be cut in the order of an index. */
export function isSortServed(definition: CollectionDefinition, filter: Filter, path: string): boolean {
  const conditions = conjunction(filter);
  return path === "_id" || definition.indexes.some((index) => index.fields.includes(path) && covers(index, conditions));
}
