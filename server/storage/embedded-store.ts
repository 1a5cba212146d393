/** The store that needs nothing but Node: SQLite in one worker thread for documents and points, files for blobs. */
import { dirname, join, resolve } from "node:path";
import { openBlobFiles } from "./blob-files.ts";
import type { Collection, CollectionDefinition, StoredDocument } from "./collection.ts";
import { flushDirectory, makeDirectories } from "./directories.ts";
import { type DriverName, SqlError, sqlCodes } from "./drivers/driver.ts";
import { usualDriver } from "./drivers/open-driver.ts";
import { EmbeddedCollection } from "./embedded-collection.ts";
import { EmbeddedTelemetry } from "./embedded-telemetry.ts";
import { checkDefinition } from "./guard.ts";
import type { SchemaChange } from "./schema-steps.ts";
import { type Store, StoreOpenError } from "./store.ts";
import { watchUnservedQueries } from "./unserved-queries.ts";
import { openWorkerLink, type WorkerLink } from "./worker-link.ts";

export interface EmbeddedStoreSettings {
  /** Made when it is not there, for this user alone. */
  readonly directory: string;
  readonly collections: readonly CollectionDefinition[];
  /** Refuse filters and sort orders that no index serves; otherwise they are counted and reported once each. Default false. */
  readonly strictFilters?: boolean;
  /** One line for the log. */
  readonly onWarning?: (message: string) => void;
  /** Default: what suits this Node. */
  readonly driver?: DriverName;
}

export interface EmbeddedStore extends Store {
  readonly schema: SchemaChange;
  /** Others wait meanwhile. */
  readonly copyTo: (file: string) => Promise<void>;
  /** Calls so far whose filter or sort order no index served. */
  unservedQueries(): number;
  /** Reads the whole database and its indexes; what is wrong with them, one line each, empty when all is well. Takes long. */
  verify(): Promise<readonly string[]>;
}

export const databaseFile = "store.db";

/** Rejects with `StoreOpenError`, whose message names the directory and the likely cause. */
export async function openEmbeddedStore(settings: EmbeddedStoreSettings): Promise<EmbeddedStore> {
  const directory = resolve(settings.directory);
  for (const definition of settings.collections) checkDefinition(definition);
  const names = settings.collections.map((definition) => definition.name);
  if (new Set(names).size !== names.length) throw new Error(`two collections have the same name: ${names.join(", ")}`);
  try {
    await makeDirectories(directory);
    const driver = settings.driver ?? usualDriver();
    const link = await openWorkerLink({ file: join(directory, databaseFile), driver, definitions: settings.collections });
    try {
      // A new file is only there after a power cut when its directory was flushed too.
      await flushDirectory(directory);
      await flushDirectory(dirname(directory));
      const blobs = await openBlobFiles(join(directory, "blobs"));
      return assemble(settings, link, blobs);
    } catch (error) {
      await link.close();
      throw error;
    }
  } catch (error) {
    const isInUse = error instanceof SqlError && (error.code === sqlCodes.busy || error.code === sqlCodes.locked);
    throw new StoreOpenError(`cannot open the data directory ${directory}: ${causeOf(error)}`, isInUse);
  }
}

type BlobFiles = Awaited<ReturnType<typeof openBlobFiles>>;

function assemble(settings: EmbeddedStoreSettings, link: WorkerLink, blobs: BlobFiles): EmbeddedStore {
  const unserved = watchUnservedQueries(settings.strictFilters === true, settings.onWarning);
  const { onUnserved } = unserved;
  const sibling = (name: string): EmbeddedCollection<StoredDocument> => {
    const collection = collections.get(name);
    if (collection === undefined) throw new Error(`the store was opened without the collection ${name}`);
    return collection;
  };
  const collections = new Map(
    settings.collections.map((definition) => [
      definition.name,
      new EmbeddedCollection<StoredDocument>({ definition, link, onUnserved, sibling }),
    ]),
  );
  return {
    schema: link.schema,
    commitsTogether: true,
    // A collection's documents are of one type, by the feature that declares it.
    collection: <T extends StoredDocument>(definition: CollectionDefinition) => sibling(definition.name) as unknown as Collection<T>,
    blobs,
    telemetry: new EmbeddedTelemetry(link),
    probe: () => link.ask(() => ({ op: "probe" }), nothing),
    eraseLeftovers: () => link.ask(() => ({ op: "rewrite" }), nothing),
    shortenLog: () => link.ask(() => ({ op: "shorten" }), nothing),
    copyTo: (file) => link.ask(() => ({ op: "copy", file }), nothing),
    close: async () => {
      await blobs.close();
      await link.close();
    },
    unservedQueries: () => unserved.count(),
    verify: () => link.ask<readonly string[]>(() => ({ op: "verify" }), JSON.parse),
  };
}

function nothing(): void {}

function causeOf(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, " ");
  if (message.includes("@libsql/"))
    return "the SQLite engine of this platform is not installed; install without --omit=optional, or use Node 24";
  if (error instanceof SqlError) return sqlCauses.get(error.code) ?? message;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return fileCauses.get(String(code)) ?? message;
}

const notWritable = "this user may not write there";
const diskFull = "the disk is full";

const sqlCauses: ReadonlyMap<number, string> = new Map([
  [sqlCodes.busy, "another server is using it"],
  [sqlCodes.locked, "another server is using it"],
  [sqlCodes.readOnly, notWritable],
  [sqlCodes.permission, notWritable],
  [sqlCodes.cannotOpen, `its file ${databaseFile} cannot be opened; may this user write there?`],
  [sqlCodes.full, diskFull],
  [sqlCodes.inputOutput, "reading or writing failed; is the disk healthy, and has it space left?"],
  [sqlCodes.corrupt, `its file ${databaseFile} is damaged; restore a backup`],
  [sqlCodes.notADatabase, `its file ${databaseFile} is damaged or no database; restore a backup`],
]);

const fileCauses: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "it cannot be made there"],
  ["EACCES", notWritable],
  ["EPERM", notWritable],
  ["EROFS", "it is on a read-only file system"],
  ["ENOTDIR", "a part of its path is a file"],
  ["EEXIST", "it is a file"],
  ["ENOSPC", diskFull],
  ["EDQUOT", diskFull],
]);
