/** Whether the key columns say what the documents say: SQLite's own check compares an index with its columns, which is only half of it. */
import type { CollectionDefinition } from "./collection.ts";
import type { SqlDriver, SqlValue } from "./drivers/driver.ts";
import { indexedFields } from "./guard.ts";
import { type Keys, keyColumn, keysOf, operandOf } from "./key-columns.ts";
import { forEachRow, tableOf } from "./schema.ts";

/** One line per document whose keys are not its own. */
export function foreignKeys(driver: SqlDriver, definition: CollectionDefinition): readonly string[] {
  const wrong: string[] = [];
  const fields = indexedFields(definition);
  // Bytes that are no UTF-8 cannot be read as text.
  const columns = fields.map(keyColumn).map((column) => `iif(typeof(${column}) = 'text', 'x' || hex(${column}), ${column})`);
  forEachRow(driver, tableOf(definition), columns, ([id, text, ...stored]) => {
    const keys = keysOf(definition, JSON.parse(String(text)));
    const other = fields.filter((_, position) => !isKept(keys[position] ?? null, stored[position] ?? null));
    if (other.length > 0) wrong.push(`${definition.name}: ${id} is indexed by another ${other.join(", ")}`);
  });
  return wrong;
}

function isKept(key: Keys[number], stored: SqlValue): boolean {
  const { sql, parameter } = operandOf(key);
  // What SQLite's JSON reader has made of a string is its own affair.
  if (sql !== "?") return typeof stored === "string";
  return (typeof parameter === "string" ? `x${Buffer.from(parameter).toString("hex").toUpperCase()}` : parameter) === stored;
}
