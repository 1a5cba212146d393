/**
 * One core for the server under load, the others for the load: what either costs is then its own. By `taskset` of util-linux, from the
 * start, so that a server counts one core when it decides on threads.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export type Side = "server" | "load";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** USER_HZ, which Linux fixes at 100 for what it shows in /proc. */
export const microsecondsPerTick = 10_000;

let sides: Readonly<Record<Side, string>> | "shared" | undefined;

/** The command that runs another one on its side's cores; the command itself where cores cannot be chosen. */
export function onCoresOf(side: Side, command: Command): Command {
  sides ??= shareCores();
  if (sides === "shared") return command;
  return { program: "taskset", args: ["-c", sides[side], command.program, ...command.args] };
}

/** How long the server's core has been at work since the system started, by whomever; NaN where that is not known. */
export function serverCoreBusyUs(): number {
  if (sides === undefined || sides === "shared") return Number.NaN;
  // proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
  const line = readFileSync("/proc/stat", "utf8").match(new RegExp(`^cpu${sides.server} (.*)$`, "m"))?.[1] ?? "";
  const [user = Number.NaN, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(" ").map(Number);
  return (user + nice + system + irq + softirq + steal) * microsecondsPerTick;
}

function shareCores(): Readonly<Record<Side, string>> | "shared" {
  const cores = allowedCores();
  const server = cores.at(-1);
  if (cores.length > 1 && server !== undefined && spawnSync("taskset", ["-V"], { stdio: "ignore" }).status === 0) {
    return { server: String(server), load: cores.slice(0, -1).join(",") };
  }
  console.error(`not pinned: server and load share ${cores.length > 1 ? "cores, taskset is not there" : "what cores there are"}`);
  return "shared";
}

/** proc(5): `Cpus_allowed_list:	0-3,6`. */
function allowedCores(): number[] {
  if (process.platform !== "linux") return [];
  const [, list = ""] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return list.split(",").flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
