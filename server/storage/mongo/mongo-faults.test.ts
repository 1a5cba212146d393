import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ferretSuite } from "../../testing/platform/store-suite.ts";
import { type Collection, type CollectionDefinition, StorageUnavailableError, type StoredDocument } from "../collection.ts";
import { type Store, StoreOpenError } from "../store.ts";
import { openMongoStore } from "./mongo-store.ts";

const notes: CollectionDefinition = {
  name: "notes",
  indexes: [
    { name: "n", fields: ["n"] },
    { name: "key", fields: ["key"], unique: true },
  ],
};

interface Note extends StoredDocument {
  readonly n: number;
  readonly key: string;
}

const directory = mkdtempSync(join(tmpdir(), "mongo-faults-"));
after(() => rmSync(directory, { recursive: true }));

const open = (url: string, timeoutMs = 10_000, collections = [notes]) =>
  openMongoStore({ url, collections, directory, poolSize: 8, timeoutMs });

interface Load {
  /** By key, the last number whose write was acknowledged. */
  readonly kept: Map<string, number>;
  refused: number;
  readonly done: Promise<void>;
}

/** Writes one after the other until it is told to stop; an answer that was no promise is counted, anything else is a fault. */
function startLoad(collection: Collection<Note>, writer: number, isOver: () => boolean): Load {
  const kept = new Map<string, number>();
  const write = async (_id: string, n: number): Promise<void> => {
    const isNew = !kept.has(_id) && (await collection.insertOne({ _id, n, key: _id })).ok;
    if (!isNew) await collection.updateOne({ _id }, { $set: { n, key: _id } }, { upsert: true });
  };
  const run = async (): Promise<void> => {
    for (let n = 0; !isOver(); n++) {
      const _id = `w${writer}-${n % 50}`;
      try {
        await write(_id, n);
        kept.set(_id, n);
      } catch (error) {
        if (!(error instanceof StorageUnavailableError)) throw error;
        load.refused++;
      }
    }
  };
  const load: Load = { kept, refused: 0, done: Promise.resolve().then(run) };
  return load;
}

async function answers(store: Store): Promise<boolean> {
  return store.probe().then(
    () => true,
    () => false,
  );
}

ferretSuite("MongoDB adapter, FerretDB killed and halted", (ferret) => {
  test("killed -9 five times under load: what was acknowledged is there, and the store recovers by itself", async (t) => {
    const store = await open(ferret().url("killed"), 2_000);
    t.after(() => store.close());
    const collection = store.collection<Note>(notes);
    let isOver = false;
    const loads = Array.from({ length: 6 }, (_, writer) => startLoad(collection, writer, () => isOver));
    try {
      for (let round = 0; round < 5; round++) {
        for (let probes = 0; probes < 15; probes++) await store.probe();
        const refusedBefore = loads.map(({ refused }) => refused);
        await ferret().kill();
        // Until every writer knows.
        do await assert.rejects(store.probe(), StorageUnavailableError);
        while (!loads.every(({ refused }, writer) => refused > (refusedBefore[writer] ?? 0)));
        await ferret().start();
        // By itself: the first call that finds the server again is answered.
        while (!(await answers(store)));
      }
    } finally {
      isOver = true;
      await Promise.all(loads.map(({ done }) => done));
    }
    for (const { kept } of loads) {
      assert.ok(kept.size > 0);
      for (const [_id, n] of kept) {
        const found = await collection.findOne({ _id });
        // A later write that was refused may be there as well, an earlier one may not.
        assert.ok(found !== undefined && found.n >= n, `${_id}: ${found?.n} is older than ${n}`);
        const byKey = await collection.find({ key: _id });
        assert.deepEqual(byKey, [found], "its index agrees");
      }
    }
    assert.equal(store.callsUnderWay(), 0);
  });

  test("halted: calls end as unavailable within the time allowed, and work again when it goes on", async () => {
    const store = await open(ferret().url("halted"), 2_000);
    const collection = store.collection<Note>(notes);
    await collection.insertOne({ _id: "a", n: 1, key: "a" });
    ferret().halt();
    await Promise.all([
      assert.rejects(store.probe(), StorageUnavailableError),
      assert.rejects(collection.findOne({ _id: "a" }), StorageUnavailableError),
      assert.rejects(collection.insertOne({ _id: "b", n: 2, key: "b" }), StorageUnavailableError),
      assert.rejects(store.telemetry.append([{ endpoint: "e", path: "/1", timeMs: 1, receivedMs: 1, value: 1 }]), StorageUnavailableError),
    ]);
    ferret().resume();
    while (!(await answers(store)));
    assert.deepEqual(await collection.findOne({ _id: "a" }), { _id: "a", n: 1, key: "a" });
    await store.close();
  });

  test("closed: what was asked before is answered, what comes after is unavailable", async () => {
    const store = await open(ferret().url("closed"));
    const collection = store.collection<Note>(notes);
    const asked = Array.from({ length: 20 }, (_, i) => collection.insertOne({ _id: `c${i}`, n: i, key: `c${i}` }));
    await store.probe();
    const closing = store.close();
    await assert.rejects(collection.findOne({ _id: "c1" }), StorageUnavailableError);
    await assert.rejects(store.probe(), StorageUnavailableError);
    const outcomes = await Promise.allSettled(asked);
    await closing;
    const reopened = await open(ferret().url("closed"));
    const there = new Set((await reopened.collection<Note>(notes).find({})).map((note) => note._id));
    for (const [i, outcome] of outcomes.entries()) {
      assert.equal(outcome.status === "fulfilled", there.has(`c${i}`), `c${i}`);
    }
    await reopened.close();
  });

  test("opened with other indexes: those that differ are made anew, an operator's own stays", async () => {
    const url = ferret().url("indexes");
    await (await open(url)).close();
    const changed: CollectionDefinition = { name: "notes", indexes: [{ name: "n", fields: ["n", "key"] }] };
    const store = await open(url, 10_000, [changed]);
    const collection = store.collection<Note>(changed);
    // The unique key is no longer declared.
    for (const _id of ["a", "b"]) assert.deepEqual(await collection.insertOne({ _id, n: 1, key: "same" }), { ok: true });
    await store.close();
    await assert.rejects(open(url), (error) => error instanceof StoreOpenError && /do not fit/.test(error.message));
  });

  test("a filter no index serves is counted and reported once", async () => {
    const warnings: string[] = [];
    const store = await openMongoStore({
      ...{ url: ferret().url("unserved"), collections: [notes], directory, poolSize: 2, timeoutMs: 10_000 },
      onWarning: (message) => warnings.push(message),
    });
    const collection = store.collection<Note>(notes);
    warnings.length = 0;
    for (let i = 0; i < 3; i++) assert.deepEqual(await collection.find({ other: 1 }), []);
    assert.equal(store.unservedQueries(), 3);
    assert.deepEqual(warnings, ["notes filtered by other: no index serves this"]);
    await store.close();
  });
});

test("no server there: unavailable within the time allowed, worth another try", async () => {
  await assert.rejects(open("mongodb://127.0.0.1:1/none", 300), StorageUnavailableError);
});

for (const url of [
  "http://127.0.0.1/x",
  "mongodb://",
  "mongodb://user:the-secret@127.0.0.1:1:2/x",
  "mongodb://127.0.0.1/x?w=nonsense&unknownOption=1",
]) {
  test(`an address that cannot be one: ${url}`, async () => {
    await assert.rejects(
      open(url, 300),
      (error) => error instanceof StoreOpenError && /^MONGO_URL: \S/.test(error.message) && !/the-secret/.test(error.message),
    );
  });
}
