/**
 * The journal of DTLS connections as files of a folder, one per part: `dtls-<part>.journal`, chunks with their length in front.
 *
 * Fencing without locks: a part is created exclusively, and an append counts only if no later part exists after it reached the disk.
 * Whoever takes over creates his part first and reads afterwards, so he sees every append that counted.
 */
import { type FileHandle, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type DtlsJournal, JournalFenced, type JournalPart } from "../dtls/journal/journal-contract.ts";

const lengthBytes = 4;
/** Above this a length is damage, not a chunk. */
const largestChunkBytes = 64 * 1_048_576;
const ownerOnly = 0o600;
const ownerOnlyFolder = 0o700;
const namePattern = /^dtls-(\d{10})\.journal$/;
const digits = 10;

/** Makes the folder when it is missing. */
export async function openDtlsJournalFile(folder: string): Promise<DtlsJournal> {
  await mkdir(folder, { recursive: true, mode: ownerOnlyFolder });
  return new DtlsJournalFile(folder);
}

class DtlsJournalFile implements DtlsJournal {
  readonly #folder: string;
  #part = 0;
  #file: FileHandle | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get part(): number {
    return this.#part;
  }

  async takeOver(): Promise<readonly JournalPart[]> {
    // Two who start at once: one of them creates the file, the other goes one further and reads it.
    for (;;) {
      const newest = (await partsIn(this.#folder)).at(-1) ?? 0;
      if (await this.#create(newest + 1)) break;
    }
    const before = (await partsIn(this.#folder)).filter((part) => part < this.#part);
    const read: JournalPart[] = [];
    for (const part of before) {
      const bytes = await this.#read(part);
      // An owner that is being replaced has just dropped it: all that matters stands in a later part, which is read after it.
      if (bytes !== undefined) read.push({ part, ...chunksOf(bytes) });
    }
    return read;
  }

  async append(chunk: Uint8Array): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new Error("the journal is not open");
    const framed = Buffer.alloc(lengthBytes + chunk.length);
    framed.writeUInt32BE(chunk.length);
    framed.set(chunk, lengthBytes);
    for (let written = 0; written < framed.length; ) {
      written += (await file.write(framed, written)).bytesWritten;
    }
    await file.datasync();
    await this.#requireNewest();
  }

  async rotate(): Promise<void> {
    await this.#requireNewest();
    if (!(await this.#create(this.#part + 1))) throw new JournalFenced(this.#part);
  }

  async dropOlder(): Promise<void> {
    for (const part of await partsIn(this.#folder)) {
      if (part < this.#part) await unlink(this.#pathOf(part));
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #requireNewest(): Promise<void> {
    const newest = (await partsIn(this.#folder)).at(-1);
    if (newest !== this.#part) throw new JournalFenced(this.#part);
  }

  /** Undefined when it is not there. */
  async #read(part: number): Promise<Buffer | undefined> {
    try {
      return await readFile(this.#pathOf(part));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** False when it exists. */
  async #create(part: number): Promise<boolean> {
    let file: FileHandle;
    try {
      file = await open(this.#pathOf(part), "ax", ownerOnly);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
      throw error;
    }
    await this.#file?.close();
    this.#file = file;
    this.#part = part;
    await syncFolder(this.#folder);
    return true;
  }

  #pathOf(part: number): string {
    return join(this.#folder, `dtls-${String(part).padStart(digits, "0")}.journal`);
  }
}

async function partsIn(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  const parts = names.map((name) => Number(namePattern.exec(name)?.[1] ?? Number.NaN));
  return parts.filter((part) => !Number.isNaN(part)).sort((one, other) => one - other);
}

/** The chunks that are whole. What a power cut left behind them is not: zeros, or a chunk with its end missing. */
export function chunksOf(bytes: Buffer): Omit<JournalPart, "part"> {
  const chunks: Uint8Array[] = [];
  let at = 0;
  while (at + lengthBytes <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    const end = at + lengthBytes + length;
    if (length === 0 || length > largestChunkBytes || end > bytes.length) break;
    chunks.push(bytes.subarray(at + lengthBytes, end));
    at = end;
  }
  return { chunks, hasRest: at < bytes.length };
}

/** So that the name of a new part survives a power cut. Some systems have no such thing for folders. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
