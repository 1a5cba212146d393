/** What every engine behind the port must do alike. Called by a test file per engine; expectations are MongoDB's documented behaviour. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Collection, CollectionDefinition, Json } from "./collection.ts";
import { filterCases, filterDocuments, type Thing, updateCases } from "./contract-cases.ts";
import { describeRefusals } from "./contract-refusals.ts";
import type { Store } from "./store.ts";

/** `n`, `s`, `nested.k` are scalars in an index; `key` is unique; `slot` is unique among open documents. */
export const thingsDefinition: CollectionDefinition = {
  name: "things",
  indexes: [
    { name: "number", fields: ["n"] },
    { name: "text", fields: ["s"] },
    { name: "nested", fields: ["nested.k"] },
    { name: "group", fields: ["group", "rank"] },
    { name: "due", fields: ["wakeAt"], where: { field: "open", equals: true } },
  ],
};

export const keyedDefinition: CollectionDefinition = {
  name: "keyed",
  indexes: [
    { name: "key", fields: ["key"], unique: true },
    { name: "slot", fields: ["slot"], unique: true, where: { field: "open", equals: true } },
  ],
};

export type OpenStore = (definitions: readonly CollectionDefinition[]) => Promise<Store>;

/** The store is to be opened with strict filters. */
export function describeStoreContract(engine: string, openStore: OpenStore): void {
  describe(`store contract on ${engine}`, () => {
    let store: Store;
    let things: Collection<Thing>;
    let keyed: Collection<Thing>;
    before(async () => {
      store = await openStore([thingsDefinition, keyedDefinition]);
      things = store.collection(thingsDefinition);
      keyed = store.collection(keyedDefinition);
    });
    beforeEach(async () => {
      await things.deleteMany({});
      await keyed.deleteMany({});
    });
    after(() => store.close());

    const insert = async (documents: readonly Thing[]): Promise<void> => {
      await things.bulkWrite(documents.map((document) => ({ insertOne: { document } })));
    };

    describeFilters(
      () => things,
      (documents) => insert(documents),
    );
    describeUpdates(() => things);
    describePaging(() => things, insert);
    describeKeys(
      () => things,
      () => keyed,
    );
    describeDocuments(() => things);
    describeRefusals(() => things);
    describeTelemetry(() => store);
    test("probe: a write and a read go through", () => store.probe());
  });
}

type Get = () => Collection<Thing>;
type Insert = (documents: readonly Thing[]) => Promise<void>;

function describeFilters(things: Get, insert: Insert): void {
  const idsOf = async (filter: { readonly [key: string]: unknown }): Promise<string> => {
    // Every _id is above "": the filter is served by _id whatever else it names.
    const served = "_id" in filter ? filter : { ...filter, _id: { $gt: "" } };
    const found = await things().find(served, { limit: 1_000 });
    assert.equal(await things().count(served), found.length);
    return found.map((document) => document._id).join(" ");
  };
  for (const { title, filter, ids } of filterCases) {
    test(`filter: ${title}`, async () => {
      await insert(filterDocuments);
      assert.equal(await idsOf(filter), ids);
    });
  }
  test("filter: the same answers from an indexed and a plain field, for every operator and type", async () => {
    const values = [null, 0, 1, -1, 1.5, 2 ** 53, 2 ** 60, 1e300, 0.1 + 0.2, "", "a", "aa", "b", "é", "😀", "\ue000", "1", true, false];
    await insert(values.map((value, i) => ({ _id: `v${String(i).padStart(2, "0")}`, n: value, plain: value })));
    await insert([{ _id: "missing" }]);
    for (const operand of values) {
      const conditions: unknown[] = [operand, { $ne: operand }, { $in: [operand] }, { $in: [operand, "zz", 7] }, { $all: [operand] }];
      if (operand !== null) conditions.push(...["$gt", "$gte", "$lt", "$lte"].map((operator) => ({ [operator]: operand })));
      for (const condition of conditions) {
        const indexed = await idsOf({ n: condition });
        assert.equal(indexed, await idsOf({ plain: condition }), JSON.stringify(condition));
      }
    }
    assert.equal(await idsOf({ n: 2 ** 60 }), "v06");
    assert.equal(await idsOf({ n: 0.1 + 0.2 }), "v08");
  });
  test("filter: strings are ordered by code point, in ranges as in pages", async () => {
    await insert(["\ue000", "😀", "z", "é", "\uffff"].map((s, i) => ({ _id: `s${i}`, s })));
    const sorted = await things().find({}, { sort: { s: 1 } });
    assert.deepEqual(
      sorted.map((document) => document["s"]),
      ["z", "é", "\ue000", "\uffff", "😀"],
    );
    const above = await things().find({ s: { $gt: "\uffff" } }, { sort: { s: 1 } });
    assert.deepEqual(
      above.map((document) => document["s"]),
      ["😀"],
    );
  });
  test("count: stops at the cap", async () => {
    await insert(Array.from({ length: 20 }, (_, i) => ({ _id: `c${i}`, n: i })));
    assert.equal(await things().count({}), 20);
    assert.equal(await things().count({}, 7), 7);
    assert.equal(await things().count({ n: { $gte: 5 } }, 7), 7);
    assert.equal(await things().count({ n: { $gte: 15 } }, 7), 5);
  });
  test("deleteMany and deleteOne: take what matches, one or all", async () => {
    await insert(Array.from({ length: 700 }, (_, i) => ({ _id: `d${i}`, n: i % 7 })));
    assert.deepEqual(await things().deleteOne({ n: 3 }), { deleted: 1 });
    assert.deepEqual(await things().deleteMany({ n: { $gte: 3 } }), { deleted: 399 });
    assert.deepEqual(await things().deleteOne({ n: 3 }), { deleted: 0 });
    assert.equal(await things().count({}), 300);
  });
}

