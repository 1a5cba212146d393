/** Files for the eyes of one user: keys. They appear whole or not at all. */
import { chmod, link, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { flushDirectory } from "../storage/directories.ts";

const ownerOnly = 0o600;
const othersBits = 0o077;
const permissionBits = 0o777;

/** The text and whether others may read it; undefined when there is no such file. Rejects with the system's error otherwise. */
export async function findOwnerFile(file: string): Promise<{ readonly text: string; readonly openToOthers: boolean } | undefined> {
  try {
    const text = await readFile(file, "utf8");
    const { mode } = await stat(file);
    return { text, openToOthers: (mode & othersBits) !== 0 };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

export async function closeToOthers(file: string): Promise<void> {
  await chmod(file, ownerOnly);
}

/** A whole file appears under its name, or none: written beside, flushed, then linked. Rejects with EEXIST when there is one. */
export async function writeOnce(file: string, text: string): Promise<void> {
  const draft = await writeDraft(file, text, ownerOnly);
  await link(draft, file);
  await unlink(draft);
  await flushDirectory(dirname(file));
}

/** The file has the new text or the old one, whatever happens meanwhile; it keeps its mode. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const { mode } = await stat(file);
  await rename(await writeDraft(file, text, mode & permissionBits), file);
  await flushDirectory(dirname(file));
}

async function writeDraft(file: string, text: string, mode: number): Promise<string> {
  const draft = `${file}.new`;
  await unlink(draft).catch(() => undefined);
  const handle = await open(draft, "wx", mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return draft;
}
