import assert from "node:assert/strict";
import { test } from "node:test";
import type { CollectionDefinition, IndexDefinition } from "./collection.ts";
import type { SqlDriver } from "./drivers/driver.ts";
import { driversHere, openDriver } from "./drivers/open-driver.ts";
import { Engine } from "./engine.ts";
import { indexedFields } from "./guard.ts";
import { foreignKeys } from "./key-check.ts";
import { keysOf } from "./key-columns.ts";
import type { StoreRequest } from "./requests.ts";
import { createSchema } from "./schema.ts";

const location: IndexDefinition = { name: "location", fields: ["locationId"], unique: true };
const due: IndexDefinition = { name: "due", fields: ["wakeAt"], where: { field: "open", equals: true } };
const withIndexes = (...indexes: readonly IndexDefinition[]): CollectionDefinition => ({ name: "jobs", indexes });
const jobs = withIndexes(location, due);

const documents = [
  { _id: "a", locationId: "x", wakeAt: 0.1, open: true },
  { _id: "b", locationId: "y", wakeAt: 2 ** 60, open: true },
  { _id: "c", locationId: "half \ud800 pair", wakeAt: null, open: false },
  { _id: "d" },
];

const ids = (engine: Engine, filter: StoreRequest & { readonly op: "count" }): readonly string[] => {
  const [answer] = engine.execute([{ ...filter, op: "find", sort: "_id", descending: false, limit: 10 }]);
  return answer?.ok === true ? JSON.parse(answer.text).map(({ _id }: { _id: string }) => _id) : [];
};
const byKey = (filter: StoreRequest & { readonly op: "count" } extends { readonly filter: infer F } ? F : never) =>
  ({ op: "count", collection: "jobs", filter, cap: 1 }) as const;

function indexesIn(driver: SqlDriver): readonly string[] {
  return driver
    .all("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = 'c_jobs' ORDER BY name")
    .map(([name]) => String(name));
}

for (const name of driversHere()) {
  test(`key columns, ${name}: a file of before, with indexes of expressions, is brought forward whole`, async (t) => {
    const driver = await openDriver(name, ":memory:");
    t.after(() => driver.close());
    driver.exec('CREATE TABLE "c_jobs" (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL)');
    driver.exec(`CREATE UNIQUE INDEX "i_jobs_location" ON "c_jobs" (json_extract(doc,'$."locationId"'))`);
    driver.exec("PRAGMA user_version = 1");
    for (const document of documents) driver.run('INSERT INTO "c_jobs" (id, doc) VALUES (?, ?)', [document._id, JSON.stringify(document)]);
    assert.equal(createSchema(driver, [jobs]).from, 1);
    assert.deepEqual(foreignKeys(driver, jobs), []);
    const engine = new Engine(driver, [jobs]);
    for (const { _id, locationId, wakeAt, open } of documents) {
      if (locationId !== undefined) assert.deepEqual(ids(engine, byKey({ locationId })), [_id]);
      if (open === true && wakeAt !== null) assert.deepEqual(ids(engine, byKey({ open, wakeAt: { $in: [wakeAt, -1] } })), [_id]);
    }
    assert.deepEqual(indexesIn(driver), ["i_jobs_due", "i_jobs_location", "i_jobs_location_null"]);
  });

  test(`key columns, ${name}: an index that goes takes its column along, one that comes back is right from its first day`, async (t) => {
    const driver = await openDriver(name, ":memory:");
    t.after(() => driver.close());
    createSchema(driver, [jobs]);
    const insert = (definition: CollectionDefinition, document: { readonly _id: string }): StoreRequest => ({
      ...{ op: "insert", collection: "jobs", id: document._id, document: JSON.stringify(document) },
      keys: keysOf(definition, document),
    });
    new Engine(driver, [jobs]).execute(documents.map((document) => insert(jobs, document)));
    const fewer = withIndexes(location);
    createSchema(driver, [fewer]);
    assert.deepEqual(indexesIn(driver), ["i_jobs_location", "i_jobs_location_null"]);
    const changed = { op: "update", collection: "jobs", upsert: false, returning: false } as const;
    new Engine(driver, [fewer]).execute([{ ...changed, filter: { _id: "a" }, update: { $set: { wakeAt: 7 } } }]);
    createSchema(driver, [jobs]);
    assert.deepEqual(foreignKeys(driver, jobs), []);
    assert.deepEqual(ids(new Engine(driver, [jobs]), byKey({ open: true, wakeAt: 7 })), ["a"]);
  });

  test(`key columns, ${name}: the check tells a key that is not its document's`, async (t) => {
    const driver = await openDriver(name, ":memory:");
    t.after(() => driver.close());
    createSchema(driver, [jobs]);
    const engine = new Engine(driver, [jobs]);
    assert.deepEqual(indexedFields(jobs), ["locationId", "wakeAt", "open"]);
    engine.execute([{ op: "insert", collection: "jobs", id: "a", document: JSON.stringify(documents[0]), keys: ["x", 0.2, true] }]);
    const [answer] = engine.execute([{ op: "verify" }]);
    assert.deepEqual(answer, { ok: true, text: '["jobs: a is indexed by another wakeAt"]' });
  });
}