function describeUpdates(things: Get): void {
  for (const { title, before: start, update, after: expected } of updateCases) {
    test(`update: ${title}`, async () => {
      await things().insertOne({ _id: "u", ...start });
      const returned = await things().findOneAndUpdate({ _id: "u" }, update);
      assert.deepEqual(returned, { _id: "u", ...expected });
      assert.deepEqual(await things().findOne({ _id: "u" }), { _id: "u", ...expected });
    });
  }
  for (const [title, update] of [
    ["$inc of a text", { $set: { n: 9 }, $inc: { text: 1 } }],
    ["$inc of null", { $set: { n: 9 }, $inc: { nothing: 1 } }],
    ["$push to a text", { $set: { n: 9 }, $push: { text: 1 } }],
    ["$addToSet to a number", { $set: { n: 9 }, $addToSet: { m: 1 } }],
    ["$set below a text", { $set: { n: 9, "text.deep": 1 } }],
    ["$set below null", { $set: { n: 9, "nothing.deep": 1 } }],
    ["$set of a name in an array", { $set: { n: 9, "list.name": 1 } }],
    ["an array in an indexed field", { $set: { n: [1] } }],
  ] as const) {
    test(`update refused, nothing changed: ${title}`, async () => {
      const document = { _id: "u", n: 1, m: 2, text: "x", nothing: null, list: [1] };
      await things().insertOne(document);
      await assert.rejects(things().updateOne({ _id: "u" }, update));
      assert.deepEqual(await things().findOne({ _id: "u" }), document);
    });
  }
  test("updateOne: says what it matched, changes one document only", async () => {
    await things().bulkWrite([1, 2, 3].map((n) => ({ insertOne: { document: { _id: `m${n}`, n: 5 } } })));
    assert.deepEqual(await things().updateOne({ n: 6 }, { $set: { hit: true } }), { matched: 0, upserted: false });
    assert.deepEqual(await things().updateOne({ n: 5 }, { $set: { hit: true } }), { matched: 1, upserted: false });
    assert.equal(await things().count({ n: 5, hit: true }), 1);
    assert.equal(await things().findOneAndUpdate({ n: 6 }, { $set: { hit: true } }), undefined);
  });
  test("upsert: makes the document from the filter, $set and $setOnInsert; later it only sets", async () => {
    const upsert = () =>
      things().updateOne({ _id: "new", group: "g" }, { $set: { n: 1 }, $setOnInsert: { made: 1 }, $inc: { hits: 1 } }, { upsert: true });
    assert.deepEqual(await upsert(), { matched: 0, upserted: true });
    assert.deepEqual(await things().findOne({ _id: "new" }), { _id: "new", group: "g", n: 1, made: 1, hits: 1 });
    assert.deepEqual(await upsert(), { matched: 1, upserted: false });
    assert.deepEqual(await things().findOne({ _id: "new" }), { _id: "new", group: "g", n: 1, made: 1, hits: 2 });
    const made = await things().findOneAndUpdate({ _id: "other", "nested.k": "x" }, { $push: { list: 1 } }, { upsert: true });
    assert.deepEqual(made, { _id: "other", nested: { k: "x" }, list: [1] });
  });
  test("compare-and-set: of 100 claimers of one revision exactly one wins", async () => {
    await things().insertOne({ _id: "race", rev: 1, open: true, wakeAt: 5 });
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        things().updateOne({ _id: "race", rev: 1, wakeAt: { $lte: 10 } }, { $set: { owner: i, wakeAt: 99 }, $inc: { rev: 1 } }),
      ),
    );
    assert.equal(outcomes.filter((outcome) => outcome.matched === 1).length, 1);
    const winner = outcomes.findIndex((outcome) => outcome.matched === 1);
    assert.deepEqual(await things().findOne({ _id: "race" }), { _id: "race", rev: 2, open: true, wakeAt: 99, owner: winner });
  });
  test("100 increments at once all count", async () => {
    await things().insertOne({ _id: "sum", n: 0 });
    await Promise.all(Array.from({ length: 100 }, () => things().updateOne({ _id: "sum" }, { $inc: { n: 1 } })));
    assert.equal((await things().findOne({ _id: "sum" }))?.["n"], 100);
  });
  test("due documents are found in order by the partial index", async () => {
    await things().bulkWrite([5, 3, 9, 1].map((wakeAt, i) => ({ insertOne: { document: { _id: `w${i}`, wakeAt, open: wakeAt !== 1 } } })));
    const due = await things().find({ open: true, wakeAt: { $lte: 5 } }, { sort: { wakeAt: 1 } });
    assert.deepEqual(
      due.map((document) => document["wakeAt"]),
      [3, 5],
    );
  });
}

