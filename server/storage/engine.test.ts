import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { CollectionDefinition, Update } from "./collection.ts";
import type { DriverName } from "./drivers/driver.ts";
import { driversHere, openDriver } from "./drivers/open-driver.ts";
import { Engine } from "./engine.ts";
import type { Answer, StoreRequest } from "./requests.ts";
import { configure, createSchema } from "./schema.ts";

const notes: CollectionDefinition = { name: "notes", indexes: [{ name: "n", fields: ["n"], unique: true }] };
const insert = (id: string, n: number, size = 10): StoreRequest => {
  return { op: "insert", collection: "notes", id, document: JSON.stringify({ _id: id, n, text: "x".repeat(size) }), keys: [n] };
};
const kinds = (answers: readonly Answer[]): string => answers.map((answer) => (answer.ok ? "ok" : answer.kind)).join(" ");

async function openEngine(t: TestContext, name: DriverName) {
  const directory = await mkdtemp(join(tmpdir(), "engine-"));
  const driver = await openDriver(name, join(directory, "store.db"));
  t.after(async () => {
    driver.close();
    await rm(directory, { recursive: true });
  });
  configure(driver);
  createSchema(driver, [notes]);
  const engine = new Engine(driver, [notes]);
  return { driver, engine };
}

for (const name of driversHere()) {
  test(`engine, ${name}: a full disk fails the whole commit, keeps what was there, and goes on once there is room`, async (t) => {
    const { driver, engine } = await openEngine(t, name);
    assert.equal(kinds(engine.execute([insert("a", 1)])), "ok");
    const pages = Number(driver.get("PRAGMA page_count")?.[0]);
    driver.get(`PRAGMA max_page_count = ${pages + 3}`);
    // What is behind the request that failed is not taken: it goes into the next commit.
    const more = [insert("b", 2), insert("c", 3, 200_000), insert("d", 4)].values();
    assert.equal(kinds(engine.execute({ [Symbol.iterator]: () => ({ next: () => more.next() }) })), "unavailable unavailable");
    assert.deepEqual(more.next().value, insert("d", 4));
    const count: StoreRequest = { op: "count", collection: "notes", filter: {}, cap: 10 };
    assert.deepEqual(engine.execute([count]), [{ ok: true, text: "1" }]);
    driver.get("PRAGMA max_page_count = 1000000");
    assert.equal(kinds(engine.execute([insert("b", 2), insert("c", 3, 200_000), insert("d", 4)])), "ok ok ok");
    assert.deepEqual(engine.execute([count, { op: "verify" }]), [
      { ok: true, text: "4" },
      { ok: true, text: "[]" },
    ]);
  });

  test(`engine, ${name}: in one commit each request fails alone, and a series number given in a failed one is not kept`, async (t) => {
    const { driver, engine } = await openEngine(t, name);
    const answers = engine.execute([
      insert("a", 1),
      insert("a", 2),
      insert("b", 1),
      { ...insert("c", 3), collection: "nowhere" } as StoreRequest,
      insert("d", 4),
    ]);
    assert.equal(kinds(answers), "ok duplicate-key duplicate-key refused ok");
    const append = (endpoint: string): StoreRequest => ({ op: "append", points: JSON.stringify([[endpoint, "/1", 1, 1, '"v"']]) });
    const pages = Number(driver.get("PRAGMA page_count")?.[0]);
    driver.get(`PRAGMA max_page_count = ${pages + 3}`);
    assert.equal(kinds(engine.execute([append("first"), insert("big", 9, 200_000)])), "unavailable unavailable");
    driver.get("PRAGMA max_page_count = 1000000");
    assert.equal(kinds(engine.execute([append("second"), append("first")])), "ok ok");
    const range = (endpoint: string): StoreRequest => ({ op: "range", endpoint, path: "/1", fromMs: 0, toMs: 9, limit: 9 });
    assert.deepEqual(engine.execute([range("first"), range("second")]), [
      { ok: true, text: '[[1,1,"v"]]' },
      { ok: true, text: '[[1,1,"v"]]' },
    ]);
  });

  test(`engine, ${name}: a document that is changed again and again is what its text says, whatever was refused in between`, async (t) => {
    const { driver, engine } = await openEngine(t, name);
    const update = (update: Update): StoreRequest => {
      return { op: "update", collection: "notes", filter: { _id: "a" }, update, upsert: false, returning: true };
    };
    const find: StoreRequest = {
      ...{ op: "find", collection: "notes", filter: { n: 1 }, sort: "_id", descending: false, limit: 9 },
    };
    const expected = { _id: "a", n: 1, text: "y", list: [1, 2] };
    assert.equal(kinds(engine.execute([insert("a", 1), insert("b", 2)])), "ok ok");
    engine.execute([update({ $set: { text: "x", list: [1] } }), update({ $set: { text: "y" }, $push: { list: 2 } })]);
    const refused = [update({ $set: { text: "lost" }, $inc: { list: 1 } }), update({ $set: { n: 2, text: "lost" } })];
    assert.equal(kinds(engine.execute(refused)), "refused duplicate-key");
    assert.deepEqual(engine.execute([find]), [{ ok: true, text: JSON.stringify([expected]) }]);
    const pages = Number(driver.get("PRAGMA page_count")?.[0]);
    driver.get(`PRAGMA max_page_count = ${pages + 3}`);
    assert.equal(kinds(engine.execute([update({ $set: { text: "x".repeat(200_000) } })])), "unavailable");
    driver.get("PRAGMA max_page_count = 1000000");
    const last = { ...expected, list: [1, 2, 3] };
    assert.deepEqual(engine.execute([update({ $push: { list: 3 } })]), [{ ok: true, text: JSON.stringify(last) }]);
    assert.deepEqual(engine.execute([update({ $inc: { n: 7 } }), { op: "verify" }])[1], { ok: true, text: "[]" });
    assert.equal(Number(driver.get("SELECT k_n FROM c_notes WHERE id = 'a'")?.[0]), 8);
  });
}
