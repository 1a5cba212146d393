/** The store a fleet runs on: documents, points and blobs in MongoDB, through the official driver. */
import { resolve } from "node:path";
import { type BlobFiles, openBlobFiles } from "../blob-files.ts";
import type { Collection, CollectionDefinition, IndexDefinition, StoredDocument } from "../collection.ts";
import { StorageUnavailableError } from "../collection.ts";
import { makeDirectories } from "../directories.ts";
import { checkDefinition } from "../guard.ts";
import type { SchemaChange } from "../schema-steps.ts";
import { type Store, StoreOpenError, type TelemetryStore } from "../store.ts";
import { type UnservedQueries, watchUnservedQueries } from "../unserved-queries.ts";
import { CarefulCollection } from "./careful-collection.ts";
import { MongoBlobs } from "./mongo-blobs.ts";
import { MongoCollection, type ServerDocument } from "./mongo-collection.ts";
import { makeIndexes, type Shortcomings } from "./mongo-indexes.ts";
import { MongoLink } from "./mongo-link.ts";
import { migrate } from "./mongo-schema.ts";
import { connect, type MongoServer, type MongoServerSettings, openFailure } from "./mongo-server.ts";
import { openMongoTelemetry } from "./mongo-telemetry.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import type { LookedUpIndex } from "./unique-keys.ts";

export interface MongoStoreSettings extends MongoServerSettings {
  /** For local copies of blobs; made when it is not there. One per process. */
  readonly directory: string;
  readonly collections: readonly CollectionDefinition[];
  /** Refuse filters and sort orders that no index serves; otherwise they are counted and reported once each. Default false. */
  readonly strictFilters?: boolean;
  /** One line for the log. */
  readonly onWarning?: (message: string) => void;
}

export interface MongoStore extends Store {
  readonly schema: SchemaChange;
  /** Calls so far whose filter or sort order no index served. */
  unservedQueries(): number;
  /** Calls the server has not answered: what waits when it is slow or gone. */
  callsUnderWay(): number;
}

const cacheDirectory = "blob-cache";
const probeCollection = "probe";

/** Rejects with `StoreOpenError` for what somebody has to mend, with `StorageUnavailableError` while the server cannot be reached. */
export async function openMongoStore(settings: MongoStoreSettings): Promise<MongoStore> {
  for (const definition of settings.collections) checkDefinition(definition);
  const warn = settings.onWarning ?? (() => {});
  const server = await connect(settings);
  try {
    if (server.updatesOverlap) {
      warn("this MongoDB server does not update documents atomically: writes go one at a time, and no other process may use the database");
    }
    const schema = await migrate(server.database);
    const shortcomings = await makeIndexes(server.database, settings.collections, warn);
    const link = new MongoLink();
    // Of the whole database: it is one file there, and who finds it locked sleeps and tries again, in no order, for seconds.
    const turns = server.updatesOverlap ? new OneAtATime() : undefined;
    const telemetry = await openMongoTelemetry({ database: server.database, link, turns, onWarning: warn });
    const blobs = new MongoBlobs(server.database, link, await openCache(settings.directory));
    return assemble(settings, { server, schema, shortcomings, link, turns, telemetry, blobs });
  } catch (error) {
    await server.client.close();
    throw openFailure(error);
  }
}

interface Parts {
  readonly server: MongoServer;
  readonly schema: SchemaChange;
  readonly shortcomings: Shortcomings;
  readonly link: MongoLink;
  readonly turns: OneAtATime | undefined;
  readonly telemetry: TelemetryStore;
  readonly blobs: MongoBlobs;
}

function assemble(settings: MongoStoreSettings, parts: Parts): MongoStore {
  const { server, link, telemetry, blobs } = parts;
  const unserved = watchUnservedQueries(settings.strictFilters === true, settings.onWarning);
  const collections = new Map(settings.collections.map((definition) => [definition.name, makeCollection(definition, parts, unserved)]));
  const probed = server.database.collection<ServerDocument>(probeCollection);
  let probes = 0;
  return {
    schema: parts.schema,
    collection<T extends StoredDocument>(definition: CollectionDefinition): Collection<T> {
      const collection = collections.get(definition.name);
      if (collection === undefined) throw new Error(`the store was opened without the collection ${definition.name}`);
      // A collection's documents are of one type, by the feature that declares it.
      return collection as unknown as Collection<T>;
    },
    blobs,
    telemetry,
    isShared: true,
    async probe() {
      const count = ++probes;
      await link.ask(() => probed.updateOne({ _id: "probe" }, { $set: { count } }, { upsert: true }));
      const found = await link.ask(() => probed.findOne({ _id: "probe" }));
      if (found === null) throw new StorageUnavailableError("what was just written is not there");
    },
    async close() {
      await link.close();
      await blobs.close();
      await server.client.close();
    },
    unservedQueries: () => unserved.count(),
    callsUnderWay: () => link.underWay,
  };
}

function makeCollection(
  definition: CollectionDefinition,
  { server, shortcomings, link, turns }: Parts,
  { onUnserved }: UnservedQueries,
): Collection<StoredDocument> {
  const collection = server.database.collection<ServerDocument>(definition.name);
  const plain = new MongoCollection({ definition, collection, link, onUnserved });
  const withoutCounterpart = shortcomings.unguarded.get(definition.name) ?? [];
  const unguarded = server.missingKeysDiffer ? lookedUp(definition, withoutCounterpart) : withoutCounterpart;
  if (turns === undefined && unguarded.length === 0) return plain;
  return new CarefulCollection(plain, turns ?? new OneAtATime(), unguarded);
}

/** A server that tells missing keys apart does not say either which of two unique indexes refuses a document: then each is looked up. */
function lookedUp(definition: CollectionDefinition, withoutCounterpart: readonly IndexDefinition[]): readonly LookedUpIndex[] {
  const unique = definition.indexes.filter((index) => index.unique === true);
  return unique.map((index) => ({ ...index, guardsPresentKeys: unique.length === 1 && !withoutCounterpart.includes(index) }));
}

async function openCache(dataDirectory: string): Promise<BlobFiles> {
  const directory = resolve(dataDirectory, cacheDirectory);
  try {
    await makeDirectories(directory);
    return await openBlobFiles(directory);
  } catch (error) {
    throw new StoreOpenError(`cannot open the directory ${directory}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
