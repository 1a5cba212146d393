/** The part of the store contract about keys, documents as they come back, and points. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Collection, Json } from "./collection.ts";
import type { Lack, Thing } from "./contract-cases.ts";
import type { SeriesName, SeriesQuery, Store } from "./store.ts";

type Get = () => Collection<Thing>;

export function describeKeys(things: Get, keyed: Get): void {
  test("insertOne: a second document with the same _id or unique key is refused, and the first one stays", async () => {
    assert.deepEqual(await keyed().insertOne({ _id: "a", key: "k", n: 1 }), { ok: true });
    assert.deepEqual(await keyed().insertOne({ _id: "a", key: "k", n: 2 }), { ok: false, reason: "duplicate-key", index: "_id" });
    assert.deepEqual(await keyed().insertOne({ _id: "b", key: "k", n: 2 }), { ok: false, reason: "duplicate-key", index: "key" });
    assert.equal(await keyed().count({}), 1);
    assert.equal((await keyed().findOne({ _id: "a" }))?.["n"], 1);
  });
  test("unique key: two documents without it collide, as two nulls do", async () => {
    assert.equal((await keyed().insertOne({ _id: "a" })).ok, true);
    assert.deepEqual(await keyed().insertOne({ _id: "b", key: null }), { ok: false, reason: "duplicate-key", index: "key" });
    assert.equal((await keyed().insertOne({ _id: "c", key: "null" })).ok, true);
  });
  test("partial unique key: collides only inside its part", async () => {
    assert.equal((await keyed().insertOne({ _id: "a", key: 1, slot: "s", open: true })).ok, true);
    assert.equal((await keyed().insertOne({ _id: "b", key: 2, slot: "s", open: false })).ok, true);
    assert.deepEqual(await keyed().insertOne({ _id: "c", key: 3, slot: "s", open: true }), {
      ok: false,
      reason: "duplicate-key",
      index: "slot",
    });
    await assert.rejects(keyed().updateOne({ _id: "b" }, { $set: { open: true } }), { name: "DuplicateKeyError", index: "slot" });
    await keyed().updateOne({ _id: "a" }, { $set: { open: false } });
    assert.equal((await keyed().updateOne({ _id: "b" }, { $set: { open: true } })).matched, 1);
  });
  test("updateOne and upsert: a key that is taken rejects and changes nothing", async () => {
    await keyed().insertOne({ _id: "a", key: "k1" });
    await keyed().insertOne({ _id: "b", key: "k2" });
    await assert.rejects(keyed().updateOne({ _id: "b" }, { $set: { key: "k1" } }), { name: "DuplicateKeyError", index: "key" });
    await assert.rejects(keyed().updateOne({ _id: "a", key: "other" }, { $set: { n: 1 } }, { upsert: true }), {
      name: "DuplicateKeyError",
      index: "_id",
    });
    assert.deepEqual(await keyed().find({}), [
      { _id: "a", key: "k1" },
      { _id: "b", key: "k2" },
    ]);
  });
  test("50 inserts of one key at once: one wins", async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, i) => keyed().insertOne({ _id: `i${i}`, key: "same" })));
    assert.equal(outcomes.filter((outcome) => outcome.ok).length, 1);
    assert.equal(await keyed().count({}), 1);
  });
  test("50 upserts of one _id at once: one makes it, all count", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () => things().updateOne({ _id: "up" }, { $inc: { n: 1 } }, { upsert: true })),
    );
    assert.equal(outcomes.filter((outcome) => outcome.upserted).length, 1);
    assert.equal((await things().findOne({ _id: "up" }))?.["n"], 50);
  });
  test("bulkWrite: what fails is named by position, everything else applies", async () => {
    await keyed().insertOne({ _id: "a", key: "k" });
    const outcome = await keyed().bulkWrite([
      { insertOne: { document: { _id: "b", key: "k" } } },
      { insertOne: { document: { _id: "c", key: "k3" } } },
      { updateOne: { filter: { _id: "a" }, update: { $set: { n: 7 } } } },
      { updateOne: { filter: { _id: "d" }, update: { $set: { key: "k" } }, upsert: true } },
      { updateOne: { filter: { _id: "e" }, update: { $set: { key: "k5" } }, upsert: true } },
      { updateOne: { filter: { _id: "nobody" }, update: { $set: { n: 7 } } } },
      { deleteOne: { filter: { _id: "nobody" } } },
    ]);
    assert.deepEqual(outcome, {
      failed: [
        { position: 0, reason: "duplicate-key" },
        { position: 3, reason: "duplicate-key" },
      ],
      matched: 1,
    });
    assert.deepEqual(
      (await keyed().find({})).map((document) => document._id),
      ["a", "c", "e"],
    );
    assert.equal((await keyed().findOne({ _id: "a" }))?.["n"], 7);
    assert.deepEqual(await keyed().bulkWrite([]), { failed: [], matched: 0 });
  });
  test("a request that fails disturbs none that runs beside it", async () => {
    await things().insertOne({ _id: "text", value: "x" });
    const outcomes = await Promise.allSettled([
      things().insertOne({ _id: "one" }),
      things().updateOne({ _id: "text" }, { $inc: { value: 1 } }),
      things().insertOne({ _id: "text" }),
      things().insertOne({ _id: "two" }),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ["fulfilled", "rejected", "fulfilled", "fulfilled"],
    );
    assert.equal(await things().count({}), 3);
  });
}

export function describeDocuments(things: Get, lacks: readonly Lack[]): void {
  const list = lacks.includes("nested-arrays") ? [] : [[]];
  const documents: readonly (readonly [string, Thing])[] = [
    ["every JSON type, nested", { _id: "j", a: [1, "x", null, true, { b: list }], o: {}, f: -1.5e-7, z: 0 }],
    ["texts of every kind", { _id: "ключ 😀 \u{10ffff}", s: 'a\u0000b\u2028"\\\n\ud7ff\uffff' }],
    ["64-bit integers as texts", { _id: "long", max: "9223372036854775807", min: "-9223372036854775808", safe: 2 ** 53 - 1 }],
    ["numbers at the edges", { _id: "num", m: [5e-324, 1.7976931348623157e308, 2 ** 53, 0.1, 1e21, 123456789012345680000] }],
    ["names that mean something elsewhere", { _id: "names", constructor: "c", toString: 1, "with.dot": 2, nested: { $gt: 1, "": 3 } }],
  ];
  for (const [title, document] of documents) {
    test(`document: ${title}, comes back as it was, also after an update`, async () => {
      await things().insertOne(document);
      assert.deepEqual(await things().findOne({ _id: document._id }), document);
      await things().updateOne({ _id: document._id }, { $set: { touched: true } });
      assert.deepEqual(await things().findOne({ _id: document._id }), { ...document, touched: true });
    });
  }
  test("document: a field called __proto__ is a field like any other", async () => {
    const document = JSON.parse('{"_id":"p","deep":{"__proto__":{"polluted":1}},"__proto__":{"polluted":2}}') as Thing;
    await things().insertOne(document);
    await things().updateOne({ _id: "p" }, { $set: { value: JSON.parse('{"__proto__":{"polluted":3}}') } });
    const text = JSON.stringify(await things().findOne({ _id: "p" }));
    assert.equal(text, '{"_id":"p","deep":{"__proto__":{"polluted":1}},"__proto__":{"polluted":2},"value":{"__proto__":{"polluted":3}}}');
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });
  test("document: optional fields spelled out as undefined are left out", async () => {
    await things().insertOne({ _id: "u", there: 1, gone: undefined });
    assert.deepEqual(await things().findOne({ _id: "u" }), { _id: "u", there: 1 });
  });
  test("document: one megabyte in one text and in ten thousand fields", async () => {
    const fields = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`field${i}`, "x".repeat(80)]));
    await things().insertOne({ _id: "big", text: "é".repeat(1 << 20), fields });
    const found = await things().findOneAndUpdate({ _id: "big" }, { $set: { "fields.field77": "y" }, $inc: { n: 1 } });
    assert.equal(String(found?.["text"]).length, 1 << 20);
    assert.deepEqual(found?.["fields"], { ...fields, field77: "y" });
  });
}

export function describeTelemetry(store: () => Store): void {
  const point = (path: string, timeMs: number, value: Json) => ({ endpoint: "urn:ep:1", path, timeMs, receivedMs: timeMs + 5, value });
  test("telemetry: points come back in order of time, within the range, the last value of a time winning", async () => {
    await store().telemetry.append([point("/3303/0/5700", 30, 3.5), point("/3303/0/5700", 10, "1"), point("/3303/1/5700", 10, 9)]);
    await store().telemetry.append([point("/3303/0/5700", 20.5, { a: [null] }), point("/3303/0/5700", 30, "9223372036854775807")]);
    const range = (fromMs: number, toMs: number, limit = 10) =>
      store().telemetry.range({ endpoint: "urn:ep:1", path: "/3303/0/5700", fromMs, toMs, limit });
    assert.deepEqual(await range(0, 100), [
      point("/3303/0/5700", 10, "1"),
      point("/3303/0/5700", 20.5, { a: [null] }),
      point("/3303/0/5700", 30, "9223372036854775807"),
    ]);
    assert.deepEqual(
      (await range(10, 30)).map((found) => found.timeMs),
      [10, 20.5],
    );
    assert.deepEqual(
      (await range(0, 100, 1)).map((found) => found.timeMs),
      [10],
    );
    assert.deepEqual(await store().telemetry.range({ endpoint: "nobody", path: "/1", fromMs: 0, toMs: 1, limit: 1 }), []);
    await assert.rejects(range(0, 1, 0));
    await assert.rejects(store().telemetry.append([point("/1", Number.NaN, 1)]));
  });

  test("telemetry: series by path and endpoint name, in pages, of a device, of what lies below a path", async () => {
    const names = ["a", "b", "b c"].flatMap((endpoint) =>
      ["/33030/0/1", "/3304", "/3304/0/1", "/3304/0/1/2", "/33040/0/1"].map((path) => ({ endpoint, path })),
    );
    await store().telemetry.append(names.flatMap((name) => [1, 2].map((timeMs) => ({ ...name, timeMs, receivedMs: 1, value: 1 }))));
    const list = async (query: Omit<SeriesQuery, "limit">, limit = 10_000) => {
      const found: string[] = [];
      for (let after: SeriesName | undefined; ; ) {
        const page = await store().telemetry.series({ ...query, limit, ...(after === undefined ? {} : { after }) });
        found.push(...page.map(({ endpoint, path }) => `${path} ${endpoint}`));
        after = page.at(-1);
        if (after === undefined || page.length < limit) return found;
      }
    };
    const below = ["/3304", "/3304/0/1", "/3304/0/1/2"];
    const ofAll = below.flatMap((path) => ["a", "b", "b c"].map((endpoint) => `${path} ${endpoint}`));
    assert.deepEqual(await list({ under: "/3304" }), ofAll);
    assert.deepEqual(await list({ under: "/3304" }, 2), ofAll);
    assert.deepEqual(await list({ under: "/3304/0/1", endpoint: "b" }, 1), ["/3304/0/1 b", "/3304/0/1/2 b"]);
    assert.deepEqual(
      await list({ endpoint: "b" }, 2),
      ["/33030/0/1", ...below, "/33040/0/1"].map((path) => `${path} b`),
    );
    assert.deepEqual(await list({ endpoint: "a", under: "/9" }), []);
    const every = await list({}, 4);
    assert.deepEqual(every, await list({}));
    assert.ok(names.every(({ endpoint, path }) => every.includes(`${path} ${endpoint}`)));
    await assert.rejects(store().telemetry.series({ limit: 0 }));
  });

  test("telemetry: steps count all points, take their ends, and sum up what are numbers", async () => {
    const path = "/3303/9/5700";
    const values: readonly (readonly [number, Json])[] = [
      ...([[99, 1] as const, [100, 4], [104.5, -2.5], [109, "9223372036854775807"], [110, true], [130, 7], [139, 9], [140, 1]] as const),
    ];
    await store().telemetry.append(values.map(([timeMs, value]) => point(path, timeMs, value)));
    const steps = (limit: number, stepMs = 10) =>
      store().telemetry.downsample({ endpoint: "urn:ep:1", path, fromMs: 100, toMs: 140, stepMs, limit });
    const expected = [
      { fromMs: 100, count: 3, first: 4, last: "9223372036854775807", numbers: { count: 2, min: -2.5, max: 4, sum: 1.5 } },
      { fromMs: 110, count: 1, first: true, last: true, numbers: undefined },
      { fromMs: 130, count: 2, first: 7, last: 9, numbers: { count: 2, min: 7, max: 9, sum: 16 } },
    ];
    assert.deepEqual(await steps(10), expected);
    assert.deepEqual(await steps(2), expected.slice(0, 2));
    assert.deepEqual(
      (await steps(10, 0.5)).map(({ fromMs }) => fromMs),
      [100, 104.5, 109, 110, 130, 139],
    );
    assert.deepEqual(await store().telemetry.downsample({ endpoint: "x", path, fromMs: 0, toMs: 9, stepMs: 1, limit: 1 }), []);
    for (const [limit, stepMs] of [...[[0, 10] as const, [10_001, 10], [1, 0], [1, -1], [1, Number.NaN]]] as const) {
      await assert.rejects(steps(limit, stepMs), `limit ${limit}, step ${stepMs}`);
    }
  });
}
