/**
 * The tour of the README as a script: each `console` block with its commands and the output printed under them.
 * A comment before a block directs it: `terminal: NAME` runs it in the background, `until: TEXT` repeats the last command until the
 * output holds the text, `after: N s` lets time pass first.
 */

export interface TourBlock {
  /** Line numbers of the opening and closing fence, from 0. */
  readonly openedAt: number;
  readonly closedAt: number;
  readonly steps: readonly TourStep[];
  readonly terminal?: string;
  readonly until?: string;
  readonly afterSeconds?: number;
}

export interface TourStep {
  readonly command: string;
  readonly output: readonly string[];
}

const sectionStart = "## Five-minute tour";

export function parseTour(readme: string): readonly TourBlock[] {
  const lines = readme.split("\n");
  const start = lines.indexOf(sectionStart);
  if (start < 0) throw new Error(`the README has no section "${sectionStart}"`);
  const next = lines.findIndex((line, index) => index > start && line.startsWith("## "));
  const end = next < 0 ? lines.length : next;
  const blocks: TourBlock[] = [];
  for (let i = start; i < end; i++) {
    if (lines[i] !== "```console") continue;
    const closedAt = lines.indexOf("```", i);
    const directive = /^<!-- (terminal|until|after): (.*) -->$/.exec(lines[i - 1] ?? "");
    blocks.push({ openedAt: i, closedAt, steps: stepsOf(lines.slice(i + 1, closedAt)), ...directed(directive?.[1], directive?.[2] ?? "") });
    i = closedAt;
  }
  return blocks;
}

function directed(kind: string | undefined, value: string): Pick<TourBlock, "terminal" | "until" | "afterSeconds"> {
  switch (kind) {
    case "terminal":
      return { terminal: value };
    case "until":
      return { until: value };
    case "after":
      return { afterSeconds: Number.parseInt(value, 10) };
    default:
      return {};
  }
}

function stepsOf(lines: readonly string[]): readonly TourStep[] {
  const steps: { readonly command: string; readonly output: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), output: [] });
    else steps.at(-1)?.output.push(line);
  }
  return steps;
}

/** The README with the outputs of a run in place of those it has; one list per step, block by block. */
export function withOutputs(readme: string, outputs: readonly (readonly (readonly string[])[])[]): string {
  const lines = readme.split("\n");
  const blocks = parseTour(readme);
  for (const [index, block] of [...blocks.entries()].reverse()) {
    const body = block.steps.flatMap((step, at) => [`$ ${step.command}`, ...(outputs[index]?.[at] ?? [])]);
    lines.splice(block.openedAt + 1, block.closedAt - block.openedAt - 1, ...body);
  }
  return lines.join("\n");
}

const masks: readonly (readonly [RegExp, string])[] = [
  [/\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g, "<id>"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<instant>"],
  [/"(traceId|token|sha256)":"[0-9a-f]+"/g, '"$1":"<hex>"'],
  [/\/fw\/[\w-]{22}/g, "/fw/<token>"],
  [/lwm2m_[\w-…]+/g, "<key>"],
  [/-?\d+(\.\d+)?/g, "0"],
];

/** What a command printed, without what differs from run to run; each distinct line once, because the number of events in some seconds differs. */
export function fingerprint(output: readonly string[]): readonly string[] {
  const lines = output
    .filter((line) => line !== "")
    .map((line) => masks.reduce((text, [pattern, mask]) => text.replace(pattern, mask), line));
  return [...new Set(lines)];
}
