/**
 * The indexed fields of a document once more, each in a column of its own beside the document's text: an index is of columns, so a change
 * of anything else leaves every index alone. Made from the text whenever it is written; never read but by SQLite.
 */
import type { CollectionDefinition } from "./collection.ts";
import { isScalar, reach } from "./document-path.ts";
import type { SqlValue } from "./drivers/driver.ts";
import { indexedFields } from "./guard.ts";

/** Of each indexed field in the order of `indexedFields`. */
export type Keys = readonly (string | number | boolean | null)[];

/** Quoted, as every statement writes it. */
export function keyColumn(path: string): string {
  return path === "_id" ? "id" : `"k_${path}"`;
}

/** A missing field and null are the same to an index. */
export function keysOf(definition: CollectionDefinition, document: unknown): Keys {
  return indexedFields(definition).map((path) => {
    const reached = reach(document, path);
    const value = reached.kind === "value" ? reached.value : undefined;
    return isScalar(value) ? value : null;
  });
}

export interface SqlOperand {
  readonly sql: string;
  readonly parameter: SqlValue;
}

/**
 * A value as it stands in a key column, and is compared with one. Strings with NUL or half surrogate pairs are none in UTF-8: SQLite's JSON
 * reader makes bytes of them that keep them apart and in order.
 */
export function operandOf(value: Keys[number]): SqlOperand {
  if (typeof value === "boolean") return { sql: "?", parameter: value ? 1 : 0 };
  const plain = typeof value !== "string" || !/[\0\p{Cs}]/u.test(value);
  return plain ? { sql: "?", parameter: value } : { sql: "json_extract(?,'$')", parameter: JSON.stringify(value) };
}
