/**
 * The port at run time: what both engines give with the same meaning passes, everything else is a bug of the caller and
 * throws, before it reaches an engine that would take it.
 */
import type { CollectionDefinition, Filter, FindQuery, InsertSettings, StoredDocument, Update } from "./collection.ts";
import { isRecord, isScalar, reach } from "./document-path.ts";
import { hasOperators } from "./matcher.ts";

export const storeLimits = {
  /** Bytes of a document as JSON text, about: MongoDB's own limit is 16 MiB of BSON. */
  documentCharacters: 16 * 1024 * 1024,
  /** Nesting of values; MongoDB stops at 100. */
  valueDepth: 90,
  /** Values of one `$in` or `$all`. */
  listedValues: 10_000,
  /** Characters of an `_id` or a path. */
  keyCharacters: 1_024,
  /** Documents of one `find`. */
  foundDocuments: 1_000,
  /** Documents of one `find` that names no limit. */
  usualDocuments: 100,
} as const;

const rangeOperators: ReadonlySet<string> = new Set(["$gt", "$gte", "$lt", "$lte"]);
const updateOperators: ReadonlySet<string> = new Set([
  "$set",
  "$unset",
  "$inc",
  "$setOnInsert",
  "$push",
  "$addToSet",
  "$pull",
  "$max",
  "$min",
]);

export function checkDefinition(definition: CollectionDefinition): void {
  if (!/^[a-zA-Z][a-zA-Z0-9]{0,50}$/.test(definition.name)) throw new Error(`"${definition.name}" is no collection name`);
  for (const index of definition.indexes) {
    const where = index.where === undefined ? [] : [index.where.field];
    if (!/^[a-zA-Z][a-zA-Z0-9]{0,50}$/.test(index.name) || index.fields.length === 0) {
      throw new Error(`${definition.name}: "${index.name}" is no index`);
    }
    for (const field of [...index.fields, ...where]) {
      // Names that need no quoting in any engine, and no segment that could mean an array element.
      if (!/^[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)*$/.test(field)) throw new Error(`${definition.name}: "${field}" cannot be indexed`);
    }
    if (index.where !== undefined && !isScalar(index.where.equals)) throw new Error(`${definition.name}: ${index.name} needs a scalar`);
  }
}

export function checkDocument(definition: CollectionDefinition, document: StoredDocument): void {
  const place = `document of ${definition.name}`;
  checkValue(place, document, 0);
  checkId(place, document._id);
  for (const name of Object.keys(document)) if (name.startsWith("$")) throw new Error(`${place}: field ${name} begins with $`);
  checkIndexedFields(definition, document);
}

/** Index entries are scalars: an array there would be found by its elements on one engine and not on the other. */
export function checkIndexedFields(definition: CollectionDefinition, document: unknown): void {
  for (const path of indexedFields(definition)) {
    const reached = reach(document, path);
    if (reached.kind === "value" && (reached.value === undefined || isScalar(reached.value))) continue;
    throw new Error(`document of ${definition.name}: ${path} is indexed and must be a scalar`);
  }
}

const fieldsByDefinition = new WeakMap<CollectionDefinition, readonly string[]>();

export function indexedFields(definition: CollectionDefinition): readonly string[] {
  const known = fieldsByDefinition.get(definition);
  if (known !== undefined) return known;
  const all = definition.indexes.flatMap((index) => [...index.fields, ...(index.where === undefined ? [] : [index.where.field])]);
  const fields = [...new Set(all)].filter((path) => path !== "_id");
  fieldsByDefinition.set(definition, fields);
  return fields;
}

/** For an engine that has no commit of several documents: nothing may be left out silently. */
export function refuseBeside(name: string, { beside }: InsertSettings): void {
  if (beside !== undefined) throw new Error(`${name}: this engine writes nothing beside a document`);
}

export function checkFilter(name: string, filter: Filter): void {
  checkFilterAt(`filter on ${name}`, filter, 0);
}

export function checkFind(name: string, query: FindQuery): void {
  const place = `query on ${name}`;
  const { limit = storeLimits.usualDocuments, sort, after } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > storeLimits.foundDocuments) throw new Error(`${place}: limit ${limit}`);
  const fields = Object.entries(sort ?? { _id: 1 });
  const [field] = fields;
  if (fields.length !== 1 || field === undefined || (field[1] !== 1 && field[1] !== -1))
    throw new Error(`${place}: sort by one field, 1 or -1`);
  checkPath(place, field[0]);
  if (after === undefined) return;
  checkId(place, after.id);
  // A document without the field sorts as null.
  if (after.value !== undefined && !isScalar(after.value)) throw new Error(`${place}: after needs a scalar`);
}

export function checkUpdate(name: string, update: Update): void {
  const place = `update on ${name}`;
  const operators = Object.entries(update);
  if (operators.length === 0) throw new Error(`${place}: no operator`);
  const taken: string[] = [];
  for (const [operator, fields] of operators) {
    if (!updateOperators.has(operator)) throw new Error(`${place}: unknown operator ${operator}`);
    if (!isRecord(fields)) throw new Error(`${place}: ${operator} needs fields`);
    for (const [path, operand] of Object.entries(fields)) {
      checkPath(place, path);
      if (path === "_id" || path.startsWith("_id.")) throw new Error(`${place}: _id cannot change`);
      if (taken.some((other) => overlap(other, path))) throw new Error(`${place}: ${path} is changed twice`);
      taken.push(path);
      checkUpdateOperand(`${place}: ${operator} of ${path}`, operator, operand);
    }
  }
}

