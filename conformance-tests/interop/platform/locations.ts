/** Where the programs under test and the peers lie, and whether a peer is here. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Tests run from `conformance-tests/dist/interop/platform`. */
export const repositoryRoot = fileURLToPath(new URL("../../../../", import.meta.url));

export const serverMain = join(repositoryRoot, "server/dist/main.js");
export const deviceMain = join(repositoryRoot, "client-emulator/dist/device-main.js");
export const bootstrapMain = join(repositoryRoot, "bootstrap/dist/main.js");

export type LeshanName = "leshan-1" | "leshan-2" | "leshan-server";

const peersDirectory = process.env["PEERS_DIR"] ?? join(repositoryRoot, ".peers");

export function leshanClassPath(name: LeshanName): string {
  return `${join(peersDirectory, name, "classes")}:${join(peersDirectory, name, "lib")}/*`;
}

/** With INTEROP=required a missing peer is a failure of its suite, not a skip. */
const interopRequired = process.env["INTEROP"] === "required";

export interface Skip {
  readonly skip: string | false;
}

export function needsLibcoap(): Skip {
  return needs("libcoap", onPath("coap-client-notls"));
}

export function needsLeshan(name: LeshanName): Skip {
  return needs(name, existsSync(join(peersDirectory, name, "stamp")) && onPath("java"));
}

/** A directory of the test's own; remove it with `removeDirectory`. */
export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "lwm2m-interop-"));
}

export function removeDirectory(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5 });
}

function needs(peer: string, installed: boolean): Skip {
  if (installed || interopRequired) return { skip: false };
  return { skip: `${peer} is not installed; conformance-tests/interop/peers/install.sh does it, INTEROP=required makes this a failure` };
}

function onPath(command: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", command], { stdio: "ignore" }).status === 0;
}
