/**
 * A Send as a sensor makes it: CON POST /dp with ten SenML-CBOR records, decoded to typed values and answered 2.04. CPU time of the server
 * process per request, ours against npm `coap` with cbor-x, which decodes to untyped maps. With ten seconds or more, also what becomes of
 * 5,000 a second, and the memory of the process after so long at 2,000 a second.
 */
import { compareServers } from "./contest.ts";
import { type BenchOptions, type Figure, longFromSeconds } from "./figure.ts";
import type { Target } from "./load-contract.ts";
import { sendRequest } from "./send-request.ts";
import { startServer } from "./server-under-load.ts";
import { memoryFigures, pacedFigures } from "./sustained.ts";

const name = "lwm2m-send";
const changed = 0x44;
const serverFile = new URL("./lwm2m-send-server.js", import.meta.url);
const comparedSeconds = 30;
const paced = { figure: "5,000 Send/s", perSecond: 5_000 };
const pacedSeconds = 60;
const lasting = { figure: "2,000 Send/s", perSecond: 2_000 };
/** Devices of sustained load: message ids of each come again after ten minutes and more. */
const devices = 200;

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  const figures = await compared(Math.min(seconds, comparedSeconds));
  if (seconds < longFromSeconds) return figures;
  return [...figures, ...(await pacedSends(Math.min(seconds, pacedSeconds))), ...(await memory(seconds))];
}

async function compared(seconds: number): Promise<Figure[]> {
  const ours = await startServer(serverFile, "ours");
  const theirs = [{ against: "npm-coap", server: await startServer(serverFile, "npm-coap") }] as const;
  return compareServers({ bench: name, ours, theirs, request: sendRequest(), code: changed, seconds });
}

async function pacedSends(seconds: number): Promise<Figure[]> {
  const server = await startServer(serverFile, "ours");
  try {
    return await pacedFigures(server, { bench: name, target: targetAt(server.port), ...paced, seconds });
  } finally {
    server.stop();
  }
}

async function memory(seconds: number): Promise<Figure[]> {
  const server = await startServer(serverFile, "ours");
  try {
    return await memoryFigures(server, { bench: name, target: targetAt(server.port), ...lasting, seconds });
  } finally {
    server.stop();
  }
}

function targetAt(port: number): Target {
  return { port, clients: devices, request: Buffer.from(sendRequest()).toString("hex"), code: changed };
}
