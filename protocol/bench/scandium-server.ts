/** Scandium, and Californium on it, as a peer of benchmarks. */
import type { DtlsServing } from "./dtls-parties.ts";
import { isJavaPeerReady, type JavaPeer, startJavaPeer } from "./java-server.ts";
import { freePort, type ServerUnderLoad } from "./server-under-load.ts";

const scandium: JavaPeer = { name: "scandium", title: "Scandium's server" };
const withoutIds = -1;

/** Says on stderr why it cannot be measured. */
export function isScandiumReady(bench: string): boolean {
  return isJavaPeerReady(scandium, bench);
}

export async function startScandium(serving: DtlsServing): Promise<ServerUnderLoad> {
  const port = await freePort();
  const { mode, proof, folder, clients, idBytes = withoutIds } = serving;
  return startJavaPeer(scandium, port, [mode, proof, String(port), folder, String(clients), String(idBytes)]);
}
