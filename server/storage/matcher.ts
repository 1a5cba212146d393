/** Tests a document against a checked filter with MongoDB's meaning: arrays match by their elements, null matches what is missing. */
import { isEqual } from "mingo/util";
import type { Filter } from "./collection.ts";
import { compareText, isArrayIndex, isRecord, ownField, segmentsOf } from "./document-path.ts";

export type Test = (document: unknown) => boolean;
type ValueTest = (value: unknown) => boolean;

/** `filter` has passed `guard.ts`. */
export function compileFilter(filter: Filter): Test {
  const tests = Object.entries(filter).map(([key, condition]) => compileEntry(key, condition));
  const [only] = tests;
  if (tests.length === 1 && only !== undefined) return only;
  return (document) => tests.every((test) => test(document));
}

/** What `$pull` takes out: a value, an operator condition on the element, or a filter on its fields. */
export function compilePullCondition(condition: unknown): ValueTest {
  if (!isRecord(condition)) return equalTo(condition);
  if (hasOperators(condition)) {
    const test = compileFilter({ element: condition });
    return (element) => test({ element });
  }
  const test = compileFilter(condition);
  return (element) => isRecord(element) && test(element);
}

export function hasOperators(condition: object): boolean {
  const [first] = Object.keys(condition);
  return first?.startsWith("$") === true;
}

function compileEntry(key: string, condition: unknown): Test {
  if (key === "$and" || key === "$or") {
    const branches = (condition as readonly Filter[]).map(compileFilter);
    return key === "$and" ? (document) => branches.every((test) => test(document)) : (document) => branches.some((test) => test(document));
  }
  const segments = segmentsOf(key);
  if (!isRecord(condition) || !hasOperators(condition)) return anyAt(segments, equalTo(condition));
  const tests = Object.entries(condition).map(([operator, operand]) => compileOperator(segments, operator, operand));
  return (document) => tests.every((test) => test(document));
}

function compileOperator(segments: readonly string[], operator: string, operand: unknown): Test {
  switch (operator) {
    case "$eq":
      return anyAt(segments, equalTo(operand));
    case "$ne":
      return not(anyAt(segments, equalTo(operand)));
    case "$in":
      return anyAt(segments, oneOf(operand as readonly unknown[]));
    case "$all": {
      const each = (operand as readonly unknown[]).map((value) => anyAt(segments, equalTo(value)));
      return (document) => each.every((test) => test(document));
    }
    case "$exists": {
      const exists = anyAt(segments, (value) => value !== undefined);
      return operand === true ? exists : not(exists);
    }
    default:
      return anyAt(segments, compareTo(operator, operand));
  }
}

const not =
  (test: Test): Test =>
  (document) =>
    !test(document);

function equalTo(operand: unknown): ValueTest {
  if (operand === null) return (value) => value === null || value === undefined;
  if (typeof operand !== "object") return (value) => value === operand;
  return (value) => isEqual(value, operand);
}

function oneOf(operands: readonly unknown[]): ValueTest {
  const scalars = new Set(operands.filter((operand) => typeof operand !== "object"));
  const tests = operands.filter((operand) => typeof operand === "object").map(equalTo);
  return (value) => scalars.has(value) || tests.some((test) => test(value));
}

/** Ranges never cross types: a number is neither below nor above a text. */
function compareTo(operator: string, operand: unknown): ValueTest {
  const type = typeof operand;
  const order = (value: unknown): number =>
    typeof value === "string" && typeof operand === "string" ? compareText(value, operand) : Number(value) - Number(operand);
  switch (operator) {
    case "$gt":
      return (value) => typeof value === type && order(value) > 0;
    case "$gte":
      return (value) => typeof value === type && order(value) >= 0;
    case "$lt":
      return (value) => typeof value === type && order(value) < 0;
    case "$lte":
      return (value) => typeof value === type && order(value) <= 0;
    default:
      throw new Error(`operator ${operator} passed the guard and has no meaning here`);
  }
}

function anyAt(segments: readonly string[], test: ValueTest): Test {
  return (document) => visit(document, segments, 0, test);
}

/** True when the test holds for one of the values a path leads to; a path that leads nowhere is tested as `undefined`. */
function visit(value: unknown, segments: readonly string[], at: number, test: ValueTest): boolean {
  const segment = segments[at];
  if (segment === undefined) return test(value) || (Array.isArray(value) && value.some((element) => test(element)));
  if (Array.isArray(value)) {
    const index = isArrayIndex(segment) ? Number(segment) : value.length;
    if (index < value.length && visit(value[index], segments, at + 1, test)) return true;
    return value.some((element) => isRecord(element) && visit(element, segments, at, test));
  }
  if (!isRecord(value)) return test(undefined);
  return visit(ownField(value, segment), segments, at + 1, test);
}
