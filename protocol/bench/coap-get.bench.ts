/**
 * CON GET answered with 64 B, deduplication on: CPU time of the server process per request, ours against npm `coap`,
 * Californium with its bounded deduplication (64 messages a peer, as ours) and libcoap's example server, which stores no answers for duplicates. Then the memory of an idle peer.
 */
import { isCaliforniumReady, startCalifornium } from "./californium-server.ts";
import { type Contestant, compareServers } from "./contest.ts";
import type { BenchOptions, Figure } from "./figure.ts";
import { idlePeerFigures } from "./idle-peers.ts";
import { isLibcoapInstalled, startLibcoap } from "./libcoap-server.ts";
import { startServer } from "./server-under-load.ts";

const answerBytes = 64;
/** CON GET /e. */
const request = Buffer.from("480100000000000000000000b165", "hex");
const content = 0x45;
const serverFile = new URL("./coap-get-server.js", import.meta.url);

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  const body = new Uint8Array(answerBytes).fill(0x61);
  const ours = await startServer(serverFile, "ours");
  const theirs: Contestant[] = [{ against: "npm-coap", server: await startServer(serverFile, "npm-coap") }];
  if (isLibcoapInstalled("coap-get")) theirs.push({ against: "libcoap", server: await startLibcoap(body) });
  if (isCaliforniumReady("coap-get")) theirs.push({ against: "californium", server: await startCalifornium(answerBytes) });
  const figures = await compareServers({ bench: "coap-get", ours, theirs, request, code: content, seconds });
  return [...figures, ...(await idlePeerFigures("coap-get"))];
}
