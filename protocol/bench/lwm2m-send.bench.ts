/**
 * A Send as a sensor makes it: CON POST /dp with ten SenML-CBOR records, decoded to typed values and answered 2.04. CPU time of the server
 * process per request, ours against npm `coap` with cbor-x, which decodes to untyped maps.
 */
import { MessageWriter } from "../coap/message-writer.ts";
import { compareServers } from "./contest.ts";
import type { BenchOptions, Figure } from "./figure.ts";
import { measurementPack } from "./measurement-pack.ts";
import { startServer } from "./server-under-load.ts";

const changed = 0x44;
const serverFile = new URL("./lwm2m-send-server.js", import.meta.url);

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  const ours = await startServer(serverFile, "ours");
  const theirs = [{ against: "npm-coap", server: await startServer(serverFile, "npm-coap") }] as const;
  return compareServers({ bench: "lwm2m-send", ours, theirs, request: sendRequest(), code: changed, seconds });
}

function sendRequest(): Uint8Array {
  const writer = new MessageWriter();
  writer.begin(0, 0x02, 0, new Uint8Array(8));
  writer.opaque(11, new TextEncoder().encode("dp"));
  writer.uint(12, 112);
  writer.payload(measurementPack(10));
  return Uint8Array.from(writer.finish());
}
