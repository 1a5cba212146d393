/** Suites that need a peer: skipped by name where it is not installed, failed where INTEROP=required says it has to be. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { type LeshanName, leshanStamp } from "./locations.ts";

export type PeerName = "libcoap" | LeshanName;

const installer = "conformance-tests/interop/peers/install.sh";

/** A suite that does not run counts as one test, so that the closing line of a run tells of it. */
export function interopSuite(name: string, peers: readonly PeerName[], body: () => void): void {
  const missing = peers.filter((peer) => !isInstalled(peer));
  if (missing.length === 0) {
    describe(name, body);
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
  return peer === "libcoap" ? onPath("coap-client-notls") : existsSync(leshanStamp(peer)) && onPath("java");
}

function onPath(command: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", command], { stdio: "ignore" }).status === 0;
}
