/**
 * A backup is a directory like the data directory: the database as of one moment, tidied, and the blobs. It is made beside its place and
 * renamed when it is whole and on the disk, so a directory of that name is a whole backup. Secrets in it are sealed as they are in the store.
 */
import { constants } from "node:fs";
import { chmod, copyFile, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { CollectionDefinition } from "../storage/collection.ts";
import { flushDirectory, makeDirectories } from "../storage/directories.ts";
import { databaseFile, type EmbeddedStore, openEmbeddedStore } from "../storage/embedded-store.ts";
import { StoreOpenError } from "../storage/store.ts";
import { CommandError } from "./command-error.ts";
import { askForCopy, controlPath } from "./platform/control-socket.ts";
import { findFaults } from "./verify.ts";

export interface BackupSettings {
  readonly dataDir: string;
  readonly collections: readonly CollectionDefinition[];
  /** Of the backup: made here, read there. */
  readonly target: string;
  /** Copied along when it is given. */
  readonly keyFile?: string | undefined;
}

const blobDirectory = "blobs";
const keyName = "secret-key";
const digestName = /^[0-9a-f]{64}$/;

/** While the server runs it makes the copy of the database itself. */
export async function backUp(settings: BackupSettings): Promise<{ readonly blobs: number }> {
  const dataDir = resolve(settings.dataDir);
  const target = resolve(settings.target);
  if ((await entries(target)) !== undefined) throw new CommandError(`${target} is there already: a backup needs a name of its own`);
  if (!((await entries(dataDir)) ?? []).includes(databaseFile)) throw new CommandError(`${dataDir} has no ${databaseFile}`);
  const unfinished = join(dirname(target), `.${basename(target)}.unfinished`);
  await rm(unfinished, { recursive: true, force: true });
  await makeDirectories(unfinished);
  try {
    // Blobs go first: those of the database's moment are then all there; once more for those that came while it was copied.
    await copyBlobs(join(dataDir, blobDirectory), join(unfinished, blobDirectory));
    await copyDatabase(settings, join(unfinished, databaseFile));
    const blobs = await copyBlobs(join(dataDir, blobDirectory), join(unfinished, blobDirectory));
    if (settings.keyFile !== undefined) await copyDurably(settings.keyFile, join(unfinished, keyName));
    await assertWhole(unfinished, settings.collections);
    await flushDirectory(unfinished);
    await rename(unfinished, target);
    await flushDirectory(dirname(target));
    return { blobs };
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** Into a data directory that is missing or empty; a crash leaves one without a database, which may be restored into again. */
export async function restore(settings: BackupSettings): Promise<{ readonly blobs: number; readonly hasKey: boolean }> {
  const dataDir = resolve(settings.dataDir);
  const source = resolve(settings.target);
  const kept = await entries(source);
  if (!kept?.includes(databaseFile)) throw new CommandError(`${source} is no backup: it has no ${databaseFile}`);
  const present = ((await entries(dataDir)) ?? []).filter(
    (name) => name !== blobDirectory && !name.endsWith(".restoring") && name !== keyName,
  );
  if (present.length > 0) throw new CommandError(`${dataDir} is not empty (${present[0]}): move it away first`);
  await assertWhole(source, settings.collections);
  await makeDirectories(dataDir);
  const blobs = await copyBlobs(join(source, blobDirectory), join(dataDir, blobDirectory));
  const hasKey = kept.includes(keyName);
  if (hasKey) await copyDurably(join(source, keyName), join(dataDir, keyName));
  // Last of all: with it the directory is a store.
  const restoring = join(dataDir, `${databaseFile}.restoring`);
  await copyDurably(join(source, databaseFile), restoring);
  await rename(restoring, join(dataDir, databaseFile));
  await flushDirectory(dataDir);
  return { blobs, hasKey };
}

async function copyDatabase({ dataDir, collections }: BackupSettings, file: string): Promise<void> {
  const store = await openUnlessHeld(dataDir, collections);
  if (store === "held") {
    await askForCopy(dataDir, file).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new CommandError(`the server that uses ${dataDir} did not make the copy (${controlPath(dataDir)}): ${reason}`);
    });
  } else {
    try {
      await store.copyTo(file);
    } finally {
      await store.close();
    }
  }
  await chmod(file, 0o600);
  await flushFile(file);
}

/** `held`: another server is using it. */
async function openUnlessHeld(directory: string, collections: readonly CollectionDefinition[]): Promise<EmbeddedStore | "held"> {
  try {
    return await openEmbeddedStore({ directory, collections });
  } catch (error) {
    if (error instanceof StoreOpenError && error.isInUse) return "held";
    throw error;
  }
}

async function assertWhole(directory: string, collections: readonly CollectionDefinition[]): Promise<void> {
  const store = await openEmbeddedStore({ directory, collections });
  try {
    const [first, ...others] = await findFaults(store);
    if (first !== undefined) throw new CommandError(`the backup ${directory} is not whole: ${first}${others.length > 0 ? " …" : ""}`);
  } finally {
    await store.close();
  }
}

/** Those that are not there yet; how many there are now. */
async function copyBlobs(from: string, to: string): Promise<number> {
  let count = 0;
  for (const folder of ((await entries(from)) ?? []).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    await makeDirectories(join(to, folder));
    const there = new Set(await entries(join(to, folder)));
    for (const name of ((await entries(join(from, folder))) ?? []).filter((name) => digestName.test(name))) {
      count++;
      if (!there.has(name)) await copyBlob(join(from, folder, name), join(to, folder, name));
    }
    await flushDirectory(join(to, folder));
  }
  return count;
}

async function copyBlob(from: string, to: string): Promise<void> {
  const partial = `${to}.partial`;
  await copyFile(from, partial, constants.COPYFILE_FICLONE);
  await flushFile(partial);
  await rename(partial, to);
}

async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await chmod(to, 0o600);
  await flushFile(to);
}

async function flushFile(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Names in a directory; undefined when there is none. */
async function entries(path: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
