// Installs and builds what is not up to date; runs before anything else, so it uses nothing but Node itself.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const packages = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).workspaces;

const oldestNode = [20, 19];
const buildStamp = join(root, "node_modules", ".lwm2m-built");

/** Ready to run from `dist`; exits with the failing step's code otherwise. */
export function prepare() {
  requireNode();
  install();
  build();
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  console.error(`Node ${oldestNode.join(".")} or newer is needed, this is ${process.versions.node}.`);
  process.exit(1);
}

function install() {
  // npm writes this file last, so an interrupted install is repeated.
  const installed = join(root, "node_modules", ".package-lock.json");
  if (existsSync(installed) && modifiedAt(installed) >= modifiedAt(join(root, "package-lock.json"))) return;
  console.error("Installing dependencies …");
  run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]);
}

/** Compiles when a source is newer than the last build; drops outputs whose source is gone, so that no stale test runs. */
export function build({ force = false } = {}) {
  const sources = packages.flatMap((name) => files(join(root, name), isSource));
  const newest = Math.max(modifiedAt(join(root, "tsconfig.json")), ...sources.map(modifiedAt));
  const complete = packages.every((name) => existsSync(join(root, name, "dist", ".tsbuildinfo")));
  const staleOutputs = stale();
  if (!force && complete && staleOutputs.length === 0 && existsSync(buildStamp) && modifiedAt(buildStamp) > newest) return;
  for (const output of staleOutputs) rmSync(output);
  console.error("Building …");
  const startedAt = new Date();
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-b", root]);
  writeFileSync(buildStamp, "");
  // Dated at the start: a source saved during the build is compiled next time.
  utimesSync(buildStamp, startedAt, startedAt);
}

/** Compiled test files, packages in build order; `wanted` are parts of their paths, none means all. */
export function testFiles(wanted = []) {
  const found = packages.flatMap((name) => files(join(root, name, "dist"), (file) => file.endsWith(".test.js"), []).sort());
  return wanted.length === 0 ? found : found.filter((file) => wanted.some((part) => file.includes(part)));
}

/** Runs a command in the root with the terminal; ends this process when it fails. */
export function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32" && command === "npm",
  });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

export function files(folder, keep, skip = ["dist", "node_modules", "target"]) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skip.includes(entry.name) ? [] : files(path, keep, skip);
    return keep(path) ? [path] : [];
  });
}

function stale() {
  return packages.flatMap((name) => {
    const dist = join(root, name, "dist");
    return files(dist, (file) => file.endsWith(".js"), []).filter((file) => {
      const source = `${join(root, name, file.slice(dist.length + 1)).slice(0, -".js".length)}.ts`;
      return !existsSync(source);
    });
  });
}

function isSource(file) {
  return file.endsWith(".ts") || file.endsWith("tsconfig.json");
}

function modifiedAt(file) {
  return statSync(file).mtimeMs;
}
