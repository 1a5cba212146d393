/**
 * The store as lines of JSON, the same from every engine: a header, documents, points, blobs in pieces, and an end that counts them, so that a
 * file that was cut off is known. Sealed fields stay sealed; the key is not in it.
 */

import type { FirmwarePackage } from "../firmware/package.ts";
import { packageCollection } from "../firmware/package-store.ts";
import type { Collection, CollectionDefinition, Json, StoredDocument } from "../storage/collection.ts";
import type { PutBlobOutcome, Store, TelemetryPoint } from "../storage/store.ts";
import { allDocuments } from "./all-documents.ts";
import { CommandError } from "./command-error.ts";
import { piecesOf } from "./verify.ts";

export const interchangeVersion = 1;

export interface Counts {
  documents: number;
  points: number;
  blobs: number;
}

type Line =
  | { readonly kind: "store"; readonly version: number }
  | { readonly kind: "document"; readonly collection: string; readonly document: StoredDocument }
  | { readonly kind: "points"; readonly points: readonly TelemetryPoint[] }
  | { readonly kind: "blob"; readonly sha256: string; readonly sizeBytes: number }
  /** Follow their blob. */
  | { readonly kind: "piece"; readonly base64: string }
  | ({ readonly kind: "end" } & Readonly<Counts>);

const pointsPerLine = 500;
const writesAtOnce = 500;

export async function* exportLines(store: Store, collections: readonly CollectionDefinition[]): AsyncGenerator<string, Counts> {
  const line = (content: Line): string => `${JSON.stringify(content)}\n`;
  const counts: Counts = { documents: 0, points: 0, blobs: 0 };
  if (store.telemetry.all === undefined) throw new CommandError("this store cannot list its points: nothing was exported");
  yield line({ kind: "store", version: interchangeVersion });
  for (const definition of collections) {
    for await (const { _id, ...rest } of allDocuments(store.collection<StoredDocument>(definition))) {
      counts.documents++;
      // In front everywhere, wherever the engine keeps it.
      yield line({ kind: "document", collection: definition.name, document: { _id, ...rest } });
    }
  }
  for await (const page of store.telemetry.all()) {
    for (let at = 0; at < page.length; at += pointsPerLine) yield line({ kind: "points", points: page.slice(at, at + pointsPerLine) });
    counts.points += page.length;
  }
  for await (const sha256 of blobNames(store)) {
    const blob = await store.blobs.find(sha256);
    if (blob === undefined) throw new CommandError(`the blob ${sha256} of a package is missing; npm run store -- verify tells more`);
    yield line({ kind: "blob", sha256, sizeBytes: blob.sizeBytes });
    for await (const piece of piecesOf(blob)) yield line({ kind: "piece", base64: Buffer.from(piece).toString("base64") });
    counts.blobs++;
  }
  yield line({ kind: "end", ...counts });
  return counts;
}

/** Blobs are found by the documents that need them. */
async function* blobNames(store: Store): AsyncGenerator<string> {
  const seen = new Set<string>();
  for await (const { sha256 } of allDocuments<FirmwarePackage>(store.collection(packageCollection))) {
    if (!seen.has(sha256)) yield sha256;
    seen.add(sha256);
  }
}

/** A store is filled as the file is read: neither engine could take back all of a large one. */
const halfImported = "What was in it up to there is imported; empty the store and import a whole file";

/** Into a store that holds nothing yet; throws `CommandError` with the line for what is wrong with the file. */
export async function importLines(
  store: Store,
  collections: readonly CollectionDefinition[],
  lines: AsyncIterable<string>,
): Promise<Counts> {
  for (const definition of collections) {
    if ((await store.collection(definition).count({}, 1)) > 0)
      throw new CommandError(`the store is not empty: it has documents in ${definition.name}`);
  }
  for await (const page of store.telemetry.all?.() ?? []) {
    if (page.length > 0) throw new CommandError("the store is not empty: it has points");
  }
  const reader = new Importer(store, collections);
  let number = 0;
  for await (const text of lines) {
    number++;
    if (text.trim() === "") continue;
    try {
      await reader.take(parsedLine(text));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new CommandError(`line ${number}: ${error.message}${number > 1 ? `. ${halfImported}` : ""}`);
    }
  }
  return reader.end();
}

class Importer {
  readonly #store: Store;
  readonly #collections: ReadonlyMap<string, Collection<StoredDocument>>;
  readonly #counts: Counts = { documents: 0, points: 0, blobs: 0 };
  #began = false;
  #ended = false;
  #waiting: { readonly collection: string; readonly documents: StoredDocument[] } | undefined;
  #blob: IncomingBlob | undefined;

  constructor(store: Store, collections: readonly CollectionDefinition[]) {
    this.#store = store;
    this.#collections = new Map(collections.map((definition) => [definition.name, store.collection<StoredDocument>(definition)]));
  }

