/** What a replica set is asked for, by the commands that reach a server that says it is one; what FerretDB refuses, by its own refusals. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { ScriptedMongo } from "../../testing/platform/scripted-mongo.ts";
import { ferretSuite } from "../../testing/platform/store-suite.ts";
import { type CollectionDefinition, StorageUnavailableError, type StoredDocument } from "../collection.ts";
import { type MongoStore, openMongoStore } from "./mongo-store.ts";

const notes: CollectionDefinition = {
  name: "notes",
  indexes: [
    { name: "n", fields: ["n"], where: { field: "open", equals: true } },
    { name: "m", fields: ["m"], where: { field: "open", equals: true } },
    { name: "key", fields: ["key"], unique: true },
  ],
};
const others: CollectionDefinition = { name: "others", indexes: [{ name: "n", fields: ["n"], where: { field: "open", equals: false } }] };

type Note = StoredDocument & { readonly n: number };

const directory = mkdtempSync(join(tmpdir(), "mongo-promises-"));
after(() => rmSync(directory, { recursive: true }));

const timeoutMs = 2_000;
const majority = { w: "majority", j: true, wtimeout: timeoutMs };
const journaled = { w: 1, j: true };

async function openScripted(t: TestContext, kind: "replica-set" | "standalone"): Promise<{ mongo: ScriptedMongo; store: MongoStore }> {
  const mongo = await ScriptedMongo.open(kind);
  t.after(() => mongo.close());
  const store = await openMongoStore({ url: mongo.url, collections: [notes], directory, poolSize: 2, timeoutMs });
  t.after(() => store.close());
  return { mongo, store };
}

/** One of each write the adapter makes. */
async function writeAll(store: MongoStore): Promise<void> {
  const collection = store.collection<Note>(notes);
  await collection.insertOne({ _id: "a", n: 1 });
  await collection.updateOne({ _id: "a" }, { $set: { n: 2 } });
  await collection.findOneAndUpdate({ _id: "a" }, { $inc: { n: 1 } });
  await collection.bulkWrite([{ insertOne: { document: { _id: "b", n: 1 } } }, { deleteOne: { filter: { _id: "a" } } }]);
  await collection.deleteOne({ _id: "a" });
  await collection.deleteMany({ _id: "a" });
  await store.telemetry.append([{ endpoint: "e", path: "/3303/0/5700", timeMs: 1, receivedMs: 1, value: 1 }]);
  await store.blobs.put(
    (async function* () {
      yield Uint8Array.of(1, 2, 3);
    })(),
    { maxBytes: 10 },
  );
}

const writeCommands: ReadonlySet<string> = new Set(["insert", "update", "delete", "findAndModify"]);

for (const [kind, wanted] of [
  ["replica-set", majority],
  ["standalone", journaled],
] as const) {
  test(`${kind}: every write asks for ${JSON.stringify(wanted)}`, async (t) => {
    const { mongo, store } = await openScripted(t, kind);
    await writeAll(store);
    const writes = mongo.commands.filter(({ name }) => writeCommands.has(name));
    assert.deepEqual(new Set(writes.map(({ name }) => name)), writeCommands);
    assert.ok(writes.length >= 10);
    for (const { name, body } of writes) assert.deepEqual(body["writeConcern"], wanted, `${name} on ${body[name]}`);
  });
}

test("replica set: every write of one document can be retried, none of many is", async (t) => {
  const { mongo, store } = await openScripted(t, "replica-set");
  await writeAll(store);
  for (const { name, body } of mongo.commands.filter(({ name }) => writeCommands.has(name))) {
    const deletesMany = name === "delete" && body["deletes"]?.some(({ limit }: { readonly limit: number }) => limit === 0);
    assert.equal("txnNumber" in body, !deletesMany, `${name} on ${body[name]}`);
  }
});

