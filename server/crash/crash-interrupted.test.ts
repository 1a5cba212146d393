/** A crash run that is interrupted takes its servers, engines and directories with it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { redisSuite } from "../testing/platform/redis-suite.ts";
import { ferretSuite } from "../testing/platform/store-suite.ts";

/** Processes are told apart by `/proc`. */
const skip = existsSync("/proc/self/stat") ? false : "Linux only";
const program = fileURLToPath(new URL("../crash-main.js", import.meta.url));

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} on the embedded store: the server ends with the run, and nothing is left`, { skip }, async (t) => {
    const { run, temporary, children } = await underWay(t, ["--store", "embedded"], 1);
    run.kill(signal);
    assert.equal(await exitOf(run), code);
    await assertNothingLeft(children, temporary);
  });
}

test("npm killed with -9, which tells nobody: the run ends by itself", { skip }, async (t) => {
  // A parent that starts the run as npm does, and says who it is.
  const parent = `const run = require("node:child_process").spawn(process.execPath, ${JSON.stringify([program])}, { stdio: "inherit" }); console.log("pid " + run.pid);`;
  const { run, temporary, children, lines } = await underWay(t, [], 2, ["-e", parent]);
  const pid = Number(lines.find((line) => line.startsWith("pid "))?.slice(4));
  assert.ok(children.includes(pid));
  run.kill("SIGKILL");
  await exitOf(run);
  await assertNothingLeft(children, temporary);
});

const name = "SIGTERM while FerretDB and Redis run";

redisSuite(name, () =>
  ferretSuite(name, () => {
    test("they end with the run, and nothing is left", { skip }, async (t) => {
      // FerretDB, Redis, a server.
      const { run, temporary, children } = await underWay(t, ["--store", "mongo"], 3);
      run.kill("SIGTERM");
      assert.equal(await exitOf(run), 143);
      await assertNothingLeft(children, temporary);
    });
  }),
);

interface Started {
  readonly run: ChildProcess;
  /** Where it puts its files. */
  readonly temporary: string;
  /** Everything it has started, and what that has. */
  readonly children: readonly number[];
  readonly lines: readonly string[];
}

/** Resolves in its second round, when so many processes of its own run. */
async function underWay(t: TestContext, args: readonly string[], processes: number, command = [program, ...args]): Promise<Started> {
  const temporary = await mkdtemp(join(tmpdir(), "crash-interrupted-"));
  t.after(() => rm(temporary, { recursive: true, force: true }));
  const env = { PATH: process.env["PATH"] ?? "", TMPDIR: temporary, npm_lifecycle_event: "crash" };
  const run = spawn(process.execPath, command, { env, stdio: ["ignore", "pipe", "inherit"] });
  // No kill -9: that would leave its server.
  t.after(() => run.kill());
  const lines: string[] = [];
  for await (const line of createInterface({ input: run.stdout })) {
    lines.push(line);
    if (!line.startsWith("round ")) continue;
    run.stdout.resume();
    for (;;) {
      const children = descendants(run.pid ?? 0);
      if (children.length >= processes) return { run, temporary, children, lines };
      assert.equal(run.exitCode, null, lines.join("\n"));
      await nextTurn();
    }
  }
  throw new Error(`no round: ${lines.join("\n")}`);
}

async function assertNothingLeft(children: readonly number[], temporary: string): Promise<void> {
  while (children.some(isAlive)) await nextTurn();
  while (readdirSync(temporary).length > 0) await nextTurn();
}

function exitOf(run: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => run.once("exit", resolve));
}

/** From `/proc/PID/stat`: behind the name in brackets, the state and the parent. */
function factsOf(pid: number): { readonly state: string; readonly parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, parent: Number(parent) };
  } catch {
    // It has ended.
    return undefined;
  }
}

function descendants(pid: number): readonly number[] {
  const all = readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? [Number(entry)] : []));
  const parents = all.map((one) => [one, factsOf(one)?.parent] as const);
  const below = (one: number): readonly number[] => parents.flatMap(([child, parent]) => (parent === one ? [child, ...below(child)] : []));
  return below(pid);
}

function isAlive(pid: number): boolean {
  const facts = factsOf(pid);
  return facts !== undefined && facts.state !== "Z";
}
