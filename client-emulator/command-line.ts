/** The flags of `npm run device` and `npm run fleet`: parsed once, every mistake in one line. */
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { type ClientSettings, usualSettings } from "./client-options.ts";
import { findCoapUri } from "./coap-uri.ts";
import { FlagProblem, type Flags, flag, flagsOf, numberOf, type Parsed, parsing, text, textOf, uriOf } from "./flags.ts";
import type { DtlsClientSettings } from "./security/dtls-client-settings.ts";
import {
  connectionFlags,
  dtlsSettingsOf,
  type SecurityOptions,
  securityFlags,
  securityOptionsOf,
  withCidLength,
} from "./security/security-flags.ts";

export interface DeviceOptions {
  readonly endpointName: string;
  readonly serverUri: string | undefined;
  readonly bootstrapUri: string | undefined;
  readonly stateFile: string | undefined;
  readonly verbose: boolean;
  readonly settings: ClientSettings;
  readonly security: SecurityOptions;
}

export interface PackageOptions {
  readonly name: string;
  readonly version: string;
  readonly sizeBytes: number;
  readonly out: string;
}

export interface FleetOptions {
  readonly devices: number;
  readonly serverUri: string;
  readonly prefix: string;
  readonly lifetimeSeconds: number;
  readonly rampSeconds: number;
  readonly seconds: number | undefined;
  readonly allowRemote: boolean;
  /** Undefined: in the clear. */
  readonly psk: FleetPsk | undefined;
  /** Prints the credentials of the devices and starts none. */
  readonly printsCredentials: boolean;
  readonly dtls: DtlsClientSettings;
}

export interface FleetPsk {
  /** Before each endpoint name. */
  readonly prefix: string;
  /** Undefined: from the environment. */
  readonly secretFile: string | undefined;
}

const formats: ReadonlyMap<string, number> = new Map([
  ["tlv", ContentFormat.tlv],
  ["senml-json", ContentFormat.senmlJson],
  ["senml-cbor", ContentFormat.senmlCbor],
]);

const deviceFlags = {
  server: text,
  endpoint: text,
  lifetime: text,
  binding: text,
  queue: flag,
  awake: text,
  sleep: text,
  version: text,
  bootstrap: text,
  "firmware-version": text,
  flash: text,
  state: text,
  format: text,
  sensors: text,
  interval: text,
  "send-interval": text,
  "confirm-every": text,
  "fail-update": text,
  "fail-download": text,
  verbose: flag,
  ...securityFlags,
} as const;

export function parseDeviceOptions(args: readonly string[]): Parsed<DeviceOptions> {
  return parsing(() => {
    const flags = flagsOf(withCidLength(args), deviceFlags);
    const endpointName = textOf(flags, "endpoint");
    if (endpointName === undefined) throw new FlagProblem("--endpoint NAME is missing");
    const serverUri = uriOf(flags, "server");
    const bootstrapUri = uriOf(flags, "bootstrap");
    if (serverUri === undefined && bootstrapUri === undefined) throw new FlagProblem("--server URI or --bootstrap URI is missing");
    const settings = settingsOf(flags);
    const newer =
      settings.lwm2mVersion === "1.0" ? ["sni", "cert-usage", "matching-type"].find((name) => flags[name] !== undefined) : undefined;
    if (newer !== undefined) throw new FlagProblem(`--${newer} needs LwM2M 1.1: object 0 of 1.0 has no place for it`);
    return {
      endpointName,
      serverUri,
      bootstrapUri,
      stateFile: textOf(flags, "state"),
      verbose: flags["verbose"] === true,
      settings,
      security: securityOptionsOf(flags, { server: serverUri, bootstrap: bootstrapUri }),
    };
  });
}

export function parsePackageOptions(args: readonly string[]): Parsed<PackageOptions> {
  return parsing(() => {
    const flags = flagsOf(args, { name: text, version: text, size: text, out: text });
    const [name, version, out] = [textOf(flags, "name"), textOf(flags, "version"), textOf(flags, "out")];
    if (name === undefined || version === undefined || out === undefined) throw new FlagProblem("--name, --version and --out are needed");
    return { name, version, out, sizeBytes: numberOf(flags, "size", 0, 1_073_741_824) ?? 102_400 };
  });
}

