/** An event loop with nothing to do, beside a server under load: how late it is, is what the machine itself adds. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** The loop's timer has a resolution of 1 ms, which is in the figure, as it is in the server's. */
const idleLoop = `
  const { parentPort } = require("node:worker_threads");
  const delay = require("node:perf_hooks").monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  parentPort.postMessage("ready");
  parentPort.on("message", () => parentPort.postMessage(delay.percentile(99) / 1e6));`;

export interface IdleLoop {
  /** Its p99 since it was opened, milliseconds. */
  close(): Promise<number>;
}

export async function openIdleLoop(): Promise<IdleLoop> {
  const worker = new Worker(idleLoop, { eval: true });
  await once(worker, "message");
  return {
    async close() {
      worker.postMessage("tell");
      const [p99Ms]: unknown[] = await once(worker, "message");
      await worker.terminate();
      return Number(p99Ms);
    },
  };
}
