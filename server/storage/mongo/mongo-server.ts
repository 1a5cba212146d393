/** The connection to the server: opened once, asked what it is, and with it how a write there is durable. */
import { type Db, MongoClient, type MongoClientOptions, MongoServerError, type WriteConcernSettings } from "mongodb";
import { StorageUnavailableError } from "../collection.ts";
import { StoreOpenError } from "../store.ts";
import { causeOf, isDuplicateKey } from "./mongo-failure.ts";

export interface MongoServerSettings {
  /** May hold a password: never shown. */
  readonly url: string;
  /** Connections at most. */
  readonly poolSize: number;
  /** How long one call may wait for the server, for a connection and for the answer. */
  readonly timeoutMs: number;
}

export interface MongoServer {
  readonly client: MongoClient;
  /** Every write through it is durable when it resolves. */
  readonly database: Db;
  /** The server reads a document and writes it back in two steps: updates must not overlap. */
  readonly updatesOverlap: boolean;
  /** The server takes two documents without a unique key. */
  readonly missingKeysDiffer: boolean;
}

/** Where the address names no database. */
const usualDatabase = "lwm2m";
/** MongoDB 5.0: several partial indexes of one key, time-series collections. */
const oldestWireVersion = 13;
/** Unauthorized, AuthenticationFailed, and what hosted services say instead. */
const accessRefused: ReadonlySet<unknown> = new Set([13, 18, 8_000]);
/** What is there does not fit what is to be made: CannotCreateIndex, InvalidOptions, IndexOptionsConflict, IndexKeySpecsConflict. */
const contentsRefused: ReadonlySet<unknown> = new Set([67, 72, 85, 86]);

/** Rejects with `StoreOpenError` for what somebody has to mend, with `StorageUnavailableError` where trying again may help. */
export async function connect(settings: MongoServerSettings): Promise<MongoServer> {
  const client = makeClient(settings);
  try {
    await client.connect();
    const admin = client.db("admin");
    const hello = await admin.command({ hello: 1 });
    const build = await admin.command({ buildInfo: 1 });
    if (Number(hello["maxWireVersion"]) < oldestWireVersion) throw new StoreOpenError(`MONGO_URL: MongoDB ${build["version"]} is too old`);
    const isReplicated = typeof hello["setName"] === "string" || hello["msg"] === "isdbgrid";
    const isFerret = "ferretdbVersion" in build;
    return {
      client,
      database: client.db(databaseOf(settings.url), { writeConcern: durableWrite(isReplicated, settings.timeoutMs) }),
      updatesOverlap: isFerret,
      missingKeysDiffer: isFerret,
    };
  } catch (error) {
    await client.close();
    throw openFailure(error);
  }
}

export function openFailure(error: unknown): Error {
  if (error instanceof StoreOpenError || error instanceof StorageUnavailableError) return error;
  if (error instanceof MongoServerError && accessRefused.has(error.code)) {
    return new StoreOpenError(`MONGO_URL: the user, its password or its rights do not fit: ${causeOf(error)}`);
  }
  if (isDuplicateKey(error) || (error instanceof MongoServerError && contentsRefused.has(error.code))) {
    return new StoreOpenError(`MONGO_URL: the collections there do not fit this server: ${causeOf(error)}`);
  }
  return new StorageUnavailableError(causeOf(error));
}

/** A majority has it in its journal, or, where there is one server only, that one has. */
function durableWrite(isReplicated: boolean, timeoutMs: number): WriteConcernSettings {
  return isReplicated ? { w: "majority", journal: true, wtimeoutMS: timeoutMs } : { w: 1, journal: true };
}

function makeClient({ url, poolSize, timeoutMs }: MongoServerSettings): MongoClient {
  const options: MongoClientOptions = {
    appName: "lwm2m-server",
    maxPoolSize: poolSize,
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    socketTimeoutMS: timeoutMs,
    waitQueueTimeoutMS: timeoutMs,
  };
  // What the address says itself stands.
  const given = new Set([...url.matchAll(/[?&]([a-zA-Z]+)=/g)].map(([, name]) => name?.toLowerCase()));
  const open = Object.entries(options).filter(([name]) => !given.has(name.toLowerCase()));
  try {
    return new MongoClient(url, {
      ...Object.fromEntries(open),
      ...{ readPreference: "primary", retryWrites: true, retryReads: true, monitorCommands: false },
    });
  } catch (error) {
    throw new StoreOpenError(`MONGO_URL: ${causeOf(error)}`);
  }
}

function databaseOf(url: string): string {
  const name = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]+)/.exec(url)?.[1];
  return name === undefined ? usualDatabase : decodeURIComponent(name);
}
