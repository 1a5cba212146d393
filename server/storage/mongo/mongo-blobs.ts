/**
 * Blobs in GridFS, so that every server process has them, each read through a local file: a block of a kilobyte must never be
 * a query. Files are named by their digest; a file document is written after its chunks, so what is named is whole.
 */
import { pipeline } from "node:stream/promises";
import { type Db, GridFSBucket } from "mongodb";
import type { BlobFiles } from "../blob-files.ts";
import type { Blob, BlobStore, PutBlobOutcome } from "../store.ts";
import type { MongoLink } from "./mongo-link.ts";

const bucketName = "blobs";
const chunkBytes = 255 * 1_024;
/** Bytes of one piece between the local file and the server. */
const pieceBytes = 256 * 1_024;

export class MongoBlobs implements BlobStore {
  readonly #bucket: GridFSBucket;
  readonly #link: MongoLink;
  readonly #cache: BlobFiles;
  /** Downloads under way. */
  readonly #fetching = new Map<string, Promise<Blob | undefined>>();

  constructor(database: Db, link: MongoLink, cache: BlobFiles) {
    this.#bucket = new GridFSBucket(database, { bucketName, chunkSizeBytes: chunkBytes });
    this.#link = link;
    this.#cache = cache;
  }

  async put(chunks: AsyncIterable<Uint8Array>, limits: { readonly maxBytes: number }): Promise<PutBlobOutcome> {
    // First to the local file: only then the digest is known, and a sender that stops half-way leaves nothing on the server.
    const outcome = await this.#cache.put(chunks, limits);
    if (!outcome.ok) return outcome;
    if (await this.#isStored(outcome.sha256)) return outcome;
    const blob = await this.#cache.find(outcome.sha256);
    if (blob === undefined) throw new Error(`the blob ${outcome.sha256} that was just written is not there`);
    await this.#link.ask(() => pipeline(piecesOf(blob), this.#bucket.openUploadStream(outcome.sha256)));
    return outcome;
  }

  async find(sha256: string): Promise<Blob | undefined> {
    const cached = await this.#cache.find(sha256);
    if (cached !== undefined || !/^[0-9a-f]{64}$/.test(sha256)) return cached;
    const running = this.#fetching.get(sha256);
    if (running !== undefined) return running;
    const fetching = this.#fetch(sha256).finally(() => this.#fetching.delete(sha256));
    this.#fetching.set(sha256, fetching);
    return fetching;
  }

  async delete(sha256: string): Promise<void> {
    await this.#link.ask(async () => {
      for (const { _id } of await this.#bucket.find({ filename: sha256 }).toArray()) await this.#bucket.delete(_id);
    });
    await this.#cache.delete(sha256);
  }

  close(): Promise<void> {
    return this.#cache.close();
  }

  async #isStored(sha256: string): Promise<boolean> {
    return (await this.#stored(sha256)) !== undefined;
  }

  async #stored(sha256: string) {
    const [file] = await this.#link.ask(() => this.#bucket.find({ filename: sha256 }).limit(1).toArray());
    return file;
  }

  async #fetch(sha256: string): Promise<Blob | undefined> {
    const file = await this.#stored(sha256);
    if (file === undefined) return undefined;
    const written = await this.#link.ask(() => this.#cache.put(this.#bucket.openDownloadStream(file._id), { maxBytes: file.length }));
    if (!written.ok || written.sha256 !== sha256) throw new Error(`the blob ${sha256} in GridFS has other bytes than its name says`);
    return this.#cache.find(sha256);
  }
}

async function* piecesOf(blob: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.sizeBytes; at += pieceBytes) yield await blob.read(at, Math.min(pieceBytes, blob.sizeBytes - at));
}
