import assert from "node:assert/strict";
import { test } from "node:test";
import type { CollectionDefinition, Filter } from "./collection.ts";
import { openDriver, usualDriver } from "./drivers/open-driver.ts";
import { isServed, narrow } from "./narrowing.ts";
import { createSchema } from "./schema.ts";

const jobs: CollectionDefinition = {
  name: "jobs",
  indexes: [
    { name: "location", fields: ["location"], unique: true },
    { name: "due", fields: ["wakeAt"], where: { field: "open", equals: true } },
    { name: "outbox", fields: ["hasOutbox"], where: { field: "hasOutbox", equals: true } },
    { name: "group", fields: ["group.name", "rank"] },
    { name: "state", fields: ["state"], where: { field: "kind", equals: "it's" } },
  ],
};

const served: readonly (readonly [Filter, string])[] = [
  [{ location: "abc" }, "i_jobs_location"],
  [{ location: { $in: ["a", "b"] } }, "i_jobs_location"],
  [{ location: { $gte: "a", $lt: "b" } }, "i_jobs_location"],
  [{ open: true, wakeAt: { $lte: 5 } }, "i_jobs_due"],
  [{ $and: [{ open: true }, { wakeAt: { $lte: 5 } }] }, "i_jobs_due"],
  [{ hasOutbox: true }, "i_jobs_outbox"],
  [{ "group.name": "g", rank: { $gt: 0.1 } }, "i_jobs_group"],
  [{ "group.name": 2 ** 60 }, "i_jobs_group"],
  [{ "group.name": null }, "i_jobs_group"],
  [{ kind: "it's", state: "x" }, "i_jobs_state"],
  [{ _id: "a", open: true }, "sqlite_autoindex_c_jobs_1"],
  [{ _id: { $in: ["a", "b"] } }, "sqlite_autoindex_c_jobs_1"],
  [{ _id: { $gt: "a" } }, "sqlite_autoindex_c_jobs_1"],
];

test("narrowing: SQLite answers a served filter by its index, never by reading the table", async () => {
  const driver = await openDriver(usualDriver(), ":memory:");
  createSchema(driver, [jobs]);
  for (const [filter, index] of served) {
    assert.ok(isServed(jobs, filter), JSON.stringify(filter));
    const { terms, parameters } = narrow(jobs, filter);
    const plan = driver
      .all(`EXPLAIN QUERY PLAN SELECT doc FROM "c_jobs" WHERE ${terms.join(" AND ")}`, parameters)
      .map((row) => String(row[3]));
    assert.ok(
      plan.some((line) => line.startsWith("SEARCH c_jobs") && line.includes(index)),
      `${JSON.stringify(filter)}: ${plan.join("; ")}`,
    );
    assert.ok(!plan.some((line) => line.startsWith("SCAN c_jobs")), plan.join("; "));
  }
  driver.close();
});

test("narrowing: a page in the order of an index is not sorted", async () => {
  const driver = await openDriver(usualDriver(), ":memory:");
  createSchema(driver, [jobs]);
  const { terms, parameters } = narrow(jobs, { open: true, wakeAt: { $lte: 5 } });
  const order = 'ORDER BY "k_wakeAt" ASC, id ASC LIMIT 10';
  const plan = driver.all(`EXPLAIN QUERY PLAN SELECT doc FROM "c_jobs" WHERE ${terms.join(" AND ")} ${order}`, parameters);
  assert.ok(!plan.some((row) => String(row[3]).includes("TEMP B-TREE")), JSON.stringify(plan));
  driver.close();
});

test("narrowing: filters that no index serves are told apart", () => {
  const filters: readonly Filter[] = [
    { plain: 1 },
    { wakeAt: { $lte: 5 } },
    { open: true },
    { open: false, wakeAt: 1 },
    { rank: 1 },
    { location: { $ne: "a" } },
    { location: { $exists: true } },
    { location: { a: 1 } },
    { $or: [{ location: "a" }, { plain: 1 }] },
  ];
  for (const filter of filters) assert.equal(isServed(jobs, filter), false, JSON.stringify(filter));
  assert.equal(isServed(jobs, {}), true);
});
