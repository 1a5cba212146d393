import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a directory and those above it that are missing, mode 0700, each durable when this resolves. One by one: Node's own recursive
 * `mkdir` never returns below a file system that answers ENOENT to every attempt, `/proc` for example.
 */
export async function makeDirectories(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = path; !(await isDirectory(at)); at = dirname(at)) missing.push(at);
  for (const directory of missing.reverse()) {
    await mkdir(directory, { mode: 0o700 }).catch(ignoreExisting);
    await flushDirectory(dirname(directory));
  }
}

/** Names are durable only after this. */
export async function flushDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** False when there is nothing; a file in the way is an error (ENOTDIR). */
async function isDirectory(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT" && dirname(path) !== path) return false;
    throw error;
  }
  throw Object.assign(new Error(`${path} is not a directory`), { code: "ENOTDIR" });
}

/** Somebody else made it in the meantime. */
function ignoreExisting(error: unknown): void {
  if (codeOf(error) !== "EEXIST") throw error;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
