/**
 * CON GET answered with 64 B, deduplication on: CPU time of the server process per request, ours against npm `coap` and libcoap's
 * example server (which stores no answers for duplicates).
 */
import type { BenchOptions, Figure } from "./figure.ts";
import { cpuMicrosecondsOf, isLibcoapInstalled, startLibcoap } from "./libcoap-server.ts";
import { type Contest, compareServers, freePort, type ServerUnderLoad, startServer } from "./server-load.ts";

const answerBytes = 64;
/** CON GET /e. */
const request = Buffer.from("480100000000000000000000b165", "hex");
const content = 0x45;
const serverFile = new URL("./coap-get-server.js", import.meta.url);

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  const ours = await startServer(serverFile, "ours");
  const theirs: Contest["theirs"][number][] = [["npm-coap", await startServer(serverFile, "npm-coap")]];
  if (isLibcoapInstalled("coap-get")) theirs.push(["libcoap", await startTheirs()]);
  return compareServers({ bench: "coap-get", ours, theirs, request, code: content, seconds });
}

async function startTheirs(): Promise<ServerUnderLoad> {
  const port = await freePort();
  const child = await startLibcoap(port, new Uint8Array(answerBytes).fill(0x61));
  return { process: child, port, cpuUs: () => cpuMicrosecondsOf(child) };
}
