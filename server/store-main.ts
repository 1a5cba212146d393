/** `npm run store -- COMMAND`: operations on what the server keeps. Code 0: done, 1: not done or something is wrong, 2: wrong usage. */
import { once } from "node:events";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { collections } from "./collections.ts";
import { secretKeyPath } from "./security/secret-key-file.ts";
import { parseSettings, type Settings } from "./settings/config.ts";
import { StorageUnavailableError } from "./storage/collection.ts";
import { databaseFile, openEmbeddedStore } from "./storage/embedded-store.ts";
import { openMongoStore } from "./storage/mongo/mongo-store.ts";
import type { SchemaChange } from "./storage/schema-steps.ts";
import { type Store, StoreOpenError } from "./storage/store.ts";
import { backUp, restore } from "./store-operations/backup.ts";
import { CommandError } from "./store-operations/command-error.ts";
import { type Counts, exportLines, importLines } from "./store-operations/interchange.ts";
import { findFaults } from "./store-operations/verify.ts";

const usage = `npm run store -- COMMAND [settings of npm start, such as --data-dir]
  backup PATH [--with-key]   copies the data directory to PATH, also while the server runs; the key that seals secrets only when asked to
  restore PATH               copies a backup into a data directory that is missing or empty
  export FILE|-              writes everything as lines of JSON; secrets stay sealed
  import FILE|-              reads such lines into a store that is empty
  migrate                    brings the store to this version's schema, as a start of the server does
  verify                     reads everything and says what is damaged
MONGO_URL chooses MongoDB, as for the server; backup and restore are for the embedded store.
`;

type Command = (settings: Settings, argument: string, withKey: boolean) => Promise<number>;
const commands: { readonly [name: string]: { readonly run: Command; readonly takes?: "PATH" | "FILE" } } = {
  backup: { run: runBackup, takes: "PATH" },
  restore: { run: runRestore, takes: "PATH" },
  export: { run: runExport, takes: "FILE" },
  import: { run: runImport, takes: "FILE" },
  migrate: { run: runMigrate },
  verify: { run: runVerify },
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const [name = "", ...rest] = args;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  const argument = command?.takes === undefined ? "" : (rest.shift() ?? "");
  if (command === undefined || (command.takes !== undefined && (argument === "" || argument.startsWith("--")))) return refuse(usage);
  const withKey = name === "backup" && rest.includes("--with-key");
  const parsed = parseSettings(
    process.env,
    rest.filter((flag) => !(withKey && flag === "--with-key")),
  );
  if (parsed.kind === "help") return refuse(usage);
  if (parsed.kind === "errors") return refuse(parsed.errors.map((line) => `${line}\n`).join(""));
  try {
    return await command.run(parsed.settings, argument, withKey);
  } catch (error) {
    const isExpected = error instanceof CommandError || error instanceof StoreOpenError || error instanceof StorageUnavailableError;
    const isOfSystem = error instanceof Error && "code" in error && "path" in error;
    if (!isExpected && !isOfSystem) throw error;
    say(error.message);
    return 1;
  }
}

async function runBackup(settings: Settings, target: string, withKey: boolean): Promise<number> {
  onlyEmbedded(settings, "mongodump makes backups of MongoDB");
  const keyFile = secretKeyPath({ file: settings.secretKeyFile, dataDir: settings.dataDir });
  const { blobs } = await backUp({ dataDir: settings.dataDir, collections, target, keyFile: withKey ? keyFile : undefined });
  say(`${target}: the database and ${blobs} blobs, read back and whole`);
  say(
    withKey
      ? "the key that opens its secrets is in it: keep it where the key may lie"
      : `its secrets open only with ${keyFile}: keep a copy of that elsewhere`,
  );
  return 0;
}

async function runRestore(settings: Settings, target: string): Promise<number> {
  onlyEmbedded(settings, "mongorestore restores MongoDB");
  const { blobs, hasKey } = await restore({ dataDir: settings.dataDir, collections, target });
  say(`${settings.dataDir}: the database and ${blobs} blobs of ${target}`);
  const keyFile = secretKeyPath({ file: settings.secretKeyFile, dataDir: settings.dataDir });
  say(
    hasKey
      ? "with the key that opens its secrets"
      : `the key that opens its secrets was not in the backup: put it at ${keyFile} before the server starts`,
  );
  say("the administrator key is made anew at the next start; devices that had a DTLS connection make a handshake");
  return 0;
}

async function runExport(settings: Settings, file: string): Promise<number> {
  return withStore(settings, async (store) => {
    let counts: Counts | undefined;
    const lines = Readable.from(
      (async function* () {
        counts = yield* exportLines(store, collections);
      })(),
    );
    if (file === "-") await pipeline(lines, process.stdout, { end: false });
    else {
      const unfinished = `${file}.unfinished`;
      try {
        await pipeline(lines, createWriteStream(unfinished, { mode: 0o600, flush: true }));
        await rename(unfinished, file);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
    }
    say(`${file}: ${counted(counts)}`);
    return 0;
  });
}

async function runImport(settings: Settings, file: string): Promise<number> {
  const input = file === "-" ? process.stdin : createReadStream(file);
  // A file that is not there is known before a store is made.
  if (file !== "-") await once(input, "readable");
  return withStore({ ...settings, mayMake: true }, async (store) => {
    const counts = await importLines(store, collections, linesOf(input));
    say(`imported from ${file}: ${counted(counts)}`);
    say("the key that opens the secrets in it is the one of the store it came from");
    return 0;
  });
}

/** Not `readline`: that lets go of lines that come before somebody reads them. */
async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function runMigrate(settings: Settings): Promise<number> {
  // Opening does it.
  return withStore(settings, async ({ schema: { from, to } }) => {
    say(from === to ? `the store has schema version ${to}, that of this server` : `schema version ${from} -> ${to}, that of this server`);
    return 0;
  });
}

function runVerify(settings: Settings): Promise<number> {
  return withStore(settings, async (store) => {
    const faults = await findFaults(store);
    for (const fault of faults) say(fault);
    say(faults.length === 0 ? "everything was read and is whole" : `${faults.length} faults: restore a backup`);
    return faults.length === 0 ? 0 : 1;
  });
}

type OpenedStore = Store & { readonly schema: SchemaChange };

async function withStore(
  settings: Settings & { readonly mayMake?: boolean },
  work: (store: OpenedStore) => Promise<number>,
): Promise<number> {
  const { dataDir: directory, mongoUrl: url, mongoPoolSize: poolSize, mongoTimeoutMs: timeoutMs } = settings;
  const shared = { directory, collections, onWarning: say };
  if (url === undefined && settings.mayMake !== true && !existsSync(join(directory, databaseFile))) {
    throw new CommandError(`there is no store in ${directory}: it has no ${databaseFile}`);
  }
  const store = url === undefined ? await openEmbeddedStore(shared) : await openMongoStore({ ...shared, url, poolSize, timeoutMs });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function onlyEmbedded({ mongoUrl }: Settings, instead: string): void {
  if (mongoUrl !== undefined) throw new CommandError(`this is for the embedded store, and MONGO_URL is set: ${instead}`);
}

function counted(counts: Counts | undefined): string {
  return `${counts?.documents ?? 0} documents, ${counts?.points ?? 0} points, ${counts?.blobs ?? 0} blobs`;
}

function refuse(text: string): number {
  process.stderr.write(text);
  return 2;
}

/** On stderr: stdout may be the export. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