  async take(line: Line): Promise<void> {
    if (this.#ended) throw new CommandError("there is more behind the end");
    if (!this.#began && line.kind !== "store") throw new CommandError("this is no export of a store");
    if (line.kind !== "piece") await this.#finishBlob();
    if (line.kind !== "document") await this.#flush();
    switch (line.kind) {
      case "store":
        if (line.version !== interchangeVersion)
          throw new CommandError(`an export of version ${line.version}; this server reads ${interchangeVersion}`);
        this.#began = true;
        return;
      case "document":
        return this.#document(line.collection, line.document);
      case "points":
        await this.#store.telemetry.append(line.points);
        this.#counts.points += line.points.length;
        return;
      case "blob":
        this.#blob = new IncomingBlob(this.#store, line.sha256, line.sizeBytes);
        return;
      case "piece":
        if (this.#blob === undefined) throw new CommandError("a piece without its blob");
        return this.#blob.add(new Uint8Array(Buffer.from(line.base64, "base64")));
      case "end": {
        const { documents, points, blobs } = this.#counts;
        if (line.documents !== documents || line.points !== points || line.blobs !== blobs) {
          throw new CommandError(
            `the end counts ${line.documents} documents, ${line.points} points, ${line.blobs} blobs; there were ${documents}, ${points}, ${blobs}`,
          );
        }
        this.#ended = true;
        return;
      }
    }
  }

  end(): Counts {
    if (!this.#ended) throw new CommandError(`the file ends before its end: it was cut off. ${halfImported}`);
    return this.#counts;
  }

  async #document(collection: string, document: StoredDocument): Promise<void> {
    if (!this.#collections.has(collection))
      throw new CommandError(`a document of the collection ${collection}, which this server does not know`);
    if (this.#waiting?.collection !== collection) {
      await this.#flush();
      this.#waiting = { collection, documents: [] };
    }
    this.#waiting.documents.push(document);
    this.#counts.documents++;
    if (this.#waiting.documents.length >= writesAtOnce) await this.#flush();
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return;
    const writes = waiting.documents.map((document) => ({ insertOne: { document } }));
    const outcome = await this.#collections.get(waiting.collection)?.bulkWrite(writes);
    const failed = outcome?.failed[0];
    if (failed === undefined) return;
    throw new CommandError(`${waiting.collection} has a document with the key of ${waiting.documents[failed.position]?._id} twice`);
  }

  async #finishBlob(): Promise<void> {
    const blob = this.#blob;
    this.#blob = undefined;
    if (blob === undefined) return;
    await blob.finish();
    this.#counts.blobs++;
  }
}

/** Pieces as they come, to a `put` that runs meanwhile. */
class IncomingBlob {
  readonly #sha256: string;
  readonly #sizeBytes: number;
  readonly #outcome: Promise<PutBlobOutcome>;
  #piece: Uint8Array | undefined;
  #isLast = false;
  #onPiece = (): void => {};
  #onTaken = (): void => {};

  constructor(store: Store, sha256: string, sizeBytes: number) {
    this.#sha256 = sha256;
    this.#sizeBytes = sizeBytes;
    this.#outcome = store.blobs.put(this.#pieces(), { maxBytes: sizeBytes });
    // Looked at in `finish`.
    this.#outcome.catch(() => {});
  }

  async add(piece: Uint8Array): Promise<void> {
    const taken = new Promise<void>((resolve) => {
      this.#onTaken = resolve;
    });
    this.#piece = piece;
    this.#onPiece();
    // A put that failed takes no more.
    await Promise.race([taken, this.#outcome]);
  }

  async finish(): Promise<void> {
    this.#isLast = true;
    this.#onPiece();
    const outcome = await this.#outcome;
    if (outcome.ok && outcome.sha256 === this.#sha256 && outcome.sizeBytes === this.#sizeBytes) return;
    throw new CommandError(`the content of blob ${this.#sha256} is not what its name says`);
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#piece;
      this.#piece = undefined;
      if (piece !== undefined) {
        yield piece;
        this.#onTaken();
      } else if (this.#isLast) return;
      else {
        await new Promise<void>((resolve) => {
          this.#onPiece = resolve;
        });
      }
    }
  }
}

function parsedLine(text: string): Line {
  let line: Json;
  try {
    line = JSON.parse(text) as Json;
  } catch {
    throw new CommandError("this is no JSON");
  }
  if (!isLine(line)) throw new CommandError("this is no line of an export");
  return line;
}

function isLine(line: unknown): line is Line {
  if (typeof line !== "object" || line === null || !("kind" in line)) return false;
  const has = (field: string, type: string): boolean => typeof (line as { readonly [field: string]: unknown })[field] === type;
  switch (line.kind) {
    case "store":
      return has("version", "number");
    case "document":
      return has("collection", "string") && has("document", "object");
    case "points":
      return "points" in line && Array.isArray(line.points);
    case "blob":
      return has("sha256", "string") && has("sizeBytes", "number");
    case "piece":
      return has("base64", "string");
    case "end":
      return has("documents", "number") && has("points", "number") && has("blobs", "number");
    default:
      return false;
  }
}
