/** `npm run fleet -- …`: many emulated devices in one process, each with a socket of its own. */
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { recordKeyForm } from "@lwm2m/protocol/platform/record-key-form";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { usualSettings } from "./client-options.ts";
import { findCoapUri } from "./coap-uri.ts";
import { type FleetOptions, parseFleetOptions } from "./command-line.ts";
import { type Fleet, openFleet } from "./fleet.ts";
import { openClientSocket } from "./platform/client-socket.ts";
import { loadFleetSecret } from "./platform/credential-files.ts";
import { isLoopback, resolveHost } from "./platform/resolve-host.ts";
import { type DerivedPsk, derivePsk } from "./security/derived-psk.ts";
import { pskCredential, type SecurityCredential } from "./security/security-credential.ts";

const usage = `A fleet of emulated LwM2M devices.

  npm run fleet -- --devices N --server coap://127.0.0.1:5683 [flags]
  npm run fleet -- --devices N --server coaps://127.0.0.1:5684 --psk-secret-file FILE [flags]

  --prefix NAME       endpoint names are NAME-0, NAME-1, … (fleet)
  --lifetime SECONDS  of every registration (300)
  --ramp SECONDS      over which the devices start (a second for every 100)
  --seconds SECONDS   stops by itself after this long (runs until Ctrl-C)
  --allow-remote      the server may be on another machine

Over DTLS, with --server coaps://HOST[:PORT] and a secret in a file or in FLEET_PSK_SECRET; each device has the identity PREFIX followed by its
endpoint name, and as key the first 16 bytes of HMAC-SHA256(secret, identity)

  --psk-prefix PREFIX      of the identities (none: the endpoint name alone)
  --psk-secret-file FILE   the secret: at least 16 characters, a line end does not count
  --print-credentials      prints a line of JSON for each device, as POST /api/v1/credentials takes it, and starts none
  --cid [LENGTH]           connection ids: towards the server (0), and of so many bytes towards the devices
  --suites NAME,…          cipher suites to offer, preferred first
  --no-ems                 goes on with a server that has no extended master secret
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
  try {
    await runFleet(parsed.options);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

async function runFleet(options: FleetOptions): Promise<void> {
  const { devices, serverUri, prefix, lifetimeSeconds, rampSeconds, seconds, allowRemote, psk, dtls } = options;
  const secret = psk === undefined ? "" : loadFleetSecret(psk.secretFile, process.env["FLEET_PSK_SECRET"]);
  if (options.printsCredentials) return printCredentials(options, secret);
  const address = await resolveHost(findCoapUri(serverUri)?.host ?? "");
  if (address === undefined) return fail(`no address for ${serverUri}`);
  // A load generator pointed at somebody else's machine is an attack: that takes a word more.
  if (!allowRemote && !isLoopback(address)) return fail(`${address} is not this machine: --allow-remote if you mean it`);
  const fleet = openFleet({
    devices,
    serverUri,
    prefix,
    credentialOf: psk === undefined ? undefined : (name) => credentialFrom(derivePsk(secret, psk.prefix, name)),
    dtls,
    rampMs: rampSeconds * 1_000,
    settings: { ...usualSettings, lifetimeSeconds, sensorIntervalSeconds: 10 },
    registry: openCatalogue(),
    clock: systemClock,
    random: systemRandom,
    openSocket: openClientSocket,
    recordKeyForm,
    resolveHost,
    onBug: (error) => process.stderr.write(`fleet: bug: ${error instanceof Error ? error.stack : String(error)}\n`),
    onProblem: (problem) => process.stderr.write(`fleet: ${problem}\n`),
  });
  superviseFleet(fleet, seconds);
}

function credentialFrom({ identity, key }: DerivedPsk): SecurityCredential {
  return pskCredential(identity, key);
}

/** The one place where keys are shown: this is what was asked for, and nothing else goes to stdout. */
function printCredentials({ devices, prefix, psk }: FleetOptions, secret: string): void {
  for (let index = 0; index < devices; index += 1) {
    const endpoint = `${prefix}-${index}`;
    const { identity, key } = derivePsk(secret, psk?.prefix ?? "", endpoint);
    process.stdout.write(`${JSON.stringify({ endpoint, kind: "psk", identity, keyHex: Buffer.from(key).toString("hex") })}\n`);
  }
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