const fleetFlags = {
  devices: text,
  server: text,
  prefix: text,
  lifetime: text,
  ramp: text,
  seconds: text,
  "allow-remote": flag,
  "psk-prefix": text,
  "psk-secret-file": text,
  "print-credentials": flag,
  ...connectionFlags,
} as const;

export function parseFleetOptions(args: readonly string[]): Parsed<FleetOptions> {
  return parsing(() => {
    const flags = flagsOf(withCidLength(args), fleetFlags);
    const serverUri = uriOf(flags, "server");
    const devices = numberOf(flags, "devices", 1, 50_000);
    if (serverUri === undefined || devices === undefined) throw new FlagProblem("--devices N and --server URI are needed");
    const secure = findCoapUri(serverUri)?.secure === true;
    const stray = secure ? undefined : [...secureFleetFlags, ...Object.keys(connectionFlags)].find((name) => flags[name] !== undefined);
    if (stray !== undefined) throw new FlagProblem(`--${stray} is for a coaps URI`);
    return {
      devices,
      serverUri,
      prefix: textOf(flags, "prefix") ?? "fleet",
      lifetimeSeconds: numberOf(flags, "lifetime", 1, 4_294_967_295) ?? usualSettings.lifetimeSeconds,
      rampSeconds: numberOf(flags, "ramp", 0, 86_400) ?? Math.ceil(devices / 100),
      seconds: numberOf(flags, "seconds", 1, 31_536_000),
      allowRemote: flags["allow-remote"] === true,
      // An empty prefix is one: the identity is the endpoint name.
      psk: secure ? { prefix: String(flags["psk-prefix"] ?? ""), secretFile: textOf(flags, "psk-secret-file") } : undefined,
      printsCredentials: flags["print-credentials"] === true,
      dtls: dtlsSettingsOf(flags),
    };
  });
}

const secureFleetFlags = ["psk-prefix", "psk-secret-file", "print-credentials"] as const;

function settingsOf(flags: Flags): ClientSettings {
  const version = textOf(flags, "version") ?? usualSettings.lwm2mVersion;
  if (version !== "1.0" && version !== "1.1") throw new FlagProblem(`--version is 1.0 or 1.1, got ${version}`);
  const formatName = textOf(flags, "format") ?? (version === "1.0" ? "tlv" : "senml-cbor");
  const preferredFormat = formats.get(formatName);
  if (preferredFormat === undefined) throw new FlagProblem(`--format is one of ${[...formats.keys()].join(", ")}, got ${formatName}`);
  if (version === "1.0" && formatName !== "tlv") throw new FlagProblem("LwM2M 1.0 knows no SenML: --format tlv");
  const binding = textOf(flags, "binding") ?? usualSettings.binding;
  if (!/^[A-Z]{1,6}$/.test(binding)) throw new FlagProblem(`--binding is a set of letters such as U, got ${binding}`);
  const sendIntervalSeconds = numberOf(flags, "send-interval", 0, 31_536_000) ?? usualSettings.sendIntervalSeconds;
  if (version === "1.0" && sendIntervalSeconds > 0) throw new FlagProblem("--send-interval needs LwM2M 1.1");
  return {
    ...usualSettings,
    sendIntervalSeconds,
    lwm2mVersion: version,
    preferredFormat,
    binding,
    queueMode: flags["queue"] === true,
    lifetimeSeconds: numberOf(flags, "lifetime", 0, 4_294_967_295) ?? usualSettings.lifetimeSeconds,
    awakeSeconds: numberOf(flags, "awake", 1, 86_400) ?? usualSettings.awakeSeconds,
    sleepSeconds: numberOf(flags, "sleep", 1, 31_536_000),
    firmwareVersion: textOf(flags, "firmware-version") ?? usualSettings.firmwareVersion,
    sensors: numberOf(flags, "sensors", 0, 1_000) ?? usualSettings.sensors,
    sensorIntervalSeconds: numberOf(flags, "interval", 0, 86_400) ?? usualSettings.sensorIntervalSeconds,
    confirmEvery: numberOf(flags, "confirm-every", 1, 1_000_000) ?? usualSettings.confirmEvery,
    firmware: {
      flashBytes: numberOf(flags, "flash", 1, 1_073_741_824) ?? usualSettings.firmware.flashBytes,
      failUpdate: numberOf(flags, "fail-update", 2, 11),
      failDownload: numberOf(flags, "fail-download", 2, 11),
    },
  };
}
