/** A server of `rest-server.ts` as a process of its own. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onCoresOf } from "@lwm2m/protocol/bench/cores";

export interface ServerProcess {
  readonly process: ChildProcess;
  /** Of HTTP. */
  readonly port: number;
  readonly coapPort: number;
}

/** `pinned`: to the core of servers under load (`protocol/bench/cores.ts`). */
export async function startServer(kind: readonly string[], { pinned = false } = {}): Promise<ServerProcess> {
  const node = { program: process.execPath, args: process.execArgv };
  const { program, args } = pinned ? onCoresOf("server", node) : node;
  const child = fork(fileURLToPath(new URL("./rest-server.js", import.meta.url)), kind, {
    ...{ execPath: program, execArgv: [...args] },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [message]: { port?: number; coapPort?: number }[] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => [{}]),
  ]);
  if (message?.port === undefined || message.coapPort === undefined) throw new Error("the server did not start");
  return { process: child, port: message.port, coapPort: message.coapPort };
}

export async function stopServer({ process: child }: ServerProcess): Promise<void> {
  if (child.exitCode !== null || !child.connected) return;
  const exit = once(child, "exit");
  child.disconnect();
  await exit;
}

export interface ServerAnswer {
  readonly delayP99Ms?: number;
  readonly cpuUs?: number;
  readonly heapBytes?: number;
}

/** `watch`: the event loop from now on; `tell`: how late it was, and the CPU time so far; `heap`: what is held. */
export async function askServer({ process: child }: ServerProcess, message: "watch" | "tell" | "heap"): Promise<ServerAnswer> {
  child.send(message);
  const [answer] = await once(child, "message");
  return answer;
}
