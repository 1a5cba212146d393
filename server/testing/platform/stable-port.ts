/** Ports for processes that are killed and started again, and must find the same one. */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/**
 * Below the range from which systems hand out ports (Linux 32768, IANA 49152): nobody takes one while its owner restarts.
 */
const lowest = 20_000;
const highest = 32_000;
const tries = 50;

type Transport = "udp" | "tcp";

/** A port that was free a moment ago; no test that runs meanwhile is given it too. */
export async function stablePort(transport: Transport, isFree: (port: number) => Promise<boolean> = async () => true): Promise<number> {
  for (let left = tries; left > 0; left--) {
    const port = randomInt(lowest, highest);
    const free = (await (transport === "udp" ? udpIsFree(port) : tcpIsFree(port))) && (await isFree(port));
    if (free && (await isReserved(transport, port))) return port;
  }
  throw new Error(`no free ${transport} port from ${lowest} to ${highest} in ${tries} tries`);
}

/** A UDP port whose successor is free too. */
export function stablePortPair(): Promise<number> {
  return stablePort("udp", async (port) => (await udpIsFree(port + 1)) && isReserved("udp", port + 1));
}

/** Until this process ends: an abstract name (`unix(7)`), which the system frees by itself. Elsewhere than on Linux there is none. */
function isReserved(transport: Transport, port: number): Promise<boolean> {
  if (process.platform !== "linux") return Promise.resolve(true);
  return new Promise((resolve) => {
    const holder = createServer();
    holder.once("error", () => resolve(false));
    holder.listen(`\0lwm2m-test-${transport}-${port}`, () => resolve(true));
    holder.unref();
  });
}

function udpIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(false));
    socket.bind(port, () => socket.close(() => resolve(true)));
  });
}

function tcpIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
