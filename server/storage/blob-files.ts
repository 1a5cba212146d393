/**
 * Blobs as files named by their SHA-256: `ab/abcdef…`. A blob is written to a temporary file while it is digested, flushed,
 * renamed and its directory flushed; so a name that is there has all its bytes, whatever moment the power went.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { flushDirectory, makeDirectories } from "./directories.ts";
import type { Blob, BlobStore, PutBlobOutcome } from "./store.ts";

const blobLimits = {
  /** Files kept open for reading: the packages of the campaigns under way. */
  openFiles: 32,
} as const;

const incoming = "incoming";

export async function openBlobFiles(directory: string): Promise<BlobFiles> {
  // What a crash left half written has no name yet and nobody waits for it: the store has one server only.
  await rm(join(directory, incoming), { recursive: true, force: true });
  await makeDirectories(join(directory, incoming));
  return new BlobFiles(directory);
}

export class BlobFiles implements BlobStore {
  readonly #directory: string;
  /** Open files by digest, the one used last at the end. */
  readonly #open = new Map<string, OpenFile>();
  #puts = 0;
  #closed = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(chunks: AsyncIterable<Uint8Array>, limits: { readonly maxBytes: number }): Promise<PutBlobOutcome> {
    this.#assertOpen();
    const temporary = join(this.#directory, incoming, String(++this.#puts));
    try {
      const written = await writeDigested(temporary, chunks, limits.maxBytes);
      if (written === "too-large") return { ok: false, reason: "too-large" };
      const target = this.#pathOf(written.sha256);
      await makeDirectories(dirname(target));
      await rename(temporary, target);
      await flushDirectory(dirname(target));
      return { ok: true, ...written };
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async find(sha256: string): Promise<Blob | undefined> {
    this.#assertOpen();
    if (!/^[0-9a-f]{64}$/.test(sha256)) return undefined;
    const file = await this.#borrow(sha256);
    if (file === undefined) return undefined;
    const { sizeBytes } = file;
    await giveBack(file);
    return { sha256, sizeBytes, read: (offset, length) => this.#read(sha256, sizeBytes, offset, length) };
  }

  async delete(sha256: string): Promise<void> {
    this.#assertOpen();
    if (!/^[0-9a-f]{64}$/.test(sha256)) return;
    await rm(this.#pathOf(sha256), { force: true });
    const file = this.#open.get(sha256);
    if (file === undefined) return;
    this.#open.delete(sha256);
    await retire(file);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const files = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(files.map(retire));
  }

  async #read(sha256: string, sizeBytes: number, offset: number, length: number): Promise<Uint8Array> {
    this.#assertOpen();
    if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0 || length < 0 || offset + length > sizeBytes) {
      throw new Error(`read of ${length} bytes at ${offset} in a blob of ${sizeBytes}`);
    }
    const file = await this.#borrow(sha256);
    if (file === undefined) throw new Error(`blob ${sha256} was deleted`);
    try {
      const bytes = new Uint8Array(length);
      let got = 0;
      while (got < length) {
        const { bytesRead } = await file.handle.read(bytes, got, length - got, offset + got);
        if (bytesRead === 0) throw new Error(`blob ${sha256} ends at ${offset + got}, expected ${sizeBytes} bytes`);
        got += bytesRead;
      }
      return bytes;
    } finally {
      await giveBack(file);
    }
  }

  /** An open file that stays open until it is given back; undefined when there is no such blob. */
  async #borrow(sha256: string): Promise<OpenFile | undefined> {
    const known = this.#open.get(sha256);
    if (known !== undefined) {
      this.#open.delete(sha256);
      this.#open.set(sha256, known);
      known.readers++;
      return known;
    }
    const handle = await openExisting(this.#pathOf(sha256));
    if (handle === undefined) return undefined;
    const file: OpenFile = { handle, sizeBytes: (await handle.stat()).size, readers: 1, retired: false };
    // Somebody else may have opened it meanwhile, or the store was closed: then this one lives as long as its reader.
    if (this.#closed || this.#open.has(sha256)) file.retired = true;
    else await this.#keep(sha256, file);
    return file;
  }

  async #keep(sha256: string, file: OpenFile): Promise<void> {
    this.#open.set(sha256, file);
    for (const [oldest, candidate] of this.#open) {
      if (this.#open.size <= blobLimits.openFiles) break;
      this.#open.delete(oldest);
      await retire(candidate);
    }
  }

  #pathOf(sha256: string): string {
    return join(this.#directory, sha256.slice(0, 2), sha256);
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error("the blob store is closed");
  }
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  readers: number;
  /** Out of the cache: the last reader closes it. */
  retired: boolean;
}

async function retire(file: OpenFile): Promise<void> {
  if (file.retired) return;
  file.retired = true;
  if (file.readers === 0) await file.handle.close();
}

async function giveBack(file: OpenFile): Promise<void> {
  file.readers--;
  if (file.retired && file.readers === 0) await file.handle.close();
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function writeDigested(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly sha256: string; readonly sizeBytes: number } | "too-large"> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const handle = await open(path, "wx", 0o600);
  try {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) return "too-large";
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest("hex"), sizeBytes };
}
