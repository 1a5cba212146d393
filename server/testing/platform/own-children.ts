/** Children that must not outlive this process: servers and engines that are killed and started again on purpose. */
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";

const alive = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** Killed when this process ends before the child does, but for a kill -9 of this one. */
export function owned<T extends ChildProcess>(child: T): T {
  alive.add(child);
  child.once("exit", () => alive.delete(child));
  return child;
}

/** How often it is looked whether the parent is still there. */
const lookMs = 500;

/** Makes an end of what asks this process to end: signals, and the death of npm, which tells nobody when it is killed. */
export function endWhenAsked(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
  // Whoever reads our output may go away before us.
  process.stdout.on("error", () => process.exit(1));
  if (process.env["npm_lifecycle_event"] === undefined) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1);
  }, lookMs).unref();
}
