/**
 * Documents, filters and updates of the port as MongoDB keeps them. Values are the same; names MongoDB reads in a way of its
 * own (with a dot, with `$` in front, empty, with NUL) are written with `%`, so that every name comes back as it was, whatever
 * the version of the server.
 */
import type { Filter, Update } from "../collection.ts";
import { isRecord } from "../document-path.ts";
import { hasOperators } from "../matcher.ts";

type Fields = { [name: string]: unknown };

export function toBson(document: object): Fields {
  return recordToBson(document);
}

export function fromBson(document: object): unknown {
  return valueFromBson(document);
}

/** `filter` has passed `guard.ts`. */
export function filterToBson(filter: Filter): Fields {
  const written: Fields = {};
  for (const [key, condition] of Object.entries(filter)) {
    if (key === "$and" || key === "$or") written[key] = (condition as readonly Filter[]).map(filterToBson);
    else written[pathToBson(key)] = conditionToBson(condition);
  }
  return written;
}

/** `update` has passed `guard.ts`. */
export function updateToBson(update: Update): Fields {
  const written: Fields = {};
  for (const [operator, fields] of Object.entries(update)) {
    const entries = Object.entries(fields as Fields).map(([path, operand]) => [pathToBson(path), operandToBson(operator, operand)]);
    // MongoDB takes an operator without fields since 5.0 only.
    if (entries.length > 0) written[operator] = Object.fromEntries(entries);
  }
  return written;
}

export function pathToBson(path: string): string {
  return path.includes("%") ? path.split(".").map(nameToBson).join(".") : path;
}

function conditionToBson(condition: unknown): unknown {
  if (!isRecord(condition) || !hasOperators(condition)) return valueToBson(condition);
  return Object.fromEntries(Object.entries(condition).map(([operator, operand]) => [operator, valueToBson(operand)]));
}

function operandToBson(operator: string, operand: unknown): unknown {
  if (operator === "$pull" && isRecord(operand)) return hasOperators(operand) ? conditionToBson(operand) : filterToBson(operand);
  // `$each` and `$slice`.
  if ((operator === "$push" || operator === "$addToSet") && isRecord(operand) && hasOperators(operand)) return conditionToBson(operand);
  return valueToBson(operand);
}

function valueToBson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(valueToBson);
  if (isRecord(value)) return recordToBson(value);
  // JSON knows no negative zero.
  return value === 0 ? 0 : value;
}

function recordToBson(record: object): Fields {
  const written: Fields = {};
  for (const [name, value] of Object.entries(record)) {
    if (value !== undefined) setOwn(written, nameToBson(name), valueToBson(value));
  }
  return written;
}

function valueFromBson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(valueFromBson);
  if (!isRecord(value)) return value;
  // A sum beyond what a 32-bit integer holds is a 64-bit one to MongoDB, and to us the number it always was.
  if (value["_bsontype"] === "Long") return Number(String(value));
  const read: Fields = {};
  for (const [name, field] of Object.entries(value)) setOwn(read, nameFromBson(name), valueFromBson(field));
  return read;
}

/** An assignment to `__proto__` would set something else. */
function setOwn(record: Fields, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true });
  else record[name] = value;
}

const meaningful = /[%.\0]|^\$/g;
const written: ReadonlyMap<string, string> = new Map([
  ["%", "%25"],
  [".", "%2E"],
  ["\0", "%00"],
  ["$", "%24"],
]);
const read: ReadonlyMap<string, string> = new Map([...written].map(([character, code]) => [code, character]));

function nameToBson(name: string): string {
  return name === "" ? "%" : name.replaceAll(meaningful, (character) => written.get(character) ?? character);
}

function nameFromBson(name: string): string {
  if (!name.includes("%")) return name;
  return name === "%" ? "" : name.replaceAll(/%(25|2E|00|24)/g, (code) => read.get(code) ?? code);
}
