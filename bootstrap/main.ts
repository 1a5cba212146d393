/** `npm run bootstrap -- --config FILE`: the bootstrap server as a process of its own. */
import { parseArgs } from "node:util";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { typeLookup } from "@lwm2m/object-registry/type-lookup";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { openBootstrapService, type SessionNotice } from "./bootstrap-service.ts";
import { openConfigFile } from "./config-file.ts";

const usage = `usage: npm run bootstrap -- --config FILE [--coap-host ADDRESS] [--bootstrap-coap-port PORT]

  --config FILE                 JSON: one configuration per endpoint name (bootstrap/README.md)
  --coap-host ADDRESS           default 0.0.0.0, or COAP_HOST
  --bootstrap-coap-port PORT    default 5783, or BOOTSTRAP_COAP_PORT; 0 takes a free port`;

/** Why the process cannot start: one line for a person. */
class StartError extends Error {}

interface Settings {
  readonly config: string;
  readonly host: string;
  readonly port: number;
}

async function run(settings: Settings): Promise<void> {
  const file = readConfigs(settings.config);
  const socket = await openUdpSocket({ address: settings.host, port: settings.port }).catch((error: unknown) => {
    throw new StartError(messageOf(error));
  });
  const onBug = (error: unknown): void => log("error", "fault", { detail: messageOf(error) });
  const endpoint = openCoapEndpoint({ socket, clock: systemClock, random: systemRandom, onBug });
  const typeOf = typeLookup(openCatalogue(), [], "1.1");
  const service = openBootstrapService({ endpoint, configs: file.configs, clock: systemClock, typeOf, onSession: logNotice });
  log("info", "listening", { door: "bootstrap-coap", ...endpoint.local, configurations: file.count });
  const signal = await nextSignal();
  log("info", "stopping", { signal });
  await service.close();
  await endpoint.close();
}

function readSettings(): Settings | undefined {
  const { COAP_HOST, BOOTSTRAP_COAP_PORT } = process.env;
  const options = {
    config: { type: "string" },
    "coap-host": { type: "string", default: COAP_HOST ?? "0.0.0.0" },
    "bootstrap-coap-port": { type: "string", default: BOOTSTRAP_COAP_PORT ?? "5783" },
    help: { type: "boolean", default: false },
  } as const;
  const { values } = parseArguments(options);
  if (values.help) return undefined;
  const port = values["bootstrap-coap-port"];
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new StartError(`BOOTSTRAP_COAP_PORT ${JSON.stringify(port)} is not a port, 0 to 65535`);
  if (values.config === undefined) throw new StartError("--config FILE is missing (--help tells more)");
  return { config: values.config, host: values["coap-host"], port: Number(port) };
}

function parseArguments<T extends NonNullable<Parameters<typeof parseArgs>[0]>["options"]>(options: T) {
  try {
    return parseArgs({ options });
  } catch (error) {
    throw new StartError(`${messageOf(error)} (--help tells more)`);
  }
}

function readConfigs(path: string) {
  let outcome: ReturnType<typeof openConfigFile>;
  try {
    outcome = openConfigFile(path);
  } catch (error) {
    throw new StartError(`${path}: ${messageOf(error)}`);
  }
  if (outcome.ok) return outcome;
  const [first, ...more] = outcome.faults;
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  throw new StartError(`${path}: ${first?.pointer === "" ? "" : `${first?.pointer}: `}${first?.message}${others}`);
}

function logNotice({ at, kind, ...fields }: SessionNotice): void {
  const level = kind === "failed" || kind === "refused" ? "warn" : "info";
  log(level, `bootstrap ${kind}`, fields, at);
}

function log(level: string, message: string, fields: object, at: number = systemClock.now()): void {
  console.log(JSON.stringify({ timestamp: formatInstant(at), level, message, ...fields }));
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  const settings = readSettings();
  if (settings === undefined) console.log(usage);
  else await run(settings);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message.replaceAll(/\s*\n\s*/g, " "));
  process.exitCode = 1;
}
