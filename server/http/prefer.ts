/** `Prefer: wait=N` and `respond-async` (RFC 7240 §4.1, §4.3); anything else in the header is not ours and is ignored (§2). */

export interface WaitPreference {
  readonly waitMs: number;
  /** What the `Preference-Applied` header says when the request honoured it (§3). */
  readonly applied: string;
}

/** Together with `wait`, `respond-async` means: answer early only when the time is up (§4.3). */
export function parsePrefer(header: string | undefined, capSeconds: number): WaitPreference | undefined {
  if (header === undefined) return undefined;
  let seconds: number | undefined;
  let respondAsync = false;
  for (const part of header.split(",")) {
    // A preference may carry parameters after a semicolon (§2); none are defined for these two.
    const preference = part.split(";", 1)[0]?.trim().toLowerCase() ?? "";
    if (preference === "respond-async") respondAsync = true;
    const wait = /^wait\s*=\s*"?(\d{1,9})"?$/.exec(preference)?.[1];
    // The first of several counts (§2).
    if (wait !== undefined) seconds ??= Math.min(Number(wait), capSeconds);
  }
  if (seconds === undefined) return respondAsync ? { waitMs: 0, applied: "respond-async" } : undefined;
  return { waitMs: seconds * 1_000, applied: `${respondAsync ? "respond-async, " : ""}wait=${seconds}` };
}
