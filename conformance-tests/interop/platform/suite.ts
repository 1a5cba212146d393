/** Suites that need a peer: skipped by name where it is not installed, failed where INTEROP=required says it has to be. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { type DtlsPeerName, dtlsStamp, type LeshanName, leshanStamp, pythonStamp } from "./locations.ts";

/** `python`: aiocoap and cbor2. */
export type PeerName =
  | "libcoap"
  | "python"
  | LeshanName
  | DtlsPeerName
  | "openssl"
  | "gnutls"
  | "libcoap-openssl"
  | "libcoap-gnutls"
  | "tshark";

const installer = "conformance-tests/interop/peers/install.sh";

/** A suite that does not run counts as one test, so that the closing line of a run tells of it. `concurrency`: how many of its tests run at once. */
export function interopSuite(name: string, peers: readonly PeerName[], body: () => void, concurrency = 1): void {
  const missing = peers.filter((peer) => !isInstalled(peer));
  if (missing.length === 0) {
    describe(name, { concurrency }, body);
    return;
  }
  const what = `not installed: ${missing.join(", ")} (${installer} does it)`;
  if (process.env["INTEROP"] === "required") {
    test(name, () => {
      throw new Error(`INTEROP=required, but ${what}`);
    });
    return;
  }
  test(name, { skip: `${what}; INTEROP=required makes this a failure` }, () => undefined);
}

function isInstalled(peer: PeerName): boolean {
  switch (peer) {
    case "libcoap":
      return onPath("coap-client-notls");
    case "python":
      return existsSync(pythonStamp);
    case "openssl":
    case "tshark":
      return onPath(peer);
    case "gnutls":
      return onPath("gnutls-cli") && onPath("gnutls-serv");
    case "libcoap-openssl":
      return onPath("coap-client-openssl");
    case "libcoap-gnutls":
      return onPath("coap-client-gnutls");
    case "mbedtls":
    case "pion":
    case "tinydtls":
    case "node-dtls-client":
      return existsSync(dtlsStamp(peer));
    case "scandium":
      return existsSync(dtlsStamp(peer)) && onPath("java");
    default:
      return existsSync(leshanStamp(peer)) && onPath("java");
  }
}

function onPath(command: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", command], { stdio: "ignore" }).status === 0;
}
