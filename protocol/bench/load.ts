/** The parent's end of the process that makes load. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onCoresOf } from "./cores.ts";
import type { LoadOrder, LoadReport } from "./load-contract.ts";

/** `Order`: what its process is told. */
export interface Load<Order = LoadOrder> {
  run(order: Order): Promise<LoadReport>;
  stop(): void;
}

const file = new URL("./load-process.js", import.meta.url);

export function startLoad(): Promise<Load> {
  return startLoadProcess<LoadOrder>(file);
}

/** `file`: a module that says when it is ready and answers each order with a `LoadReport`. */
export async function startLoadProcess<Order extends object>(file: URL, options: readonly string[] = []): Promise<Load<Order>> {
  const { program, args } = onCoresOf("load", { program: process.execPath, args: process.execArgv });
  const child = fork(fileURLToPath(file), options, { execPath: program, execArgv: [...args] });
  await next(child);
  return {
    async run(order) {
      const reported = next(child);
      child.send(order);
      const report = await reported;
      if (report === undefined) throw new Error("the load process told nothing");
      return report;
    },
    stop: () => void child.kill(),
  };
}

/** Rejects when the process ends instead. */
async function next(child: ChildProcess): Promise<LoadReport | undefined> {
  const over = new AbortController();
  const ended = once(child, "exit", { signal: over.signal }).then(([code]: unknown[]) => {
    throw new Error(`the load process ended with ${code}`);
  });
  try {
    const [message]: LoadReport[] = await Promise.race([once(child, "message", { signal: over.signal }), ended]);
    return message;
  } finally {
    over.abort();
    ended.catch(() => {});
  }
}
