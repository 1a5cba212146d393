import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MongoClient } from "mongodb";
import { ferretSuite } from "../../testing/platform/store-suite.ts";
import type { CollectionDefinition, StoredDocument } from "../collection.ts";
import { firstVersion, newestVersion, type SchemaStep, schemaSteps } from "../schema-steps.ts";
import { StoreOpenError } from "../store.ts";
import { migrate } from "./mongo-schema.ts";
import { openMongoStore } from "./mongo-store.ts";

const notes: CollectionDefinition = { name: "notes", indexes: [] };
const directory = mkdtempSync(join(tmpdir(), "mongo-schema-"));
after(() => rmSync(directory, { recursive: true }));
/** Of this server; the steps below are those of a later one. */
const today = newestVersion(schemaSteps);
const [next, last] = [today + 1, today + 2];
/** Each adds its own number; a document that has it was met before. */
const steps = [next, last].map(
  (to): SchemaStep => ({
    to,
    collection: "notes",
    change: (note) => (`v${to}` in note ? undefined : { ...note, [`v${to}`]: to, "a.b": 1 }),
  }),
);

ferretSuite(
  "Schema steps, FerretDB",
  (ferret) => {
    test("a step that was cut short runs again and meets its own work; the version is written behind each; a newer schema is refused", async (t) => {
      const url = ferret().url("steps");
      const settings = { url, collections: [notes], directory, poolSize: 2, timeoutMs: 5_000 };
      const store = await openMongoStore(settings);
      assert.deepEqual(store.schema, { from: firstVersion, to: today });
      const collection = store.collection<StoredDocument>(notes);
      const documents = Array.from({ length: 110 }, (_, n) => ({ _id: `n${n}` }));
      assert.deepEqual((await collection.bulkWrite(documents.map((document) => ({ insertOne: { document } })))).failed, []);
      await store.close();
      const client = await MongoClient.connect(url);
      t.after(() => client.close());
      const database = client.db("steps");
      let met = 0;
      let again = 0;
      const watched = (plugAt: number) =>
        steps.map((step) => ({
          ...step,
          change: (note: StoredDocument) => {
            if (++met === plugAt) throw new Error("the plug is pulled");
            const result = step.change(note);
            if (result === undefined) again++;
            return result;
          },
        }));
      // Within the second page of the second step: its first page is written.
      await assert.rejects(migrate(database, watched(110 + 70), 50), /the plug is pulled/);
      assert.deepEqual(await migrate(database, []).catch((error: Error) => error.constructor), StoreOpenError);
      met = 0;
      assert.deepEqual(await migrate(database, watched(0), 50), { from: next, to: last });
      assert.deepEqual([met, again], [110, 50]);
      assert.deepEqual(await migrate(database, watched(0), 50), { from: last, to: last });
      assert.equal(met, 110);
      await assert.rejects(
        openMongoStore(settings),
        (error) =>
          error instanceof StoreOpenError &&
          new RegExp(`a newer server .*version ${last}, this server knows up to ${today}`).test(error.message),
      );
      await database.collection("schema").deleteMany({});
      const reopened = await openMongoStore(settings);
      const found = await reopened.collection<StoredDocument>(notes).find({}, { limit: 100 });
      for (const { _id, ...rest } of found) assert.deepEqual(rest, { [`v${next}`]: next, [`v${last}`]: last, "a.b": 1 });
      assert.equal(found.length, 100);
      await reopened.close();
    });
  },
  { inMemory: true },
);
