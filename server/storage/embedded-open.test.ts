import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { CollectionDefinition, StoredDocument } from "./collection.ts";
import { driversHere, openDriver } from "./drivers/open-driver.ts";
import { openEmbeddedStore } from "./embedded-store.ts";

interface Note extends StoredDocument {
  readonly n?: number;
  readonly text?: string;
}

const notes: CollectionDefinition = { name: "notes", indexes: [{ name: "n", fields: ["n"] }] };
let root: string;
let directory: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "store-open-"));
  directory = join(root, "a", "data");
});

afterEach(() => rm(root, { recursive: true }));

const openStore = (collections: readonly CollectionDefinition[] = [notes]) => openEmbeddedStore({ directory, collections });

/** One line that names the directory and the cause. */
const refusal = (cause: RegExp) => (error: Error) => {
  assert.equal(error.name, "StoreOpenError");
  assert.ok(error.message.includes(root), error.message);
  assert.ok(!error.message.includes("\n"), error.message);
  assert.match(error.message, cause);
  return true;
};

const fill = async (count: number): Promise<void> => {
  const store = await openStore();
  await store
    .collection<Note>(notes)
    .bulkWrite(Array.from({ length: count }, (_, n) => ({ insertOne: { document: { _id: `k${n}`, n, text: "x".repeat(200) } } })));
  await store.close();
};

test("open: makes the directory for this user alone, and what was written is there after a restart", async () => {
  await fill(3);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  const store = await openStore();
  assert.equal(await store.collection<Note>(notes).count({}), 3);
  await store.close();
});

test("open: a second store on the directory is refused, and may open once the first is closed", async () => {
  const first = await openStore();
  await assert.rejects(openStore(), refusal(/another server is using it/));
  await first.probe();
  await first.close();
  await (await openStore()).close();
});

test("open: a path below a file, or a file itself, is no directory", async () => {
  await writeFile(join(root, "a"), "");
  await assert.rejects(openStore(), refusal(/a part of its path is a file|it is a file/));
  directory = join(root, "a");
  await assert.rejects(openStore(), refusal(/it is a file|a part of its path is a file/));
});

test("open: a database file that cannot be opened", async () => {
  await fill(1);
  await rm(join(directory, "store.db"));
  const { mkdir } = await import("node:fs/promises");
  await mkdir(join(directory, "store.db"));
  await assert.rejects(openStore(), refusal(/store\.db/));
});

test("open: a file that is no database, and one that was cut short", async () => {
  await fill(500);
  const file = join(directory, "store.db");
  const whole = await readFile(file);
  await writeFile(file, Buffer.concat([Buffer.alloc(4_096, 7), whole.subarray(4_096)]));
  await assert.rejects(openStore(), refusal(/damaged/));
  await writeFile(file, whole);
  await truncate(file, 8_192);
  await assert.rejects(openStore(), refusal(/damaged/));
});

test("damage found later is a rejection, and other requests go on", async () => {
  await fill(2_000);
  const file = join(directory, "store.db");
  const handle = await open(file, "r+");
  const { size } = await handle.stat();
  await handle.write(Buffer.alloc(4_096 * 4, 255), 0, 4_096 * 4, Math.floor(size / 8_192) * 4_096);
  await handle.close();
  const store = await openStore();
  const reads = await Promise.allSettled(
    Array.from({ length: 2 }, () => store.collection<Note>(notes).find({}, { limit: 1_000, sort: { n: 1 } })),
  );
  await assert.rejects(store.collection<Note>(notes).count({ n: { $gte: 0 } }), { name: "StorageUnavailableError" });
  assert.equal(reads.length, 2);
  await store.probe();
  await store.close();
});

test("open: a file of a newer version is refused", async () => {
  await fill(1);
  for (const name of driversHere()) {
    const driver = await openDriver(name, join(directory, "store.db"));
    driver.exec("PRAGMA user_version = 99");
    driver.close();
  }
  await assert.rejects(openStore(), refusal(/version 99/));
});

test("open: indexes follow their definitions; a new unique index over duplicates is refused", async () => {
  await fill(10);
  const other: CollectionDefinition = { name: "notes", indexes: [{ name: "text", fields: ["text"] }] };
  const store = await openEmbeddedStore({ directory, collections: [other], strictFilters: true });
  const collection = store.collection<Note>(other);
  assert.equal((await collection.find({ text: "x".repeat(200) })).length, 10);
  await assert.rejects(collection.find({ n: 1 }), /no index serves this/);
  await store.close();
  const unique: CollectionDefinition = { name: "notes", indexes: [{ name: "text", fields: ["text"], unique: true }] };
  await assert.rejects(openStore([unique]), refusal(/UNIQUE/));
});

test("unserved filters are answered, counted, and reported once each when the store is not strict", async () => {
  const warnings: string[] = [];
  const store = await openEmbeddedStore({ directory, collections: [notes], onWarning: (message) => warnings.push(message) });
  const collection = store.collection<Note>(notes);
  await collection.insertOne({ _id: "a", text: "x" });
  for (let i = 0; i < 3; i++) assert.equal((await collection.find({ text: "x" })).length, 1);
  assert.equal(store.unservedQueries(), 3);
  assert.deepEqual(warnings, ["notes filtered by text: no index serves this"]);
  await store.close();
});

test("close: answers what was asked before, refuses what comes after, and may come twice", async () => {
  const store = await openStore();
  const collection = store.collection<Note>(notes);
  const writes = Array.from({ length: 200 }, (_, i) => collection.insertOne({ _id: `k${i}` }));
  const closing = store.close();
  assert.ok((await Promise.all(writes)).every((outcome) => outcome.ok));
  await closing;
  await store.close();
  await assert.rejects(collection.insertOne({ _id: "late" }), { name: "StorageUnavailableError" });
  await assert.rejects(store.probe(), { name: "StorageUnavailableError" });
});

test("drivers: a file written by one is read by the other", async (t) => {
  const drivers = driversHere();
  if (drivers.length < 2) return t.skip("this Node has one driver");
  for (const [position, driver] of [...drivers, ...drivers].entries()) {
    const store = await openEmbeddedStore({ directory, collections: [notes], driver });
    const collection = store.collection<Note>(notes);
    assert.equal(await collection.count({ n: { $gte: 0 } }), position);
    await collection.insertOne({ _id: `k${position}`, n: position + 0.1 });
    assert.equal((await collection.find({ n: position + 0.1 })).length, 1);
    await store.close();
  }
});
