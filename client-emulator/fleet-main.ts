/** `npm run fleet -- …`: many emulated devices in one process, each with a socket of its own. */
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { usualSettings } from "./client-options.ts";
import { findCoapUri } from "./coap-uri.ts";
import { parseFleetOptions } from "./command-line.ts";
import { type Fleet, openFleet } from "./fleet.ts";
import { openClientSocket } from "./platform/client-socket.ts";
import { isLoopback, resolveHost } from "./platform/resolve-host.ts";

const usage = `A fleet of emulated LwM2M devices.

  npm run fleet -- --devices N --server coap://127.0.0.1:5683 [flags]

  --prefix NAME       endpoint names are NAME-0, NAME-1, … (fleet)
  --lifetime SECONDS  of every registration (300)
  --ramp SECONDS      over which the devices start (a second for every 100)
  --seconds SECONDS   stops by itself after this long (runs until Ctrl-C)
  --allow-remote      the server may be on another machine
`;

const reportEveryMs = 5_000;

await run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<void> {
  if (args.length === 0 || args.includes("--help")) {
    process.stdout.write(usage);
    return;
  }
  const parsed = parseFleetOptions(args);
  if (!parsed.ok) return fail(parsed.problem);
  const { devices, serverUri, prefix, lifetimeSeconds, rampSeconds, seconds, allowRemote } = parsed.options;
  const address = await resolveHost(findCoapUri(serverUri)?.host ?? "");
  if (address === undefined) return fail(`no address for ${serverUri}`);
  // A load generator pointed at somebody else's machine is an attack: that takes a word more.
  if (!allowRemote && !isLoopback(address)) return fail(`${address} is not this machine: --allow-remote if you mean it`);
  const fleet = openFleet({
    devices,
    serverUri,
    prefix,
    rampMs: rampSeconds * 1_000,
    settings: { ...usualSettings, lifetimeSeconds, sensorIntervalSeconds: 10 },
    registry: openCatalogue(),
    clock: systemClock,
    random: systemRandom,
    openSocket: openClientSocket,
    resolveHost,
    onBug: (error) => process.stderr.write(`fleet: bug: ${error instanceof Error ? error.stack : String(error)}\n`),
    onProblem: (problem) => process.stderr.write(`fleet: ${problem}\n`),
  });
  superviseFleet(fleet, seconds);
}

function superviseFleet(fleet: Fleet, seconds: number | undefined): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    say(fleet.report());
    void fleet.close().then(() => {
      say(`end: ${fleet.report()}`);
      process.exit(0);
    });
  };
  const reportLater = (): void => {
    systemClock.after(reportEveryMs, () => {
      if (stopping) return;
      say(fleet.report());
      reportLater();
    });
  };
  reportLater();
  if (seconds !== undefined) systemClock.after(seconds * 1_000, stop);
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function say(message: string): void {
  process.stdout.write(`${formatInstant(systemClock.now())} ${message}\n`);
}

function fail(problem: string): void {
  process.stderr.write(`fleet: ${problem}\n`);
  process.exitCode = 1;
}
