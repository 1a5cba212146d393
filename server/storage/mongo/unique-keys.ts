/** Unique keys the server does not guard itself, checked before a write; writes of the collection must not overlap meanwhile. */
import type { Filter, IndexDefinition, StoredDocument } from "../collection.ts";
import { reach } from "../document-path.ts";

export type FindOther = (filter: Filter) => Promise<boolean>;

export interface LookedUpIndex extends IndexDefinition {
  /** The server guards keys that are there, and only those: it takes any number of documents without one. */
  readonly guardsPresentKeys?: boolean;
}

/** The name of the first of these indexes in which another document stands with the key of this one. */
export async function findCollision(
  document: StoredDocument,
  indexes: readonly LookedUpIndex[],
  findOther: FindOther,
): Promise<string | undefined> {
  for (const { name, fields, where, guardsPresentKeys = false } of indexes) {
    if (where !== undefined && valueAt(document, where.field) !== where.equals) continue;
    // Each look goes through the whole collection there (`server.missingKeysDiffer`).
    if (guardsPresentKeys && fields.every((field) => valueAt(document, field) !== null)) continue;
    const key = Object.fromEntries(fields.map((field) => [field, valueAt(document, field)]));
    const part = where === undefined ? {} : { [where.field]: where.equals };
    if (await findOther({ ...key, ...part, _id: { $ne: document._id } })) return name;
  }
  return undefined;
}

/** A missing key is as good as null. */
function valueAt(document: StoredDocument, path: string): unknown {
  const reached = reach(document, path);
  return reached.kind === "value" ? (reached.value ?? null) : null;
}
