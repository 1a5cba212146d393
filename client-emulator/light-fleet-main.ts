/** `npm run fleet -- …`: light devices that register, make load, and end with a report. */
import { writeFileSync } from "node:fs";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { type FleetReport, reportLines } from "./fleet/fleet-report.ts";
import { type LightFleet, openLightFleet } from "./fleet/light-fleet.ts";
import { type LightFleetCommand, parseLightFleetCommand } from "./fleet/light-fleet-options.ts";
import { openFleetSocket } from "./platform/fleet-socket.ts";
import { preciseMs } from "./platform/precise-time.ts";
import { isLoopback, resolveHost } from "./platform/resolve-host.ts";

const usage = `A fleet of light LwM2M devices, each with a socket of its own: registration, load, report, end.

  npm run fleet -- --devices N --server coap://127.0.0.1:5683 [flags]

  --registrations-per-second N   at most so many begin (500)
  --updates-per-second N         of all devices together (0)
  --notifications-per-second N   confirmable, of what the server observes (0)
  --sends-per-second N           Sends of one value (0)
  --seconds S                    of the load, after the registrations (60)
  --queue-mode                   devices sleep and hear nothing, --awake S after their last message (93)
  --report FILE                  the report as JSON as well
  --prefix NAME                  endpoint names are NAME-0, NAME-1, … (fleet)
  --lifetime S                   of every registration (86400)
  --allow-remote                 the server may be on another machine

Devices stay registered at the end: they are gone as real ones are. Code 0: everything was acknowledged; 1: not, or it could not run.

  npm run fleet -- --complete --help      complete devices (written to, updated, over DTLS), some hundreds
`;

const registrationsAtOnce = 512;
const progressMs = 5_000;

await run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<void> {
  if (args.length === 0 || args.includes("--help")) {
    process.stdout.write(usage);
    return;
  }
  const parsed = parseLightFleetCommand(args);
  if (!parsed.ok) return fail(parsed.problem);
  const command = parsed.options;
  const address = await resolveHost(command.host);
  if (address === undefined) return fail(`no address for ${command.host}`);
  // A load generator pointed at somebody else's machine is an attack: that takes a word more.
  if (!command.allowRemote && !isLoopback(address)) return fail(`${address} is not this machine: --allow-remote if you mean it`);
  try {
    await runFleet(command, address);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

async function runFleet(command: LightFleetCommand, address: string): Promise<void> {
  const { devices, prefix, port, lifetimeSeconds, registrationsPerSecond, rates, seconds, awakeSeconds } = command;
  const fleet = await openLightFleet({
    ...{ devices, prefix, lifetimeSeconds, registrationsPerSecond, registrationsAtOnce, preciseMs },
    server: { address, port },
    awakeMs: awakeSeconds === undefined ? undefined : awakeSeconds * 1_000,
    ...{ clock: systemClock, random: systemRandom, openSocket: openFleetSocket },
    onBug: (error) => process.stderr.write(`fleet: bug: ${error instanceof Error ? error.stack : String(error)}\n`),
  });
  const ended = interruption(fleet);
  const progress = tellProgress(fleet);
  await fleet.register();
  if (!ended.interrupted && seconds > 0) await fleet.pace(rates, seconds * 1_000);
  progress.cancel();
  const report = fleet.report();
  for (const line of reportLines(report)) say(line);
  if (command.reportFile !== undefined) {
    writeFileSync(
      command.reportFile,
      `${JSON.stringify({ ...command, seconds, interrupted: ended.interrupted, ...report }, undefined, 2)}\n`,
    );
  }
  await fleet.close();
  process.exit(isFlawless(report) && !ended.interrupted ? 0 : 1);
}

/** The first Ctrl-C ends the load and reports; a second one ends at once. */
function interruption(fleet: LightFleet): { readonly interrupted: boolean } {
  const state = { interrupted: false };
  const stop = (): void => {
    if (state.interrupted) process.exit(1);
    state.interrupted = true;
    fleet.stop();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return state;
}

function tellProgress(fleet: LightFleet): { cancel(): void } {
  let timer = systemClock.after(progressMs, tell);
  function tell(): void {
    const { registered, devices, update, notification, send } = fleet.report();
    const done = `${update.acknowledged} updates, ${notification.acknowledged} notifications, ${send.acknowledged} Sends acknowledged`;
    say(`${registered} of ${devices} registered; ${done}`);
    timer = systemClock.after(progressMs, tell);
  }
  return { cancel: () => timer.cancel() };
}

function isFlawless({ devices, registered, update, notification, send }: FleetReport): boolean {
  return registered === devices && [update, notification, send].every(({ sent, acknowledged }) => sent === acknowledged);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(problem: string): void {
  process.stderr.write(`fleet: ${problem}\n`);
  process.exitCode = 1;
}
