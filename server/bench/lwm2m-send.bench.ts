/**
 * The same Send as in the bench of `protocol`, to the whole server: `npm start`'s process, registered devices, each Send on disk in the twin
 * and the event log before its 2.04. Reported only: what it sustains, and how late it answers at half of that.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onCoresOf } from "@lwm2m/protocol/bench/cores";
import { type BenchOptions, type Figure, longFromSeconds, rounded } from "@lwm2m/protocol/bench/figure";
import { startLoad } from "@lwm2m/protocol/bench/load";
import type { Target } from "@lwm2m/protocol/bench/load-contract";
import { registerRequest, sendRequest } from "@lwm2m/protocol/bench/send-request";
import { foreignServer, occupationDuring, type ServerUnderLoad } from "@lwm2m/protocol/bench/server-under-load";
import { pacedFigures } from "@lwm2m/protocol/bench/sustained";

const name = "lwm2m-send";
const devices = 64;
const created = 0x41;
const changed = 0x44;
const warmUpShare = 0.25;
const pacedShare = 0.5;
const longestSeconds = 60;

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  if (seconds < longFromSeconds) return [];
  if (process.platform !== "linux") {
    console.error(`skipped: ${name} to the whole server (its CPU time is read from /proc)`);
    return [];
  }
  const directory = await mkdtemp(join(tmpdir(), "send-bench-"));
  const child = startServer(directory);
  try {
    const port = await coapPortOf(child);
    const server = foreignServer(child, port);
    const target = targetAt(port);
    const measured = Math.min(seconds, longestSeconds);
    const [figures, perSecond] = await sustained(server, target, measured);
    const half = Math.max(1, Math.round(perSecond * pacedShare));
    const paced = { bench: name, figure: "Send stored by the whole server, half as many", target, perSecond: half, seconds: measured };
    return [...figures, ...(await pacedFigures(server, paced))];
  } finally {
    const exit = child.exitCode === null ? once(child, "exit") : undefined;
    child.kill();
    await exit;
    await rm(directory, { recursive: true });
  }
}

async function sustained(server: ServerUnderLoad, target: Target, seconds: number): Promise<readonly [Figure[], number]> {
  const load = await startLoad();
  try {
    await load.run({ kind: "closed", target, ms: seconds * warmUpShare * 1_000 });
    const closed = { kind: "closed", target, ms: seconds * 1_000 } as const;
    const [{ answered, seconds: passed }, { cpuUs }] = await occupationDuring(server, () => load.run(closed));
    const rest = { bench: name, against: null, ratio: null };
    const perSecond = answered / passed;
    const figures: Figure[] = [
      { ...rest, figure: `Send stored by the whole server, ${devices} devices`, value: rounded(perSecond), unit: "1/s" },
      { ...rest, figure: "whole server's CPU per Send stored", value: rounded(cpuUs / answered), unit: "us" },
    ];
    return [figures, perSecond];
  } finally {
    load.stop();
  }
}

function startServer(directory: string): ChildProcess {
  const main = fileURLToPath(new URL("../main.js", import.meta.url));
  const { program, args } = onCoresOf("server", { program: process.execPath, args: [main] });
  const env = { ...process.env, DATA_DIR: directory, COAP_HOST: "127.0.0.1", COAP_PORT: "0", BOOTSTRAP_COAP_PORT: "0", HTTP_PORT: "0" };
  return spawn(program, args, { stdio: ["ignore", "pipe", "ignore"], env: { ...env, LOG_LEVEL: "info" } });
}

/** As its log tells: `{ "message": "listening", "door": "coap", "port": … }`. What it tells later is read and dropped. */
async function coapPortOf(child: ChildProcess): Promise<number> {
  if (child.stdout === null) throw new Error("the server's output is not read");
  const lines = createInterface({ input: child.stdout });
  const listening = new Promise<number>((resolve) => {
    lines.on("line", (line) => {
      const { message, door, port }: { message?: string; door?: string; port?: number } = JSON.parse(line);
      if (message === "listening" && door === "coap" && port !== undefined) resolve(port);
    });
  });
  const ended = once(child, "exit").then(([code]: unknown[]) => {
    throw new Error(`the server ended with ${code} before it listened`);
  });
  return Promise.race([listening, ended]);
}

function targetAt(port: number): Target {
  const introduction = { request: Buffer.from(registerRequest()).toString("hex"), code: created };
  return { port, clients: devices, request: Buffer.from(sendRequest()).toString("hex"), code: changed, introduction };
}
