/** Histories as streams: newline-delimited JSON or CSV. Nothing but the page at hand is in memory, and the reader sets the pace. */
import { preferredMediaType } from "../http/accept.ts";
import { begun } from "../http/begun-stream.ts";
import type { Reply } from "../http/route.ts";
import { csvLine } from "./csv.ts";
import type { HistoryRow } from "./history-rows.ts";

export const ndjson = "application/x-ndjson";
export const csv = "text/csv";
export type ExportType = typeof ndjson | typeof csv;

export const exportStreams = {
  [ndjson]: "one JSON object a line: endpoint, path, time, receivedAt, value; or endpoint, path, time and the aggregates",
  [csv]: "RFC 4180 with a header; a text that begins like a formula, or with ', has a ' in front",
} as const;

const contentTypes = { [ndjson]: `${ndjson}; charset=utf-8`, [csv]: `${csv}; charset=utf-8; header=present` } as const;

/** What the client wants most; a problem when it takes none of them. */
export function chooseType<T extends string>(
  accept: string | undefined,
  offered: readonly T[],
): T | (Reply & { readonly problem: unknown }) {
  const type = preferredMediaType(accept, offered);
  return type ?? { problem: { type: "not-acceptable", detail: `got Accept: ${accept}, this address has ${offered.join(", ")}` } };
}

/** The first page is read before the reply begins; what fails later breaks the connection off, so that nobody takes a part for the whole. */
export async function exportReply(
  pages: AsyncIterable<readonly HistoryRow[]>,
  columns: readonly string[],
  type: ExportType,
): Promise<Reply> {
  const stream = await begun(type === csv ? csvText(pages, columns) : ndjsonText(pages));
  return { status: 200, headers: { "Content-Type": contentTypes[type] }, stream };
}

async function* ndjsonText(pages: AsyncIterable<readonly HistoryRow[]>): AsyncGenerator<string> {
  for await (const page of pages) yield page.map((row) => `${JSON.stringify(row)}\n`).join("");
}

async function* csvText(pages: AsyncIterable<readonly HistoryRow[]>, columns: readonly string[]): AsyncGenerator<string> {
  let header = csvLine(columns);
  for await (const page of pages) {
    yield header + page.map((row) => csvLine(columns.map((column) => row[column]))).join("");
    header = "";
  }
  if (header !== "") yield header;
}
