/** The Leshan server as a peer of benchmarks. */
import { fileURLToPath } from "node:url";
import { isJavaPeerReady, type JavaPeer, startJavaPeer } from "@lwm2m/protocol/bench/java-server";
import { freePort, type ServerUnderLoad } from "@lwm2m/protocol/bench/server-under-load";

/** The sources lie where this file's own source lies; compiled, it is in `server/dist/bench`. */
const sources = fileURLToPath(new URL("../../bench/peers/", import.meta.url));
const leshan: JavaPeer = { name: "leshan-server", title: "the Leshan server", sources };

/** Says on stderr why it cannot be measured. */
export function isLeshanReady(bench: string): boolean {
  return isJavaPeerReady(leshan, bench);
}

export async function startLeshan(): Promise<ServerUnderLoad> {
  const port = await freePort();
  return startJavaPeer(leshan, port, [String(port)]);
}
