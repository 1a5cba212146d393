/** Index entries are scalars (`guard.ts`). The server would take a list, so an update that could put one there is refused before. */
import type { CollectionDefinition, Update } from "../collection.ts";
import { isScalar, reach } from "../document-path.ts";
import { indexedFields } from "../guard.ts";

const valueOperators: ReadonlySet<string> = new Set(["$set", "$setOnInsert", "$max", "$min"]);
const listOperators: ReadonlySet<string> = new Set(["$push", "$addToSet"]);

export function checkIndexedUpdate(definition: CollectionDefinition, update: Update): void {
  const indexed = indexedFields(definition);
  for (const [operator, fields] of Object.entries(update)) {
    for (const [path, operand] of Object.entries(fields as { readonly [path: string]: unknown })) {
      const bent = indexed.find((field) => bends(field, operator, path, operand));
      if (bent !== undefined) throw new Error(`update on ${definition.name}: ${bent} is indexed and must be a scalar`);
    }
  }
}

function bends(field: string, operator: string, path: string, operand: unknown): boolean {
  if (listOperators.has(operator)) return field === path || field.startsWith(`${path}.`);
  // Whatever stands below an indexed field makes a document of it.
  if (path.startsWith(`${field}.`)) return operator !== "$unset" && operator !== "$pull";
  if (!valueOperators.has(operator)) return false;
  if (field === path) return !isScalar(operand);
  if (!field.startsWith(`${path}.`)) return false;
  const reached = reach(operand, field.slice(path.length + 1));
  return reached.kind !== "value" || (reached.value !== undefined && !isScalar(reached.value));
}
