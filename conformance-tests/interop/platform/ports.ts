/** Ports for processes that must find the same one again. */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Below the range from which systems hand out ports (Linux 32768, IANA 49152): nobody takes one while its owner restarts. */
const lowest = 20_000;
const highest = 32_000;
const tries = 50;

/** A port that was free a moment ago. */
export async function stablePort(transport: "udp" | "tcp"): Promise<number> {
  for (let left = tries; left > 0; left--) {
    const port = randomInt(lowest, highest);
    if (await (transport === "udp" ? udpIsFree(port) : tcpIsFree(port))) return port;
  }
  throw new Error(`no free ${transport} port from ${lowest} to ${highest} in ${tries} tries`);
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
