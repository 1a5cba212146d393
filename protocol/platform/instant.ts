/** Instants as text: RFC 3339 in UTC with milliseconds, the one form of the REST API, events and logs. */

/** `1700000000000` as `"2023-11-14T22:13:20.000Z"`. */
export function formatInstant(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** Undefined when the text is no RFC 3339 date and time. */
export function findInstant(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const epochMs = Date.parse(text);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}
