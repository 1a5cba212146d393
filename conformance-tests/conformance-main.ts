/** `npm run conformance`: runs conformance cases by id against a part under test and reports (conformance/). */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import type { CaseResult } from "./conformance/case.ts";
import { type Options, readOptions, usage } from "./conformance/options.ts";
import { ClientSource } from "./conformance/platform/client-source.ts";
import { WirePeer, type WireTarget } from "./conformance/platform/wire-peer.ts";
import { WireServer } from "./conformance/platform/wire-server.ts";
import { allGood, caseText, reportJson, summaryText } from "./conformance/report.ts";
import { runCase, type Surroundings } from "./conformance/runner.ts";

const nothingRun = 2;
const interrupted = 130;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) return say(usage, 0);
  try {
    const options = readOptions(args);
    const { target } = options;
    if (target === undefined) return say(options.cases.map(({ id, title }) => `${id}  ${title}`).join("\n"), 0);
    const source = options.role === "client" ? await openSource(options, target) : undefined;
    try {
      return await run(options, target, source);
    } finally {
      source?.server.close();
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    process.stderr.write(`conformance: ${error.message}\n`);
    return nothingRun;
  }
}

/** Throws a RangeError when no client is there. */
async function openSource({ command, targetText, waitSeconds }: Options, target: WireTarget): Promise<ClientSource> {
  const server = await WireServer.open(target);
  const source = new ClientSource(server, command);
  // The command is in a process group of its own: it does not hear what ends the runner.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void Promise.resolve(source.end()).then(() => process.exit(interrupted)));
  if (command !== undefined) return source;
  process.stderr.write(`waiting ${waitSeconds} s for a client that registers at ${targetText}\n`);
  if ((await server.registration(waitSeconds * 1_000)) !== undefined) return source;
  server.close();
  throw new RangeError(`no client registered within ${waitSeconds} s`);
}

async function run(options: Options, target: WireTarget, source: ClientSource | undefined): Promise<number> {
  let names = 0;
  const id = randomBytes(3).toString("hex");
  const surroundings: Surroundings = {
    openPeer: (note) => WirePeer.open(target, note),
    uniqueName: () => `conformance-${id}-${++names}`,
    clock: systemClock,
    configured: options.configured,
    source,
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
  return say(summaryText(results), allGood(results) ? 0 : 1);
}

function say(text: string, code: number): number {
  process.stdout.write(`${text}\n`);
  return code;
}

process.exitCode = await main(process.argv.slice(2));
