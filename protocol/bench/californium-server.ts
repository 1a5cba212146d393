/** Californium's server as a peer of benchmarks. */
import { isJavaPeerReady, type JavaPeer, startJavaPeer } from "./java-server.ts";
import { freePort, type ServerUnderLoad } from "./server-under-load.ts";

const californium: JavaPeer = { name: "californium", title: "Californium's server" };

/** Says on stderr why it cannot be measured. */
export function isCaliforniumReady(bench: string): boolean {
  return isJavaPeerReady(californium, bench);
}

/** Serves GET /e with `bytes` bytes. */
export async function startCalifornium(bytes: number): Promise<ServerUnderLoad> {
  const port = await freePort();
  return startJavaPeer(californium, port, [String(port), String(bytes)]);
}
