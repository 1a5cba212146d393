/** `npm run conformance`: runs conformance cases by id against a part under test and reports (conformance/). */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import type { CaseResult } from "./conformance/case.ts";
import { type Options, readOptions, usage } from "./conformance/options.ts";
import { WirePeer } from "./conformance/platform/wire-peer.ts";
import { caseText, reportJson, summaryText } from "./conformance/report.ts";
import { runCase, type Surroundings } from "./conformance/runner.ts";

const nothingRun = 2;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) return say(usage, 0);
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    process.stderr.write(`conformance: ${error.message}\n`);
    return nothingRun;
  }
  const { target } = options;
  if (target === undefined) return say(options.cases.map(({ id, title }) => `${id}  ${title}`).join("\n"), 0);

  let names = 0;
  const run = randomBytes(3).toString("hex");
  const surroundings: Surroundings = {
    openPeer: (trace) => WirePeer.open(target, trace),
    uniqueName: () => `conformance-${run}-${++names}`,
    clock: systemClock,
  };
  const startedAt = formatInstant(systemClock.now());
  const results: CaseResult[] = [];
  for (const each of options.cases) {
    const result = await runCase(each, surroundings);
    results.push(result);
    say(caseText(result), 0);
  }
  if (options.jsonFile !== undefined) {
    await writeFile(options.jsonFile, reportJson({ role: options.role, target: options.targetText, startedAt, results }));
  }
  return say(summaryText(results), results.every(({ verdict }) => verdict === "Pass") ? 0 : 1);
}

function say(text: string, code: number): number {
  process.stdout.write(`${text}\n`);
  return code;
}

process.exitCode = await main(process.argv.slice(2));