function describePaging(things: Get, insert: Insert): void {
  const ranks = [null, null, 1, 1, 1, 2, 2.5, "a", "a", "b"];
  const pagesOf = async (direction: 1 | -1, limit: number, filter: { readonly [key: string]: unknown } = {}): Promise<string[]> => {
    const ids: string[] = [];
    let after: { value: unknown; id: string } | undefined;
    for (;;) {
      const page = await things().find(filter, { sort: { n: direction }, limit, ...(after === undefined ? {} : { after }) });
      assert.ok(page.length <= limit);
      ids.push(...page.map((document) => document._id));
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return ids;
      after = { value: last["n"], id: last._id };
    }
  };
  test("paging: every page size gives the same order both ways; ties by _id, missing before numbers before texts", async () => {
    await insert(ranks.map((n, i) => (i === 1 ? { _id: `p${i}` } : { _id: `p${i}`, n })));
    const order = ranks.map((_, i) => `p${i}`);
    for (const limit of [1, 2, 3, 4, 7, 10, 100]) {
      assert.deepEqual(await pagesOf(1, limit), order);
      assert.deepEqual(await pagesOf(-1, limit), order.toReversed());
      assert.deepEqual(await pagesOf(1, limit, { n: { $gte: 1 } }), ["p2", "p3", "p4", "p5", "p6"]);
      assert.deepEqual(await pagesOf(-1, limit, { n: { $in: [null, "a"] } }), ["p8", "p7", "p1", "p0"]);
    }
  });
  test("paging: goes on behind a document that was deleted", async () => {
    await insert([1, 2, 3].map((n) => ({ _id: `q${n}`, n })));
    await things().deleteOne({ _id: "q2" });
    const rest = await things().find({}, { sort: { n: 1 }, after: { value: 2, id: "q2" } });
    assert.deepEqual(
      rest.map((document) => document._id),
      ["q3"],
    );
  });
  test("paging by _id: 2,500 documents in pages of 1,000, none twice, none missing", async () => {
    await insert(Array.from({ length: 2_500 }, (_, i) => ({ _id: String(i).padStart(5, "0"), n: i % 3 })));
    const seen: string[] = [];
    for (let id = ""; ; ) {
      const page = await things().find({}, { limit: 1_000, ...(id === "" ? {} : { after: { value: id, id } }) });
      seen.push(...page.map((document) => document._id));
      const last = page.at(-1);
      if (last === undefined) break;
      id = last._id;
    }
    assert.equal(seen.length, 2_500);
    assert.deepEqual(seen, seen.toSorted());
    assert.equal(await things().count({ n: 1 }), 833);
  });
  test("paging in the order of a compound index", async () => {
    await insert(
      Array.from({ length: 12 }, (_, i) => ({ _id: `g${String(i).padStart(2, "0")}`, group: i % 2 ? "odd" : "even", rank: 20 - i })),
    );
    const first = await things().find({ group: "odd" }, { sort: { rank: 1 }, limit: 2 });
    assert.deepEqual(
      first.map((document) => document["rank"]),
      [9, 11],
    );
    const second = await things().find({ group: "odd" }, { sort: { rank: 1 }, limit: 2, after: { value: 11, id: "g09" } });
    assert.deepEqual(
      second.map((document) => document["rank"]),
      [13, 15],
    );
  });
  test("a filter the index cannot say still fills its page", async () => {
    await insert(Array.from({ length: 1_000 }, (_, i) => ({ _id: String(i).padStart(4, "0"), n: 1, rare: i % 97 === 0 })));
    const found = await things().find({ n: 1, rare: true }, { limit: 5 });
    assert.deepEqual(
      found.map((document) => document._id),
      ["0000", "0097", "0194", "0291", "0388"],
    );
  });
}

function describeKeys(things: Get, keyed: Get): void {
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

function describeDocuments(things: Get): void {
  const documents: readonly (readonly [string, Thing])[] = [
    ["every JSON type, nested", { _id: "j", a: [1, "x", null, true, { b: [[]] }], o: {}, f: -1.5e-7, z: 0 }],
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

function describeTelemetry(store: () => Store): void {
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
}
