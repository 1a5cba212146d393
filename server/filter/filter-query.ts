/** Filters in requests: how they are described, and what is said of one that is none. Pure. */
import type { Problem } from "../http/problem.ts";
import type { JsonSchema } from "../http/route.ts";
import type { Fields } from "./filter.ts";
import { type FilterFault, filterLimits, parseFilter } from "./filter-parser.ts";

export const filterSchema: JsonSchema = { type: "string", minLength: 1, maxLength: filterLimits.characters };

/** For the description of a parameter. */
export function filterWords(fields: Fields): string {
  const names = Object.entries(fields).map(([name, type]) => `${name} (${type === "texts" ? "one of several texts" : type})`);
  return `RSQL: == != =in=(…,…) =out=(…,…) for all, < <= > >= for numbers and times, * at the end of a text, ; (and) before , (or), brackets; of ${names.join(", ")}`;
}

/** Undefined: it is one. `pointer`: where it stands in the request. */
export function findFilterProblem(text: string, fields: Fields, pointer: string): Problem | undefined {
  const reading = parseFilter(text, fields);
  return reading.ok ? undefined : filterProblem(reading.fault, pointer);
}

/** `place`: the pointer in words. */
export function filterProblem({ position, field, detail }: FilterFault, pointer: string, place = pointer): Problem {
  const words = `position ${position}${field === undefined ? "" : `, ${field}`}: ${detail}`;
  return { type: "bad-request", detail: `${place}: ${words}`, errors: [{ pointer, detail: words }] };
}