const moved = { ok: 0, code: 10_107, codeName: "NotWritablePrimary", errmsg: "not primary", errorLabels: ["RetryableWriteError"] };
for (const [what, answer] of [
  ["an election", moved],
  ["a connection that broke before the answer", "hang-up"],
] as const) {
  test(`replica set: a write that met ${what} is sent once more under the same number, and resolves`, async (t) => {
    const { mongo, store } = await openScripted(t, "replica-set");
    let failures = 1;
    mongo.script = ({ name }) => (name === "findAndModify" && failures-- > 0 ? answer : undefined);
    await store.collection<Note>(notes).findOneAndUpdate({ _id: "a", rev: 1 }, { $set: { rev: 2 } });
    const sent = mongo.named("findAndModify");
    assert.equal(sent.length, 2);
    assert.deepEqual(sent[0]?.["txnNumber"], sent[1]?.["txnNumber"]);
    assert.deepEqual(sent[0]?.["lsid"], sent[1]?.["lsid"]);
    assert.deepEqual(sent[0]?.["query"], sent[1]?.["query"]);
  });
}

test("replica set: an election that outlasts the second try is unavailability", async (t) => {
  const { mongo, store } = await openScripted(t, "replica-set");
  mongo.script = ({ name }) => (name === "update" ? moved : undefined);
  await assert.rejects(store.collection<Note>(notes).updateOne({ _id: "a" }, { $set: { n: 1 } }), StorageUnavailableError);
});

test("replica set: a write that no majority took in time is not acknowledged", async (t) => {
  const { mongo, store } = await openScripted(t, "replica-set");
  const collection = store.collection<Note>(notes);
  const late = { n: 1, nModified: 1, ok: 1, writeConcernError: { code: 64, codeName: "WriteConcernFailed", errmsg: "waiting timed out" } };
  mongo.script = ({ name }) => (writeCommands.has(name) ? late : undefined);
  const writes: readonly (() => Promise<unknown>)[] = [
    () => collection.insertOne({ _id: "a", n: 1 }),
    () => collection.updateOne({ _id: "a" }, { $set: { n: 1 } }),
    () => collection.findOneAndUpdate({ _id: "a" }, { $set: { n: 1 } }),
    () => collection.bulkWrite([{ insertOne: { document: { _id: "b", n: 1 } } }]),
    () => collection.deleteOne({ _id: "a" }),
    () => store.telemetry.append([{ endpoint: "e", path: "/1", timeMs: 1, receivedMs: 1, value: 1 }]),
    () => store.probe(),
  ];
  for (const [index, write] of writes.entries()) await assert.rejects(write(), StorageUnavailableError, `write ${index}`);
});

test("a server that has everything: partial indexes and a time-series collection are asked for, nothing is warned of", async (t) => {
  const mongo = await ScriptedMongo.open("replica-set");
  t.after(() => mongo.close());
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  const store = await openMongoStore({ ...{ url: mongo.url, collections: [notes], directory, poolSize: 2, timeoutMs }, onWarning });
  await store.close();
  const made = mongo.named("createIndexes").flatMap(({ indexes }) => indexes);
  assert.deepEqual(
    made.map(({ name, unique = false, partialFilterExpression = null }) => ({ name, unique, partialFilterExpression })),
    [
      { name: "i_n", unique: false, partialFilterExpression: { open: true } },
      { name: "i_m", unique: false, partialFilterExpression: { open: true } },
      { name: "i_key", unique: true, partialFilterExpression: null },
    ],
  );
  assert.deepEqual(mongo.named("create")[0]?.["timeseries"], { timeField: "t", metaField: "m", granularity: "minutes" });
  assert.deepEqual(warnings, []);
});

ferretSuite("MongoDB adapter, what FerretDB refuses by name", (ferret) => {
  test("partial indexes, time-series collections, overlapping updates: one warning each, at every start", async () => {
    const told = ["not update documents atomically", "no partial indexes", "no time-series collections"];
    for (const start of [1, 2]) {
      const warnings: string[] = [];
      const store = await openMongoStore({
        ...{ url: ferret().url("refusals"), collections: [notes, others], directory, poolSize: 2, timeoutMs },
        onWarning: (message) => warnings.push(message),
      });
      await store.close();
      assert.equal(warnings.length, told.length, `start ${start}: ${warnings.join("; ")}`);
      for (const text of told) assert.equal(warnings.filter((warning) => warning.includes(text)).length, 1, text);
    }
  });
});
