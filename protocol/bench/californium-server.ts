/** Californium's server as a peer of benchmarks: fetched and compiled into `.peers/` the first time, where Java and Maven are there. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onCoresOf } from "./cores.ts";
import { foreignServer, freePort, type ServerUnderLoad } from "./server-under-load.ts";

/** The sources lie where this file's own source lies; compiled, it is in `protocol/dist/bench`. */
const sources = fileURLToPath(new URL("../../bench/peers/californium/", import.meta.url));
const peers = process.env["PEERS_DIR"] ?? fileURLToPath(new URL("../../../.peers/", import.meta.url));
const target = join(peers, "californium-bench");
const stamp = join(target, "stamp");
const tools = ["java", "javac", "mvn"];
/** As much memory as it likes with 64 messages kept of each of 64 peers: the collector has an easy life. */
const memory = ["-Xms512m", "-Xmx1g"];

/** Says on stderr why it cannot be measured. */
export function isCaliforniumReady(bench: string): boolean {
  const problem = process.platform === "linux" ? setUpCalifornium() : "its CPU time is read from /proc";
  if (problem === undefined) return true;
  console.error(`skipped: ${bench} against californium (${problem})`);
  return false;
}

/** What is in the way; undefined when it can start. Does nothing when it is built and up to date. */
export function setUpCalifornium(): string | undefined {
  const missing = tools.filter((tool) => spawnSync(tool, ["-version"], { stdio: "ignore" }).error !== undefined);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  const wanted = createHash("sha256")
    .update(readFileSync(join(sources, "pom.xml")))
    .update(readFileSync(join(sources, "Main.java")));
  const digest = wanted.digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return undefined;
  console.error("Building Californium's server …");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const problem = fetchAndCompile();
  // Written last: a build that was cut off is done again.
  if (problem === undefined) writeFileSync(stamp, digest);
  return problem;
}

/** Serves GET /e with `bytes` bytes. */
export async function startCalifornium(bytes: number): Promise<ServerUnderLoad> {
  const port = await freePort();
  const classes = [join(target, "classes"), join(target, "lib", "*")].join(delimiter);
  const { program, args } = onCoresOf("server", {
    program: "java",
    args: [...memory, "-cp", classes, "Main", String(port), String(bytes)],
  });
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  await Promise.race([once(child.stdout, "data"), failure(child)]);
  return foreignServer(child, port);
}

function fetchAndCompile(): string | undefined {
  const lib = join(target, "lib");
  const fetch = ["-B", "-q", "-f", join(sources, "pom.xml"), "dependency:copy-dependencies", "-DincludeScope=runtime"];
  return (
    run("mvn", [...fetch, `-DoutputDirectory=${lib}`]) ??
    run("javac", ["--release", "17", "-cp", join(lib, "*"), "-d", join(target, "classes"), join(sources, "Main.java")])
  );
}

function run(program: string, args: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status === 0) return undefined;
  const said = `${stdout}${stderr}`.split("\n").find((line) => line.includes("ERROR") || line.includes("error"));
  return `${program} failed: ${said ?? `code ${status}`}`;
}

async function failure(child: ChildProcess): Promise<never> {
  const [code]: unknown[] = await once(child, "exit");
  throw new Error(`Californium ended with ${code} before it was ready`);
}
