/** Instants as text: RFC 3339 in UTC with milliseconds, the one form of the REST API, events and logs; with microseconds where there are some. */

const microsecondsPerMs = 1_000;
/** Share of a microsecond: an instant of these years is held to a quarter of one. */
const precision = 0.25;
const dateAndTime = /^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/;

/** `1700000000000` as `"2023-11-14T22:13:20.000Z"`, `1700000000000.25` as `"2023-11-14T22:13:20.000250Z"`. */
export function formatInstant(epochMs: number): string {
  const wholeMs = Math.floor(epochMs);
  // Down, so that no instant is shown as a later one.
  const microseconds = Math.floor((epochMs - wholeMs) * microsecondsPerMs + precision);
  if (microseconds === 0) return new Date(wholeMs).toISOString();
  return new Date(wholeMs).toISOString().replace("Z", `${String(microseconds).padStart(3, "0")}Z`);
}

/** Epoch milliseconds, to the microsecond; undefined when the text is no RFC 3339 date and time. */
export function findInstant(text: string): number | undefined {
  const [, second, fraction = "", zone] = dateAndTime.exec(text) ?? [];
  if (second === undefined) return undefined;
  const secondMs = Date.parse(`${second}${zone}`);
  if (Number.isNaN(secondMs)) return undefined;
  return secondMs + Number(fraction.slice(0, 6).padEnd(6, "0")) / microsecondsPerMs;
}
