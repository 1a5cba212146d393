/** The flags of `npm run fleet` for light devices; every mistake in one line. */
import { findCoapUri } from "../coap-uri.ts";
import { FlagProblem, flag, flagsOf, numberOf, type Parsed, parsing, text, textOf, uriOf } from "../flags.ts";
import type { Rates } from "./fleet-load.ts";
import { mostDevices } from "./joined-sockets.ts";

export interface LightFleetCommand {
  readonly devices: number;
  readonly host: string;
  readonly port: number;
  readonly prefix: string;
  readonly lifetimeSeconds: number;
  readonly registrationsPerSecond: number;
  readonly rates: Rates;
  readonly seconds: number;
  /** Undefined: always awake. */
  readonly awakeSeconds: number | undefined;
  readonly reportFile: string | undefined;
  readonly allowRemote: boolean;
}

const flags = {
  devices: text,
  server: text,
  prefix: text,
  lifetime: text,
  "registrations-per-second": text,
  "updates-per-second": text,
  "notifications-per-second": text,
  "sends-per-second": text,
  seconds: text,
  "queue-mode": flag,
  awake: text,
  report: text,
  "allow-remote": flag,
} as const;

const usual = { lifetimeSeconds: 86_400, registrationsPerSecond: 500, seconds: 60, awakeSeconds: 93, prefix: "fleet" } as const;
const mostPerSecond = 100_000;
const mostSeconds = 86_400;

export function parseLightFleetCommand(args: readonly string[]): Parsed<LightFleetCommand> {
  return parsing(() => {
    const given = flagsOf(args, flags);
    const serverUri = uriOf(given, "server");
    const devices = numberOf(given, "devices", 1, mostDevices);
    if (serverUri === undefined || devices === undefined) throw new FlagProblem("--devices N and --server URI are needed");
    const uri = findCoapUri(serverUri);
    if (uri === undefined || uri.secure) throw new FlagProblem("light devices speak plain CoAP: --complete for a coaps URI");
    const queueMode = given["queue-mode"] === true;
    const awake = numberOf(given, "awake", 1, mostSeconds);
    if (awake !== undefined && !queueMode) throw new FlagProblem("--awake is for --queue-mode");
    const rate = (name: string): number => numberOf(given, name, 0, mostPerSecond) ?? 0;
    return {
      devices,
      host: uri.host,
      port: uri.port,
      prefix: textOf(given, "prefix") ?? usual.prefix,
      lifetimeSeconds: numberOf(given, "lifetime", 1, 4_294_967_295) ?? usual.lifetimeSeconds,
      registrationsPerSecond: numberOf(given, "registrations-per-second", 1, mostPerSecond) ?? usual.registrationsPerSecond,
      rates: {
        updatesPerSecond: rate("updates-per-second"),
        notificationsPerSecond: rate("notifications-per-second"),
        sendsPerSecond: rate("sends-per-second"),
      },
      seconds: numberOf(given, "seconds", 0, mostSeconds) ?? usual.seconds,
      awakeSeconds: queueMode ? (awake ?? usual.awakeSeconds) : undefined,
      reportFile: textOf(given, "report"),
      allowRemote: given["allow-remote"] === true,
    };
  });
}
