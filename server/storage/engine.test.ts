import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CollectionDefinition } from "./collection.ts";
import { driversHere, openDriver } from "./drivers/open-driver.ts";
import { Engine } from "./engine.ts";
import type { Answer, StoreRequest } from "./requests.ts";
import { configure, createSchema } from "./schema.ts";

const notes: CollectionDefinition = { name: "notes", indexes: [{ name: "n", fields: ["n"], unique: true }] };
const insert = (id: string, n: number, size = 10): StoreRequest => {
  return { op: "insert", collection: "notes", id, document: JSON.stringify({ _id: id, n, text: "x".repeat(size) }), keys: [n] };
};
const kinds = (answers: readonly Answer[]): string => answers.map((answer) => (answer.ok ? "ok" : answer.kind)).join(" ");

for (const name of driversHere()) {
  test(`engine, ${name}: a full disk fails the whole commit, keeps what was there, and goes on once there is room`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "engine-"));
    const driver = await openDriver(name, join(directory, "store.db"));
    t.after(async () => {
      driver.close();
      await rm(directory, { recursive: true });
    });
    configure(driver);
    createSchema(driver, [notes]);
    const engine = new Engine(driver, [notes]);
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
    const directory = await mkdtemp(join(tmpdir(), "engine-"));
    const driver = await openDriver(name, join(directory, "store.db"));
    t.after(async () => {
      driver.close();
      await rm(directory, { recursive: true });
    });
    configure(driver);
    createSchema(driver, [notes]);
    const engine = new Engine(driver, [notes]);
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
}
