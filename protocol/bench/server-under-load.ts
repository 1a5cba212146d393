/** A server of a benchmark: a process of its own on a core of its own, whose CPU time and memory can be read. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { openUdpSocket } from "../platform/udp-socket.ts";
import { microsecondsPerTick, onCoresOf, serverCoreBusyUs } from "./cores.ts";

export interface ServerUnderLoad {
  readonly port: number;
  usage(): Promise<Usage>;
  stop(): void;
}

export interface Usage {
  /** User and system time since the process began. */
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export const loopback = "127.0.0.1";
/** proc(5): utime and stime are fields 14 and 15, counted from 1; the name in brackets before them may contain blanks. */
const userTimeAfterName = 11;
const bytesPerKibibyte = 1_024;

/** `file`: a module that takes its arguments and a port, says when it is ready and calls `answerUsage`. */
export async function startServer(file: URL, kind: string): Promise<ServerUnderLoad> {
  const port = await freePort();
  const { program, args } = onCoresOf("server", { program: process.execPath, args: process.execArgv });
  const child = fork(fileURLToPath(file), [kind, String(port)], { execPath: program, execArgv: [...args] });
  await Promise.race([once(child, "message"), failure(child)]);
  return { port, usage: () => askUsage(child), stop: () => void child.kill() };
}

/** What the server and what everybody else had of its core while something was done, as shares of that time. */
export interface Occupation {
  readonly cpuUs: number;
  readonly server: number;
  readonly others: number;
}

export async function occupationDuring<T extends { readonly seconds: number }>(
  server: ServerUnderLoad,
  work: () => Promise<T>,
): Promise<readonly [T, Occupation]> {
  const coreBefore = serverCoreBusyUs();
  const before = await server.usage();
  const done = await work();
  const cpuUs = (await server.usage()).cpuUs - before.cpuUs;
  const coreUs = serverCoreBusyUs() - coreBefore;
  const us = done.seconds * 1e6;
  return [done, { cpuUs, server: cpuUs / us, others: Math.max(0, coreUs - cpuUs) / us }];
}

/** In the server's process. */
export function answerUsage(): void {
  process.on("message", () => {
    const { system, user } = process.cpuUsage();
    const usage: Usage = { cpuUs: system + user, rssBytes: process.memoryUsage.rss() };
    process.send?.(usage);
  });
  process.on("disconnect", () => process.exit(0));
}

/** A server that is not of Node; CPU time to 10 ms. */
export function foreignServer(child: ChildProcess, port: number): ServerUnderLoad {
  return { port, usage: () => readUsage(child), stop: () => void child.kill() };
}

export async function freePort(): Promise<number> {
  const probe = await openUdpSocket({ address: loopback, port: 0 });
  await probe.close();
  return probe.local.port;
}

async function failure(child: ChildProcess): Promise<never> {
  const [code]: unknown[] = await once(child, "exit");
  throw new Error(`the server ended with ${code} before it was ready`);
}

async function askUsage(child: ChildProcess): Promise<Usage> {
  const answered = once(child, "message");
  child.send({});
  const [usage]: Usage[] = await answered;
  if (usage === undefined) throw new Error("the server did not tell what it used");
  return usage;
}

async function readUsage(child: ChildProcess): Promise<Usage> {
  const [stat, status] = await Promise.all([readFile(`/proc/${child.pid}/stat`, "utf8"), readFile(`/proc/${child.pid}/status`, "utf8")]);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[userTimeAfterName]) + Number(fields[userTimeAfterName + 1]);
  const rssKibibytes = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]);
  return { cpuUs: ticks * microsecondsPerTick, rssBytes: rssKibibytes * bytesPerKibibyte };
}
