import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CollectionDefinition, StoredDocument } from "./collection.ts";
import { driversHere, openDriver } from "./drivers/open-driver.ts";
import { openEmbeddedStore } from "./embedded-store.ts";
import { configure, createSchema } from "./schema.ts";
import { NewerSchemaError, newestVersion, type SchemaStep, schemaSteps } from "./schema-steps.ts";

const notes: CollectionDefinition = { name: "notes", indexes: [] };
const labelled: CollectionDefinition = { name: "notes", indexes: [{ name: "label", fields: ["label"], unique: true }] };
/** As a real step is: what has its new field already stays as it is. */
const steps: readonly SchemaStep[] = [
  { to: 2, collection: "notes", change: (note) => ("label" in note ? undefined : { ...note, label: `note ${note._id}` }) },
  { to: 3, collection: "nowhere", change: () => undefined },
  { to: 4, collection: "notes", change: (note) => ("length" in note ? undefined : { ...note, length: String(Object(note).label).length }) },
];

test("the steps of this server follow each other, one version each", () => {
  assert.deepEqual(
    schemaSteps.map(({ to }) => to),
    schemaSteps.map((_, n) => n + 2),
  );
});

for (const name of driversHere()) {
  test(`schema steps, ${name}: all in one transaction; cut short, nothing of them is there and they run again; a newer schema is refused`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "steps-"));
    t.after(() => rm(directory, { recursive: true }));
    const store = await openEmbeddedStore({ directory, collections: [notes], driver: name });
    assert.deepEqual(store.schema, { from: newestVersion(schemaSteps), to: newestVersion(schemaSteps) });
    const collection = store.collection<StoredDocument>(notes);
    for (let at = 0; at < 1_300; at += 100) {
      await collection.bulkWrite(Array.from({ length: 100 }, (_, n) => ({ insertOne: { document: { _id: `n${at + n}` } } })));
    }
    await store.close();
    // One connection throughout: a lock that was left behind would show.
    const driver = await openDriver(name, join(directory, "store.db"));
    t.after(() => driver.close());
    configure(driver);
    // As the steps below begin with.
    driver.exec("PRAGMA user_version = 1");
    const open = (taken: readonly SchemaStep[], definition: CollectionDefinition) => ({
      change: createSchema(driver, [definition], taken),
      rows: driver.all("SELECT doc FROM c_notes ORDER BY id").map(([text]) => JSON.parse(String(text))),
    });
    let met = 0;
    const failing = steps.map((step) => ({
      ...step,
      change: (note: StoredDocument) => {
        if (++met === 2_000) throw new Error("the plug is pulled");
        return step.change(note);
      },
    }));
    assert.throws(() => open(failing, labelled), /the plug is pulled/);
    const before = open([], notes);
    assert.deepEqual([before.change, before.rows[0]], [{ from: 1, to: 1 }, { _id: "n0" }]);
    const { change, rows } = open(steps, labelled);
    assert.deepEqual(change, { from: 1, to: 4 });
    assert.equal(rows.length, 1_300);
    for (const { _id, ...rest } of rows) assert.deepEqual(rest, { label: `note ${_id}`, length: `note ${_id}`.length });
    assert.deepEqual(open(steps, labelled).change, { from: 4, to: 4 });
    assert.throws(() => open(steps.slice(0, 1), labelled), NewerSchemaError);
    const renaming = [...steps, { to: 5, collection: "notes", change: (): StoredDocument => ({ _id: "other" }) }];
    assert.throws(() => open(renaming, labelled), /renames n0 to other/);
    assert.equal(open(steps, labelled).change.from, 4);
  });
}
