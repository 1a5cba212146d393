/** `npm start`: settings in, one line per mistake out; then the server until SIGINT or SIGTERM. */
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openApp } from "./app.ts";
import { type Log, openLog } from "./log.ts";
import { boundHeapGrowth } from "./platform/heap-growth.ts";
import { exitAfter } from "./platform/last-resort.ts";
import { parseSettings, type Settings } from "./settings/config.ts";
import { StartAbandoned, StartError } from "./start-error.ts";

/** Doors close within two seconds, the store right after; a process still there then has a bug. */
const shutdownLimitMs = 8_000;

boundHeapGrowth();
const parsed = parseSettings(process.env, process.argv.slice(2));
// Whoever read our output may go away before us.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});
switch (parsed.kind) {
  case "help":
    process.stdout.write(parsed.text);
    break;
  case "errors":
    process.stderr.write(parsed.errors.map((line) => `${line}\n`).join(""));
    process.exitCode = 1;
    break;
  case "settings":
    await run(parsed.settings);
    break;
}

async function run(settings: Settings): Promise<void> {
  const log = openLog({
    level: settings.logLevel,
    pretty: process.stdout.isTTY === true,
    sink: process.stdout,
    secrets: [settings.apiKey, passwordIn(settings.mongoUrl), passwordIn(settings.redisUrl)].filter((secret) => secret !== undefined),
  });
  process.on("uncaughtException", (error) => {
    // Everything acknowledged is on disk: to start again is safer than to go on in an unknown state.
    log.error("the server failed and stops", { error });
    process.exit(1);
  });
  const stopAsked = stopSignal(log);
  try {
    const app = await openApp({ settings, log, clock: systemClock, random: systemRandom, stopAsked });
    if (app.newKey !== undefined) process.stderr.write(firstStartNotice(app.newKey, settings.dataDir, app.httpOrigin));
    await stopAsked;
    exitAfter(shutdownLimitMs, 1, () => log.error("something did not close in time"));
    await app.close();
    log.info("stopped");
  } catch (error) {
    if (error instanceof StartAbandoned) {
      log.info("stopped");
      process.removeAllListeners("SIGINT").removeAllListeners("SIGTERM");
      return;
    }
    if (!(error instanceof StartError)) throw error;
    process.stderr.write(`cannot start: ${error.message}\n`);
    process.exitCode = 1;
    process.removeAllListeners("SIGINT").removeAllListeners("SIGTERM");
  }
}

/** Of `mongodb://user:password@host`. */
function passwordIn(url: string | undefined): string | undefined {
  return /\/\/[^/@:]*:([^/@]+)@/.exec(url ?? "")?.[1];
}

/** Resolves at the first signal; a second one ends the process at once. */
function stopSignal(log: Log): Promise<void> {
  return new Promise((resolve) => {
    let isAsked = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (isAsked) process.exit(1);
        isAsked = true;
        log.info("stopping", { signal });
        resolve();
      });
    }
  });
}

/** On stderr, so that stdout stays one JSON object per line. */
function firstStartNotice(key: string, dataDir: string, origin: string): string {
  return `
First start: an administrator key was made. It is shown this once and kept in ${dataDir}/admin-key.

  ${key}

  curl -H "Authorization: Bearer ${key}" ${origin}/api/v1/devices

`;
}
