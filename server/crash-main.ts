/** `npm run crash -- [--rounds N] [--seed S] [--devices N] [--programs N] [--store embedded|mongo]`: pulls the plug on a server under load; code 1 when something acknowledged is lost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { crashRun } from "./crash/crash-run.ts";
import { embeddedCrashStore, mongoCrashStore } from "./crash/crash-store.ts";

const numbers = { rounds: 50, seed: 1, devices: 12, programs: 4 };
const engines = { embedded: { make: embeddedCrashStore, lifeFactor: 1 }, mongo: { make: mongoCrashStore, lifeFactor: 4 } };
let chosen: (typeof engines)[keyof typeof engines] = engines.embedded;
const names = Object.keys(numbers) as (keyof typeof numbers)[];

try {
  const { values } = parseArgs({ options: Object.fromEntries([...names, "store"].map((name) => [name, { type: "string" as const }])) });
  const engine = values["store"] ?? "embedded";
  if (engine !== "embedded" && engine !== "mongo") throw new Error(`--store takes embedded or mongo, got ${engine}`);
  chosen = engines[engine];
  for (const name of names) {
    const text = values[name] ?? String(numbers[name]);
    if (!/^[1-9]\d{0,8}$/.test(String(text))) throw new Error(`--${name} takes a whole number from 1, got ${text}`);
    numbers[name] = Number(text);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(2);
}

/** Looks at a device are five seconds apart, and there are a few per firmware update. */
const lastLifeMs = 60_000;
const directory = await mkdtemp(join(tmpdir(), "crash-run-"));
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const store = await chosen.make(directory);
const wrong = await crashRun({ ...numbers, directory, store, lastLifeMs, lifeFactor: chosen.lifeFactor, onRound: say });
await store.dispose();
for (const line of wrong) say(`wrong: ${line}`);
if (wrong.length === 0) await rm(directory, { recursive: true });
else say(`the data directory is kept: ${directory}`);
say(`seed ${numbers.seed}, ${numbers.rounds} rounds: ${wrong.length === 0 ? "nothing acknowledged was lost" : `${wrong.length} faults`}`);
process.exit(wrong.length === 0 ? 0 : 1);
