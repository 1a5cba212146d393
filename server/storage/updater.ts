/** Applies a checked update to a document in place, with MongoDB's meaning, and refuses what MongoDB refuses. */
import { compare, isEqual } from "mingo/util";
import type { Filter, Update } from "./collection.ts";
import { isArrayIndex, isRecord, ownField, segmentsOf } from "./document-path.ts";
import { compilePullCondition, hasOperators } from "./matcher.ts";

/** The update does not fit the document: `$inc` of a text, `$push` to a number. The document is to be thrown away. */
export class UpdateRefusedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UpdateRefusedError";
  }
}

/** `update` has passed `guard.ts` and is used up: the document takes parts of it as they are. */
export function applyUpdate(document: { [field: string]: unknown }, update: Update, inserting = false): void {
  for (const [path, value] of Object.entries(update.$set ?? {})) place(document, path, () => value);
  if (inserting) for (const [path, value] of Object.entries(update.$setOnInsert ?? {})) place(document, path, () => value);
  for (const path of Object.keys(update.$unset ?? {})) remove(document, path);
  for (const [path, step] of Object.entries(update.$inc ?? {})) place(document, path, (old) => sum(path, old, step));
  for (const [path, value] of Object.entries(update.$push ?? {})) place(document, path, (old) => pushed(arrayAt(path, old), value));
  for (const [path, value] of Object.entries(update.$addToSet ?? {})) place(document, path, (old) => joined(arrayAt(path, old), value));
  for (const [path, condition] of Object.entries(update.$pull ?? {})) pull(document, path, condition);
  for (const [path, value] of Object.entries(update.$max ?? {})) {
    place(document, path, (old) => (old === undefined || compare(old, value) < 0 ? value : old));
  }
  for (const [path, value] of Object.entries(update.$min ?? {})) {
    place(document, path, (old) => (old === undefined || compare(old, value) > 0 ? value : old));
  }
}

/** The document an upsert starts from: the fields the filter fixes by equality. */
export function seedOfUpsert(filter: Filter): { [field: string]: unknown } {
  const seed: { [field: string]: unknown } = {};
  for (const [key, condition] of Object.entries(filter)) {
    if (key === "$and") {
      for (const branch of condition as readonly Filter[]) Object.assign(seed, seedOfUpsert(branch));
    } else if (key !== "$or") {
      const operators = isRecord(condition) && hasOperators(condition);
      const value = operators ? ownField(condition, "$eq") : condition;
      if (value !== undefined) place(seed, key, () => value);
    }
  }
  return seed;
}

/** Replaces the value at a path, making documents on the way; `next` gets `undefined` for a missing one. */
function place(document: { [field: string]: unknown }, path: string, next: (old: unknown) => unknown): void {
  const segments = segmentsOf(path);
  let container: unknown = document;
  for (let at = 0; at < segments.length; at++) {
    const segment = segments[at] ?? "";
    const last = at === segments.length - 1;
    if (Array.isArray(container)) {
      const index = isArrayIndex(segment) ? Number(segment) : Number.NaN;
      if (!(index <= container.length)) throw new UpdateRefusedError(`${path}: an array has no element ${segment}`);
      if (last) container[index] = next(container[index]);
      else if (container[index] === undefined) container = container[index] = {};
      else container = container[index];
    } else if (isRecord(container)) {
      const old = ownField(container, segment);
      if (last) setOwn(container, segment, next(old));
      else if (old === undefined) container = setOwn(container, segment, {});
      else container = old;
    } else {
      throw new UpdateRefusedError(`${path}: there is no field ${segment} in a value that is no document`);
    }
  }
}

/** Own property even for names such as `constructor`. */
function setOwn<T>(container: { [field: string]: unknown }, name: string, value: T): T {
  container[name] = value;
  return value;
}

/** The container and name a path ends in; undefined when something on the way is missing. */
function holderOf(document: unknown, path: string): { container: unknown; name: string } | undefined {
  const segments = segmentsOf(path);
  let container = document;
  for (const segment of segments.slice(0, -1)) {
    if (Array.isArray(container)) container = isArrayIndex(segment) ? container[Number(segment)] : undefined;
    else container = isRecord(container) ? ownField(container, segment) : undefined;
  }
  return container === undefined ? undefined : { container, name: segments.at(-1) ?? "" };
}

function remove(document: unknown, path: string): void {
  const holder = holderOf(document, path);
  if (holder === undefined) return;
  const { container, name } = holder;
  if (isRecord(container)) delete container[name];
  // An element cannot go without moving those behind it: it becomes null, as on MongoDB.
  else if (Array.isArray(container) && isArrayIndex(name) && Number(name) < container.length) container[Number(name)] = null;
}

function pull(document: unknown, path: string, condition: unknown): void {
  const holder = holderOf(document, path);
  if (holder === undefined || !isRecord(holder.container)) return;
  const old = ownField(holder.container, holder.name);
  if (old === undefined) return;
  const matches = compilePullCondition(condition);
  holder.container[holder.name] = arrayAt(path, old).filter((element) => !matches(element));
}

function sum(path: string, old: unknown, step: number): number {
  if (old === undefined) return step;
  if (typeof old !== "number") throw new UpdateRefusedError(`${path}: $inc needs a number there`);
  const total = old + step;
  if (!Number.isFinite(total)) throw new UpdateRefusedError(`${path}: $inc leads to a number that is none in JSON`);
  return total;
}

function arrayAt(path: string, old: unknown): readonly unknown[] {
  if (old === undefined) return [];
  if (!Array.isArray(old)) throw new UpdateRefusedError(`${path}: an array operator needs an array there`);
  return old;
}

function pushed(old: readonly unknown[], value: unknown): readonly unknown[] {
  if (!isRecord(value) || !Array.isArray(value["$each"])) return [...old, value];
  const all = [...old, ...value["$each"]];
  const slice = value["$slice"];
  if (typeof slice !== "number") return all;
  if (slice === 0) return [];
  return slice < 0 ? all.slice(slice) : all.slice(0, slice);
}

function joined(old: readonly unknown[], value: unknown): readonly unknown[] {
  const additions = isRecord(value) && Array.isArray(value["$each"]) ? value["$each"] : [value];
  const all = [...old];
  for (const addition of additions) if (!all.some((element) => isEqual(element, addition))) all.push(addition);
  return all;
}
