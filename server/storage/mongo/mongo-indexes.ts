/** Makes the declared indexes, as MongoDB has them or as near as the server comes. */
import { type Collection, type CreateIndexesOptions, type Db, type IndexSpecification, MongoServerError } from "mongodb";
import type { CollectionDefinition, IndexDefinition } from "../collection.ts";

/** What the server has not got, found while indexes were made. */
export interface Shortcomings {
  /** Unique indexes of these have no counterpart on the server. */
  readonly unguarded: ReadonlyMap<string, readonly IndexDefinition[]>;
}

/** Ours by name: others in the same collection belong to the operator and stay. */
const prefix = "i_";

interface Wanted {
  readonly name: string;
  readonly key: { readonly [path: string]: 1 };
  readonly unique: boolean;
  readonly where: { readonly [path: string]: unknown } | undefined;
}

export async function makeIndexes(
  database: Db,
  definitions: readonly CollectionDefinition[],
  onWarning: (message: string) => void,
): Promise<Shortcomings> {
  const maker = new IndexMaker(onWarning);
  for (const definition of definitions) await maker.make(database.collection(definition.name), definition);
  return { unguarded: maker.unguarded };
}

/** The declared name of an index, from its name on the server. */
export function declaredIndex(definition: CollectionDefinition, serverName: string): string | undefined {
  return definition.indexes.find(({ name }) => `${prefix}${name}` === serverName)?.name;
}

class IndexMaker {
  readonly unguarded = new Map<string, readonly IndexDefinition[]>();
  readonly #onWarning: (message: string) => void;
  #hasPartial = true;

  constructor(onWarning: (message: string) => void) {
    this.#onWarning = onWarning;
  }

  async make(collection: Collection, definition: CollectionDefinition): Promise<void> {
    const existing = await existingIndexes(collection);
    const wanted = definition.indexes.map((index) => wantedIndex(index, this.#hasPartial));
    for (const [name, text] of existing) {
      if (!name.startsWith(prefix)) continue;
      const same = wanted.some((index) => index.name === name && [shapeOf(index), shapeOf(withoutPart(index))].includes(text));
      if (!same) await collection.dropIndex(name);
    }
    // Indexes that differed by their part only are one where there are no parts.
    const keys = new Set<string>();
    for (const index of definition.indexes) await this.#makeOne(collection, definition, index, keys);
  }

  async #makeOne(collection: Collection, definition: CollectionDefinition, index: IndexDefinition, keys: Set<string>): Promise<void> {
    const wanted = wantedIndex(index, this.#hasPartial);
    if (this.#hasPartial || !keys.has(keyOf(wanted))) {
      try {
        await create(collection, wanted);
      } catch (error) {
        if (wanted.where === undefined || !refuses(error, "partialFilterExpression")) throw error;
        this.#hasPartial = false;
        this.#onWarning(
          "this MongoDB server has no partial indexes: whole ones take their place, and unique keys of a part are checked here",
        );
        if (!keys.has(keyOf(withoutPart(wanted)))) await create(collection, withoutPart(wanted));
      }
    }
    keys.add(keyOf(wanted));
    if (index.unique === true && index.where !== undefined && !this.#hasPartial) {
      this.unguarded.set(definition.name, [...(this.unguarded.get(definition.name) ?? []), index]);
    }
  }
}

function keyOf({ key }: Wanted): string {
  return JSON.stringify(key);
}

function wantedIndex(index: IndexDefinition, hasPartial: boolean): Wanted {
  const fields = index.fields.map((field) => [field, 1] as const);
  const unique = index.unique === true;
  const wanted: Wanted = {
    name: `${prefix}${index.name}`,
    // The id at the end makes the order of the index the order of pages.
    key: Object.fromEntries(unique || index.fields.includes("_id") ? fields : [...fields, ["_id", 1] as const]),
    unique,
    where: index.where === undefined ? undefined : { [index.where.field]: index.where.equals },
  };
  return hasPartial ? wanted : withoutPart(wanted);
}

/** Over the whole collection a key of a part is not unique. */
function withoutPart(wanted: Wanted): Wanted {
  return wanted.where === undefined ? wanted : { ...wanted, unique: false, where: undefined };
}

async function create(collection: Collection, { name, key, unique, where }: Wanted): Promise<void> {
  const options: CreateIndexesOptions = {
    name,
    ...(unique ? { unique } : {}),
    ...(where === undefined ? {} : { partialFilterExpression: where }),
  };
  await collection.createIndex(key as IndexSpecification, options);
}

async function existingIndexes(collection: Collection): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  try {
    for (const { name, key, unique, partialFilterExpression } of await collection.indexes()) {
      if (name !== undefined) found.set(name, shapeOf({ key, unique: unique === true, where: partialFilterExpression }));
    }
  } catch (error) {
    // NamespaceNotFound: the first index makes the collection.
    if (!(error instanceof MongoServerError) || error.code !== 26) throw error;
  }
  return found;
}

function shapeOf({ key, unique, where }: { readonly key: object; readonly unique: boolean; readonly where: object | undefined }): string {
  return JSON.stringify([key, unique, where ?? null]);
}

export function refuses(error: unknown, feature: string): boolean {
  return error instanceof MongoServerError && error.message.toLowerCase().includes(feature.toLowerCase());
}
