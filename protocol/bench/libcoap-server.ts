/** libcoap's example server as a peer of benchmarks: started on a free port, given one resource. */
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { onCoresOf } from "./cores.ts";
import { foreignServer, freePort, loopback, type ServerUnderLoad } from "./server-under-load.ts";

const program = "coap-server-notls";
const attempts = 50;
const attemptMs = 100;

/** Says on stderr where it cannot be measured. */
export function isLibcoapInstalled(bench: string): boolean {
  const installed = spawnSync("sh", ["-c", 'command -v "$1"', "sh", program], { stdio: "ignore" }).status === 0;
  if (installed && process.platform === "linux") return true;
  console.error(`skipped: ${bench} against libcoap (${program} of Debian's libcoap3-bin is not installed)`);
  return false;
}

/** Serves GET /e with `body`. */
export async function startLibcoap(body: Uint8Array): Promise<ServerUnderLoad> {
  const port = await freePort();
  const command = onCoresOf("server", { program, args: ["-A", loopback, "-p", String(port), "-d", "1", "-v", "0"] });
  const child = spawn(command.program, command.args, { stdio: "ignore" });
  try {
    await putResource(port, body);
  } catch (error) {
    child.kill();
    throw error;
  }
  return foreignServer(child, port);
}

/** CON PUT /e until it is answered 2.01: the server needs a moment to open its port. */
async function putResource(port: number, body: Uint8Array): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  const created = once(socket, "message");
  const request = Buffer.concat([Buffer.from("40030001b165ff", "hex"), body]);
  try {
    for (let attempt = 0; attempt < attempts; attempt++) {
      socket.send(request, port, loopback);
      const answer = await Promise.race([created, sleep(attemptMs)]);
      if (answer === undefined) continue;
      const [bytes]: Buffer[] = answer;
      if (bytes?.[1] !== 0x41) throw new Error(`libcoap answered PUT /e with ${bytes?.toString("hex")}`);
      return;
    }
    throw new Error(`${program} did not answer on port ${port}`);
  } finally {
    socket.close();
  }
}
