/** `npm run device -- …`: one emulated device on a real socket; `make-package` writes a firmware package for it. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { recordKeyForm } from "@lwm2m/protocol/platform/record-key-form";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { findCoapUri } from "./coap-uri.ts";
import { type DeviceOptions, parseDeviceOptions, parsePackageOptions } from "./command-line.ts";
import { makePackage } from "./firmware/package-format.ts";
import { type Lwm2mClient, openLwm2mClient } from "./lwm2m-client.ts";
import { openClientSocket } from "./platform/client-socket.ts";
import { loadCredential } from "./platform/credential-files.ts";
import { resolveHost } from "./platform/resolve-host.ts";
import { loadState, saveState } from "./platform/state-file.ts";
import { CredentialShelf } from "./security/credential-shelf.ts";
import { noSecurity, type SecurityCredential } from "./security/security-credential.ts";

const usage = `An emulated LwM2M device.

  npm run device -- --server coap://127.0.0.1:5683 --endpoint NAME [flags]
  npm run device -- --server coaps://127.0.0.1:5684 --endpoint NAME --psk IDENTITY:HEX [flags]
  npm run device -- --bootstrap coap://127.0.0.1:5783 --endpoint NAME [flags]
  npm run device -- make-package --name NAME --version VERSION --out FILE [--size BYTES]

  --version 1.0|1.1         LwM2M release to speak (1.1)
  --lifetime SECONDS        of the registration (300)
  --binding U               binding to register with (U)
  --queue                   queue mode: sleeps when there is nothing to say
  --awake SECONDS           listens this long after its last message (93)
  --sleep SECONDS           wakes for an Update this often (as the lifetime asks)
  --format FORMAT           tlv, senml-json or senml-cbor, where the server leaves the choice (senml-cbor; 1.0: tlv)
  --sensors N               instances of object 3303 at the start (1)
  --interval SECONDS        between two values of a sensor, 0: they stand still (5)
  --send-interval SECONDS   between two Sends of all temperatures (0: none)
  --confirm-every N         every N-th notification is confirmable (10)
  --firmware-version V      version it starts with (1.0.0)
  --flash BYTES             largest firmware package it can hold (4194304)
  --fail-download RESULT    ends every download with this update result (2 to 11)
  --fail-update RESULT      ends every update with this update result (2 to 11)
  --state FILE              keeps the firmware version, and what a bootstrap server wrote, over restarts
  --verbose                 says every request it serves

Over DTLS, to a URI of coaps://HOST[:PORT] (5684), with one of

  --psk IDENTITY:HEX        identity and key; the last colon parts them
  --psk IDENTITY --psk-key-file FILE
                            the same with the key, in hexadecimal, from a file, which ps does not show
  --rpk FILE --server-key FILE
                            raw public keys: own private key, the server's public key (PEM or DER)
  --cert FILE --key FILE --server-cert FILE
                            own certificate (with its intermediates), its private key, the server's certificate or authority
  --cert-usage 0|1|2|3      what --server-cert is: an authority on the path, the certificate of a path, the trust anchor, the
                            certificate and that is all (3); 0 and 1 need --ca FILE with the anchors
  --matching-type 0|1|2|3   keeps of --server-cert all (0), or its SHA-256, SHA-384, SHA-512
  --sni NAME                server name to ask for
  --cid [LENGTH]            connection ids: towards the server (0), and of so many bytes towards the device
  --suites NAME,…           cipher suites to offer, preferred first
  --no-ems                  goes on with a server that has no extended master secret
`;

const [command, ...rest] = process.argv.slice(2);
if (command === undefined || command === "--help" || rest.includes("--help")) process.stdout.write(usage);
else if (command === "make-package") writePackage(rest);
else await runDevice(process.argv.slice(2));

function writePackage(args: readonly string[]): void {
  const parsed = parsePackageOptions(args);
  if (!parsed.ok) {
    fail(parsed.problem);
    return;
  }
  const { name, version, sizeBytes, out } = parsed.options;
  try {
    writeFileSync(out, makePackage(name, version, randomBytes(sizeBytes)));
    process.stdout.write(`${out}: ${name} ${version}, ${sizeBytes} bytes of content\n`);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

async function runDevice(args: readonly string[]): Promise<void> {
  const parsed = parseDeviceOptions(args);
  if (!parsed.ok) return fail(parsed.problem);
  try {
    const client = await open(parsed.options);
    stopOnSignal(client);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

function open(options: DeviceOptions): Promise<Lwm2mClient> {
  const { endpointName, serverUri, bootstrapUri, stateFile, settings, security } = options;
  const accounts = accountsFor(options);
  say(`${endpointName} starts, LwM2M ${settings.lwm2mVersion}, ${serverUri ?? `bootstrap ${bootstrapUri}`}`);
  return openLwm2mClient({
    endpointName,
    serverUri,
    bootstrapUri,
    ...accounts,
    dtls: security.dtls,
    settings,
    registry: openCatalogue(),
    clock: systemClock,
    random: systemRandom,
    openSocket: openClientSocket,
    recordKeyForm,
    resolveHost,
    stored: stateFile === undefined ? undefined : loadState(stateFile),
    store: (state) => {
      if (stateFile !== undefined) saveState(stateFile, state);
    },
    onBug: (error) => process.stderr.write(`device: bug: ${error instanceof Error ? error.stack : String(error)}\n`),
    log: (message, level) => {
      if (level === "event" || options.verbose) say(message);
    },
  });
}

/** The credential goes to whichever server is secured. Throws when it is none. */
function accountsFor({ serverUri, bootstrapUri, security }: DeviceOptions) {
  const { credential, trustAnchors } =
    security.credential === undefined ? { credential: noSecurity, trustAnchors: [] } : loadCredential(security.credential);
  const shelf = new CredentialShelf({ anchors: trustAnchors, cipherSuites: security.dtls.cipherSuites, now: () => systemClock.now() });
  const secured = (uri: string | undefined): SecurityCredential => {
    if (uri === undefined || findCoapUri(uri)?.secure !== true) return noSecurity;
    const problem = shelf.problemOf({ uri, credential });
    if (problem !== undefined) throw new Error(problem);
    return credential;
  };
  return { serverCredential: secured(serverUri), bootstrapCredential: secured(bootstrapUri), trustAnchors };
}

/** The first signal de-registers, the second does not wait for the answer. */
function stopOnSignal(client: Lwm2mClient): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    say("stopping");
    void client.close().then(() => process.exit(0));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function say(message: string): void {
  process.stdout.write(`${formatInstant(systemClock.now())} ${message}\n`);
}

function fail(problem: string): void {
  process.stderr.write(`device: ${problem}\n`);
  process.exitCode = 1;
}
