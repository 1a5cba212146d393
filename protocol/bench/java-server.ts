/** Java servers as peers of benchmarks: fetched and compiled into `.peers/` the first time, where Java and Maven are there. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onCoresOf } from "./cores.ts";
import { foreignServer, type ServerUnderLoad } from "./server-under-load.ts";

/** The sources lie where this file's own source lies; compiled, it is in `protocol/dist/bench`. */
const allSources = fileURLToPath(new URL("../../bench/peers/", import.meta.url));
const peers = process.env["PEERS_DIR"] ?? fileURLToPath(new URL("../../../.peers/", import.meta.url));
const tools = ["java", "javac", "mvn"];
/** As much memory as it likes with 64 messages kept of each of 64 peers: the collector has an easy life. */
const memory = ["-Xms512m", "-Xmx1g"];

export interface JavaPeer {
  /** Of its folder in `peers/`, which has `pom.xml` and `Main.java`; and what it is called on stderr. */
  readonly name: "californium" | "scandium" | "leshan-server";
  readonly title: string;
  /** Another `peers/` than the one here; a path that ends in a slash. */
  readonly sources?: string;
}

/** Says on stderr why it cannot be measured. */
export function isJavaPeerReady(peer: JavaPeer, bench: string): boolean {
  const problem = process.platform === "linux" ? setUp(peer) : "its CPU time is read from /proc";
  if (problem === undefined) return true;
  console.error(`skipped: ${bench} against ${peer.name} (${problem})`);
  return false;
}

/** Ready as soon as it says something. */
export async function startJavaPeer(peer: JavaPeer, port: number, options: readonly string[]): Promise<ServerUnderLoad> {
  const target = targetOf(peer);
  const classes = [join(target, "classes"), join(target, "lib", "*")].join(delimiter);
  const { program, args } = onCoresOf("server", { program: "java", args: [...memory, "-cp", classes, "Main", ...options] });
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  await Promise.race([once(child.stdout, "data"), failure(peer, child)]);
  return foreignServer(child, port);
}

/** What is in the way; undefined when it can start. Does nothing when it is built and up to date. */
function setUp(peer: JavaPeer): string | undefined {
  const missing = tools.filter((tool) => spawnSync(tool, ["-version"], { stdio: "ignore" }).error !== undefined);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  const sources = join(peer.sources ?? allSources, peer.name);
  const wanted = createHash("sha256")
    .update(readFileSync(join(sources, "pom.xml")))
    .update(readFileSync(join(sources, "Main.java")));
  const digest = wanted.digest("hex");
  const target = targetOf(peer);
  const stamp = join(target, "stamp");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return undefined;
  console.error(`Building ${peer.title} …`);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const problem = fetchAndCompile(sources, target);
  // Written last: a build that was cut off is done again.
  if (problem === undefined) writeFileSync(stamp, digest);
  return problem;
}

function targetOf({ name }: JavaPeer): string {
  return join(peers, `${name}-bench`);
}

function fetchAndCompile(sources: string, target: string): string | undefined {
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

async function failure({ title }: JavaPeer, child: ChildProcess): Promise<never> {
  const [code]: unknown[] = await once(child, "exit");
  throw new Error(`${title} ended with ${code} before it was ready`);
}
