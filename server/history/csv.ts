/** Comma-separated values (RFC 4180), for machines and for spreadsheets, which take some texts for formulas. */
import type { Json } from "../storage/collection.ts";

/** With the line end of RFC 4180 §2. */
export function csvLine(cells: readonly (Json | undefined)[]): string {
  return `${cells.map(csvCell).join()}\r\n`;
}

/** What a spreadsheet may carry out, and the mark itself, so that taking one mark away always gives the text back. */
const formulaStart = /^[=+\-@\t\r\n'\uff0b\uff0d\uff1d\uff20]/;
const plainNumber = /^-?\d+(\.\d+)?$/;
const needsQuotes = /[",\r\n]/;

/** Numbers and booleans as in JSON, null empty, lists and objects as JSON text; a text that begins like a formula gets a `'` in front. */
function csvCell(value: Json | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const safe = formulaStart.test(text) && !plainNumber.test(text) ? `'${text}` : text;
  return needsQuotes.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
