/** `npm run crash -- [--rounds N] [--seed S] [--devices N] [--programs N] [--store embedded|mongo] [--rounds-per-store N]`: pulls the plug on a server under load; code 1 when something acknowledged is lost. */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { crashSeries } from "./crash/crash-series.ts";
import { embeddedCrashStore, mongoCrashStore } from "./crash/crash-store.ts";
import { CrashTally } from "./crash/crash-tally.ts";
import { endWhenAsked } from "./testing/platform/own-children.ts";

/** `lastLifeMs`: looks at a device are five seconds apart and more, and there are a few per firmware update. */
const engines = {
  embedded: { makeStore: embeddedCrashStore, lifeFactor: 1, roundsPerStore: 50, lastLifeMs: 60_000, devices: 12, programs: 4 },
  // With more at once every answer takes seconds there, and nothing comes to an end.
  mongo: { makeStore: mongoCrashStore, lifeFactor: 6, roundsPerStore: 10, lastLifeMs: 300_000, devices: 6, programs: 2 },
};
type Engine = keyof typeof engines;

const settings = settingsOf(process.argv.slice(2));
endWhenAsked();
const directory = await mkdtemp(join(tmpdir(), "crash-run-"));
// Engines make their directories where temporary files go: all of it goes, or stays, together.
process.env["TMPDIR"] = directory;
let isKept = false;
process.on("exit", () => {
  if (!isKept) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const tally = new CrashTally();
const wrong = await crashSeries({ ...settings, directory, tally, onRound: say }).catch((error: unknown) => [
  `the run itself failed: ${error instanceof Error ? error.message : error}`,
]);
for (const line of wrong) say(`wrong: ${line}`);
isKept = wrong.length > 0;
if (isKept) say(`the data directory is kept: ${directory}`);
say(tally.describe());
say(`seed ${settings.seed}, ${settings.rounds} rounds: ${isKept ? `${wrong.length} faults` : "nothing acknowledged was lost"}`);
process.exit(isKept ? 1 : 0);

function settingsOf(args: readonly string[]) {
  try {
    const names = ["rounds", "seed", "devices", "programs", "rounds-per-store", "store"];
    const { values } = parseArgs({
      args: [...args],
      options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
    });
    const name = values["store"] ?? "embedded";
    if (!isEngine(name)) throw new Error(`--store takes embedded or mongo, got ${name}`);
    const engine = engines[name];
    const numberOf = (option: string, otherwise: number): number => {
      const text = String(values[option] ?? otherwise);
      if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${option} takes a whole number from 1, got ${text}`);
      return Number(text);
    };
    return {
      ...engine,
      rounds: numberOf("rounds", 50),
      seed: numberOf("seed", 1),
      devices: numberOf("devices", engine.devices),
      programs: numberOf("programs", engine.programs),
      roundsPerStore: numberOf("rounds-per-store", engine.roundsPerStore),
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(2);
  }
}

function isEngine(name: unknown): name is Engine {
  return typeof name === "string" && Object.hasOwn(engines, name);
}
