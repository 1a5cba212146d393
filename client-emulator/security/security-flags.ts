/** The flags that say how a device secures its connections. Nothing is read from files here, and no key ever stands in a problem. */
import { everySuite } from "@lwm2m/protocol/dtls/crypto/suites";
import { findCoapUri } from "../coap-uri.ts";
import { FlagProblem, type Flags, flag, numberOf, text, textOf } from "../flags.ts";
import { type DtlsClientSettings, usualDtls } from "./dtls-client-settings.ts";

/** Where a credential comes from; files are read by `platform/credential-files.ts`. */
export type CredentialSource = { readonly serverName: string | undefined } & (
  | { readonly kind: "psk"; readonly identity: string; readonly key: Uint8Array }
  | { readonly kind: "psk-file"; readonly identity: string; readonly keyFile: string }
  | { readonly kind: "rpk"; readonly keyFile: string; readonly serverKeyFile: string }
  | {
      readonly kind: "certificate";
      readonly chainFile: string;
      readonly keyFile: string;
      readonly serverCertificateFile: string;
      readonly certificateUsage: number | undefined;
      readonly matchingType: number;
      readonly anchorFile: string | undefined;
    }
);

export interface SecurityOptions {
  readonly credential: CredentialSource | undefined;
  readonly dtls: DtlsClientSettings;
}

/** How connections are made, whatever the credential. */
export const connectionFlags = { cid: text, suites: text, "no-ems": flag } as const;

export const securityFlags = {
  psk: text,
  "psk-key-file": text,
  rpk: text,
  "server-key": text,
  cert: text,
  key: text,
  "server-cert": text,
  "cert-usage": text,
  "matching-type": text,
  ca: text,
  sni: text,
  ...connectionFlags,
} as const;

/** Which flag each of the others goes with. */
const companions: readonly (readonly [main: string, others: readonly string[]])[] = [
  ["psk", ["psk-key-file"]],
  ["rpk", ["server-key"]],
  ["cert", ["key", "server-cert", "cert-usage", "matching-type", "ca"]],
];
const mostConnectionIdBytes = 20;
const mostKeyBytes = 64;

/** `--cid` alone asks for an id towards the server only, which is what a NAT in between calls for. */
export function withCidLength(args: readonly string[]): readonly string[] {
  return args.flatMap((arg, index) => (arg === "--cid" && !/^\d+$/.test(args[index + 1] ?? "") ? [arg, "0"] : [arg]));
}

/** `uris`: whom the device talks to. */
export function securityOptionsOf(
  flags: Flags,
  uris: { readonly server?: string | undefined; readonly bootstrap?: string | undefined },
): SecurityOptions {
  const secure = [uris.server, uris.bootstrap].some((uri) => uri !== undefined && findCoapUri(uri)?.secure === true);
  const credential = credentialOf(flags);
  if (secure && credential === undefined) throw new FlagProblem("a coaps URI needs a credential: --psk, --rpk or --cert");
  if (!secure && credential !== undefined) throw new FlagProblem(`--${mainFlagOf(flags)} is for a coaps URI`);
  // What a bootstrap server writes may be secured even where it is not itself.
  const stray = Object.keys(connectionFlags).find((name) => flags[name] !== undefined);
  if (!secure && uris.bootstrap === undefined && stray !== undefined) throw new FlagProblem(`--${stray} is for a coaps URI`);
  return { credential, dtls: dtlsSettingsOf(flags) };
}

