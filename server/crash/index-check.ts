/** Whether the declared indexes agree with the documents: no two documents share a unique key, and a document is found by its keys. */
import type { CollectionDefinition, Filter, IndexDefinition, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { allDocuments } from "../store-operations/all-documents.ts";

/** Of each index, looked up by key: the documents written last, which a kill could have cut short. */
const lookedUp = 5;

export async function checkIndexes(store: Store, collections: readonly CollectionDefinition[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const definition of collections) {
    const documents: StoredDocument[] = [];
    for await (const document of allDocuments(store.collection<StoredDocument>(definition))) documents.push(document);
    for (const index of definition.indexes) {
      wrong.push(...twins(definition, index, documents));
      for (const document of documents.slice(-lookedUp)) wrong.push(...(await lookUp(store, definition, index, document)));
    }
  }
  return wrong;
}

function twins(definition: CollectionDefinition, index: IndexDefinition, documents: readonly StoredDocument[]): readonly string[] {
  if (index.unique !== true) return [];
  const wrong: string[] = [];
  const holders = new Map<string, string>();
  for (const document of documents) {
    const { where } = index;
    if (where !== undefined && valueAt(document, where.field) !== where.equals) continue;
    const key = JSON.stringify(index.fields.map((field) => valueAt(document, field) ?? null));
    const other = holders.get(key);
    if (other !== undefined) wrong.push(`${definition.name}: ${other} and ${document._id} have one ${index.name}`);
    holders.set(key, document._id);
  }
  return wrong;
}

async function lookUp(
  store: Store,
  definition: CollectionDefinition,
  { name, fields, where }: IndexDefinition,
  document: StoredDocument,
): Promise<readonly string[]> {
  const paths = where === undefined ? fields : [where.field, ...fields];
  const entries = paths.map((path) => [path, valueAt(document, path)] as const);
  if (entries.some(([, value]) => typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")) return [];
  if (where !== undefined && valueAt(document, where.field) !== where.equals) return [];
  const filter: Filter = { ...Object.fromEntries(entries), _id: document._id } as Filter;
  const found = await store.collection<StoredDocument>(definition).count(filter);
  return found === 1 ? [] : [`${definition.name}: ${document._id} is found ${found} times by ${name}`];
}

function valueAt(document: object, path: string): unknown {
  let value: unknown = document;
  for (const name of path.split("."))
    value = typeof value === "object" && value !== null ? new Map(Object.entries(value)).get(name) : undefined;
  return value;
}