/** An upsert must know the `_id` it makes. */
export function checkUpsert(name: string, filter: Filter): void {
  if (typeof filter["_id"] !== "string") throw new Error(`upsert on ${name}: the filter must give the _id`);
  checkId(`upsert on ${name}`, filter["_id"]);
}

function overlap(a: string, b: string): boolean {
  if (a.length > b.length) return a[b.length] === "." && a.startsWith(b);
  return a === b || (b[a.length] === "." && b.startsWith(a));
}

function checkUpdateOperand(place: string, operator: string, operand: unknown): void {
  checkValue(place, operand, 0);
  if (operator === "$inc" && typeof operand !== "number") throw new Error(`${place}: needs a number`);
  if (operator === "$pull") {
    if (isRecord(operand)) checkFilterAt(place, hasOperators(operand) ? { element: operand } : operand, 0);
    return;
  }
  if (!isRecord(operand) || !hasOperators(operand)) return;
  const allowed = operator === "$push" ? ["$each", "$slice"] : operator === "$addToSet" ? ["$each"] : [];
  const unknown = Object.keys(operand).find((key) => !allowed.includes(key));
  if (unknown !== undefined) throw new Error(`${place}: unknown modifier ${unknown}`);
  if (!Array.isArray(operand["$each"])) throw new Error(`${place}: needs $each`);
  if (operand["$slice"] !== undefined && !Number.isInteger(operand["$slice"])) throw new Error(`${place}: $slice needs a whole number`);
}

function checkFilterAt(place: string, filter: unknown, level: number): void {
  if (!isRecord(filter)) throw new Error(`${place}: a filter is an object`);
  for (const [key, condition] of Object.entries(filter)) {
    if (key === "$and" || key === "$or") {
      if (level > 0) throw new Error(`${place}: ${key} below another $and or $or`);
      if (!Array.isArray(condition) || condition.length === 0) throw new Error(`${place}: ${key} needs a list`);
      for (const branch of condition) checkFilterAt(place, branch, level + 1);
    } else {
      checkPath(place, key);
      checkCondition(`${place} at ${key}`, condition);
    }
  }
}

function checkCondition(place: string, condition: unknown): void {
  if (!isRecord(condition) || !hasOperators(condition)) {
    checkOperand(place, condition);
    return;
  }
  for (const [operator, operand] of Object.entries(condition)) {
    if (rangeOperators.has(operator)) {
      if (!isScalar(operand) || operand === null) throw new Error(`${place}: ${operator} needs a number, a text or a boolean`);
      checkOperand(place, operand);
    } else if (operator === "$in" || operator === "$all") {
      if (!Array.isArray(operand) || operand.length > storeLimits.listedValues) throw new Error(`${place}: ${operator} needs a list`);
      if (operator === "$all" && operand.length === 0) throw new Error(`${place}: $all of nothing`);
      for (const value of operand) checkOperand(place, value);
    } else if (operator === "$exists") {
      if (typeof operand !== "boolean") throw new Error(`${place}: $exists needs true or false`);
    } else if (operator === "$eq" || operator === "$ne") {
      checkOperand(place, operand);
    } else {
      throw new Error(`${place}: unknown operator ${operator}`);
    }
  }
}

/** A value to compare with: JSON whose names no engine could take for operators. */
function checkOperand(place: string, operand: unknown): void {
  checkValue(place, operand, 0, (name) => name.startsWith("$") || name === "__proto__");
}

/** Paths found right before: they come from code, apart from a few with resource names in them. */
const goodPaths = new Set<string>();
const rememberedPaths = 2_000;

function checkPath(place: string, path: string): void {
  if (goodPaths.has(path)) return;
  const segments = path.split(".");
  const bad = segments.some((segment) => segment === "" || segment.startsWith("$") || segment === "__proto__" || segment.includes("\0"));
  if (bad || path.length > storeLimits.keyCharacters) throw new Error(`${place}: "${path.slice(0, 80)}" is no path`);
  if (goodPaths.size < rememberedPaths) goodPaths.add(path);
}

function checkId(place: string, id: unknown): void {
  if (typeof id !== "string" || id === "" || id.length > storeLimits.keyCharacters) throw new Error(`${place}: _id must be a text`);
  // SQLite ends a text at NUL, and half a surrogate pair has no UTF-8 form.
  if (/[\0\p{Cs}]/u.test(id)) throw new Error(`${place}: _id has characters no engine keeps`);
}

/** JSON only: anything else would be dropped or bent on the way without a word. */
function checkValue(place: string, value: unknown, depth: number, refused?: (name: string) => boolean): void {
  if (value === null || typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Error(`${place}: ${value} is no JSON number`);
    return;
  }
  if (typeof value !== "object") throw new Error(`${place}: ${typeof value} is no JSON value`);
  if (depth > storeLimits.valueDepth) throw new Error(`${place}: nested deeper than ${storeLimits.valueDepth}`);
  if (Array.isArray(value)) {
    for (const element of value) checkValue(place, element, depth + 1, refused);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw new Error(`${place}: an object of a class is no JSON value`);
  for (const [name, field] of Object.entries(value)) {
    // An optional field that is not there, spelled out: left out of documents, but in a filter it would drop a condition.
    if (field === undefined && refused === undefined) continue;
    if (refused?.(name)) throw new Error(`${place}: the name ${name} is not allowed here`);
    checkValue(place, field, depth + 1, refused);
  }
}
