/** The outcome of a run as text for people and as JSON for programs. */
import type { CaseResult, Role } from "./case.ts";

export interface Report {
  readonly role: Role;
  readonly target: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly results: readonly CaseResult[];
}

/** One line a case, and below a case that did not pass what was missing and the messages. */
export function caseText(result: CaseResult): string {
  const lines = [`${result.verdict.padEnd(12)} ${result.id}  ${result.title} (${result.seconds.toFixed(1)} s)`];
  if (result.verdict !== "Pass") {
    if (result.detail !== undefined) lines.push(`    ${result.detail}`);
    for (const { text, met, evidence } of result.criteria)
      if (!met) lines.push(`    not met: ${text}${evidence === undefined ? "" : `; got ${evidence}`}`);
    if (result.verdict !== "Not Applicable") for (const message of result.trace) lines.push(`    ${message}`);
  }
  return lines.join("\n");
}

export function summaryText(results: readonly CaseResult[]): string {
  const passed = results.filter(({ verdict }) => verdict === "Pass").length;
  const others = results.length - passed - results.filter(({ verdict }) => verdict === "Not Applicable").length;
  const notApplicable = results.length - passed - others;
  return `${passed} of ${results.length} cases passed${notApplicable === 0 ? "" : `, ${notApplicable} not applicable`}`;
}

export function reportJson(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

/** Every case passed or does not apply, and at least one did pass. */
export function allGood(results: readonly CaseResult[]): boolean {
  const verdicts = results.map(({ verdict }) => verdict);
  return verdicts.includes("Pass") && verdicts.every((verdict) => verdict === "Pass" || verdict === "Not Applicable");
}
