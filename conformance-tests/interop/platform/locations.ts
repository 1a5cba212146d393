/** Where the programs under test and the peers lie. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Tests run from `conformance-tests/dist/interop/platform`. */
export const repositoryRoot = fileURLToPath(new URL("../../../../", import.meta.url));

export const serverMain = join(repositoryRoot, "server/dist/main.js");
export const deviceMain = join(repositoryRoot, "client-emulator/dist/device-main.js");
export const lightFleetMain = join(repositoryRoot, "client-emulator/dist/light-fleet-main.js");
export const bootstrapMain = join(repositoryRoot, "bootstrap/dist/main.js");

export type LeshanName = "leshan-1" | "leshan-2" | "leshan-server";

const peersDirectory = process.env["PEERS_DIR"] ?? join(repositoryRoot, ".peers");

export function leshanClassPath(name: LeshanName): string {
  return `${join(peersDirectory, name, "classes")}:${join(peersDirectory, name, "lib")}/*`;
}

/** A virtual environment with what `interop/peers/python/requirements.txt` pins. */
export const pythonDirectory = join(peersDirectory, "python");
export const pythonStamp = join(pythonDirectory, "stamp");
export const pythonSources = join(repositoryRoot, "conformance-tests/interop/peers/python");

/** Written when the peer is complete. */
export function leshanStamp(name: LeshanName): string {
  return join(peersDirectory, name, "stamp");
}

/** Of `interop/peers/dtls/install.sh`. */
export const mbedtlsProgram = (name: "ssl_client2" | "ssl_server2" | "udp_proxy"): string => join(peersDirectory, "mbedtls", name);
export const pionProgram = join(peersDirectory, "pion/pion-peer");
export const scandiumClassPath = `${join(peersDirectory, "scandium/classes")}:${join(peersDirectory, "scandium/lib")}/*`;
/** aiocoap over tinydtls, in a virtual environment. */
export const tinydtlsDirectory = join(peersDirectory, "tinydtls");
export const nodeDtlsClientEntry = join(peersDirectory, "node-dtls-client/node_modules/node-dtls-client/build/dtls.js");

export type DtlsPeerName = "mbedtls" | "pion" | "scandium" | "tinydtls" | "node-dtls-client";

export function dtlsStamp(name: DtlsPeerName): string {
  return join(peersDirectory, name, "stamp");
}

/** A directory of the test's own; remove it with `removeDirectory`. */
export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "lwm2m-interop-"));
}

export function removeDirectory(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5 });
}
