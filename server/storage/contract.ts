/** What every engine behind the port must do alike. Called by a test file per engine; expectations are MongoDB's documented behaviour. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Collection, CollectionDefinition } from "./collection.ts";
import { describeBesides } from "./contract-besides.ts";
import { filterCases, filterDocuments, type Lack, type Thing, updateCases, withoutNestedArrays } from "./contract-cases.ts";
import { describeDocuments, describeKeys, describeTelemetry } from "./contract-documents.ts";
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

/** The store is to be opened with strict filters. `lacks`: what this engine is known not to have. */
export function describeStoreContract(engine: string, openStore: OpenStore, lacks: readonly Lack[] = []): void {
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
      lacks,
    );
    describeUpdates(() => things, lacks);
    describePaging(() => things, insert);
    describeKeys(
      () => things,
      () => keyed,
    );
    describeDocuments(() => things, lacks);
    describeRefusals(() => things);
    describeBesides(
      () => store,
      () => things,
      () => keyed,
    );
    describeTelemetry(() => store);
    test("probe: a write and a read go through", () => store.probe());
  });
}

type Get = () => Collection<Thing>;
type Insert = (documents: readonly Thing[]) => Promise<void>;

/** What `node:test` is told of a case that needs what the engine has not got. */
const skipping = (needs: Lack | undefined, lacks: readonly Lack[]) =>
  needs !== undefined && lacks.includes(needs) ? { skip: `this engine has no ${needs}` } : {};

function describeFilters(things: Get, insert: Insert, lacks: readonly Lack[]): void {
  const documents = lacks.includes("nested-arrays") ? withoutNestedArrays(filterDocuments) : filterDocuments;
  const idsOf = async (filter: { readonly [key: string]: unknown }): Promise<string> => {
    // Every _id is above "": the filter is served by _id whatever else it names.
    const served = "_id" in filter ? filter : { ...filter, _id: { $gt: "" } };
    const found = await things().find(served, { limit: 1_000 });
    assert.equal(await things().count(served), found.length);
    return found.map((document) => document._id).join(" ");
  };
  for (const { title, filter, ids, needs } of filterCases) {
    test(`filter: ${title}`, skipping(needs, lacks), async () => {
      await insert(documents);
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

function describeUpdates(things: Get, lacks: readonly Lack[]): void {
  for (const { title, before: start, update, after: expected, needs } of updateCases) {
    test(`update: ${title}`, skipping(needs, lacks), async () => {
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