function credentialOf(flags: Flags): CredentialSource | undefined {
  const main = mainFlagOf(flags);
  for (const [needed, others] of companions) {
    const stray = needed === main ? undefined : others.find((name) => flags[name] !== undefined);
    if (stray !== undefined) throw new FlagProblem(`--${stray} goes with --${needed}`);
  }
  const serverName = textOf(flags, "sni");
  if (serverName !== undefined && main === undefined) throw new FlagProblem("--sni goes with --psk, --rpk or --cert");
  switch (main) {
    case undefined:
      return undefined;
    case "psk":
      return { serverName, ...pskOf(flags) };
    case "rpk":
      return { serverName, kind: "rpk", keyFile: fileOf(flags, "rpk", "rpk"), serverKeyFile: fileOf(flags, "server-key", "rpk") };
    case "cert":
      return { serverName, ...certificateOf(flags) };
    default:
      throw new Error(`no credential is called ${main}`);
  }
}

function mainFlagOf(flags: Flags): string | undefined {
  const given = companions.map(([main]) => main).filter((name) => flags[name] !== undefined);
  if (given.length > 1) throw new FlagProblem(`one of --psk, --rpk and --cert, got ${given.map((name) => `--${name}`).join(" and ")}`);
  return given[0];
}

/** The identity may have colons of its own: the last one parts it from the key. */
function pskOf(flags: Flags) {
  const given = textOf(flags, "psk") ?? "";
  const keyFile = textOf(flags, "psk-key-file");
  if (keyFile !== undefined) return { kind: "psk-file", identity: given, keyFile } as const;
  const colon = given.lastIndexOf(":");
  const key = colon < 1 ? undefined : findPskKey(given.slice(colon + 1));
  if (key === undefined)
    throw new FlagProblem(`--psk is IDENTITY:HEX with a key of 1 to ${mostKeyBytes} bytes, or IDENTITY with --psk-key-file`);
  return { kind: "psk", identity: given.slice(0, colon), key } as const;
}

/** Undefined for what is no key in hexadecimal. */
export function findPskKey(hex: string): Uint8Array | undefined {
  if (!/^([0-9a-f]{2})+$/i.test(hex) || hex.length > 2 * mostKeyBytes) return undefined;
  return new Uint8Array(Buffer.from(hex, "hex"));
}

function certificateOf(flags: Flags) {
  const certificateUsage = numberOf(flags, "cert-usage", 0, 3);
  const anchorFile = textOf(flags, "ca");
  const needsAnchor = certificateUsage === 0 || certificateUsage === 1;
  if (needsAnchor && anchorFile === undefined) throw new FlagProblem(`--cert-usage ${certificateUsage} needs --ca FILE`);
  if (!needsAnchor && anchorFile !== undefined) throw new FlagProblem("--ca goes with --cert-usage 0 or 1");
  return {
    kind: "certificate",
    chainFile: fileOf(flags, "cert", "cert"),
    keyFile: fileOf(flags, "key", "cert"),
    serverCertificateFile: fileOf(flags, "server-cert", "cert"),
    certificateUsage,
    matchingType: numberOf(flags, "matching-type", 0, 3) ?? 0,
    anchorFile,
  } as const;
}

function fileOf(flags: Flags, name: string, main: string): string {
  const file = textOf(flags, name);
  if (file === undefined) throw new FlagProblem(`--${main} needs --${name} FILE`);
  return file;
}

export function dtlsSettingsOf(flags: Flags): DtlsClientSettings {
  return {
    cipherSuites: suitesOf(textOf(flags, "suites")) ?? usualDtls.cipherSuites,
    connectionIdBytes: numberOf(flags, "cid", 0, mostConnectionIdBytes),
    requireExtendedMasterSecret: flags["no-ems"] !== true,
  };
}

function suitesOf(list: string | undefined): readonly number[] | undefined {
  return list?.split(",").map((name) => {
    const wanted = name.trim().toUpperCase().replace(/^TLS_/, "");
    const found = everySuite().find(
      (suite) => suite.name === wanted || `0X${suite.id.toString(16).toUpperCase().padStart(4, "0")}` === wanted,
    );
    if (found === undefined)
      throw new FlagProblem(
        `--suites: ${name} is none of ${everySuite()
          .map((suite) => suite.name)
          .join(", ")}`,
      );
    return found.id;
  });
}
