/** The part of the store contract about calls that are bugs: they reject, and nothing changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Collection, Json } from "./collection.ts";
import type { Thing } from "./contract-cases.ts";

/** What the port does not give on every engine is refused before it reaches one. */
export function describeRefusals(things: () => Collection<Thing>): void {
  const deep = (depth: number): Json => (depth === 0 ? 1 : { d: deep(depth - 1) });
  const badFilters: readonly (readonly [string, { readonly [key: string]: unknown }])[] = [
    ["$regex", { _id: "x", s: { $regex: "^a" } }],
    ["$where", { _id: "x", $where: "true" }],
    ["$expr", { _id: "x", $expr: {} }],
    ["$nor", { _id: "x", $nor: [{ n: 1 }] }],
    ["$not", { _id: "x", n: { $not: { $gt: 1 } } }],
    ["$elemMatch", { _id: "x", list: { $elemMatch: { a: 1 } } }],
    ["an operator beside a field", { _id: "x", n: { $gt: 1, a: 2 } }],
    ["a second level of $or", { _id: "x", $or: [{ $and: [{ n: 1 }] }] }],
    ["an empty $or", { _id: "x", $or: [] }],
    ["a range of null", { _id: "x", n: { $gt: null } }],
    ["a range of a list", { _id: "x", n: { $gt: [1] } }],
    ["$in of no list", { _id: "x", n: { $in: 1 } }],
    ["$exists of a number", { _id: "x", n: { $exists: 1 } }],
    ["undefined", { _id: "x", n: undefined }],
    ["NaN", { _id: "x", n: Number.NaN }],
    ["an object of a class", { _id: "x", n: new Map() }],
    ["a value 200 levels deep", { _id: "x", value: deep(200) }],
    ["__proto__ in a path", { _id: "x", "a.__proto__.b": 1 }],
    ["an empty path segment", { _id: "x", "a..b": 1 }],
    ["an operator hidden in a value", { _id: "x", value: { a: { $gt: 1 } } }],
    ["a field without an index", { plain: 1 }],
    ["an index used by $ne only", { n: { $ne: 1 } }],
    ["a partial index without its condition", { wakeAt: { $lte: 1 } }],
    ["an $or with a branch no index serves", { $or: [{ n: 1 }, { plain: 1 }] }],
  ];
  for (const [title, filter] of badFilters) {
    test(`refused filter: ${title}`, async () => {
      await assert.rejects(things().find(filter));
      await assert.rejects(things().updateOne(filter, { $set: { x: 1 } }));
      await assert.rejects(things().deleteMany(filter));
    });
  }
  const badUpdates: readonly (readonly [string, object])[] = [
    ["a whole document", { n: 1 }],
    ["nothing", {}],
    ["$rename", { $rename: { a: "b" } }],
    ["$set of _id", { $set: { _id: "y" } }],
    ["one path twice", { $set: { a: 1 }, $unset: { a: true } }],
    ["a path inside another", { $set: { a: {}, "a.b": 1 } }],
    ["a positional path", { $set: { "list.$.a": 1 } }],
    ["$push with $sort", { $push: { list: { $each: [1], $sort: 1 } } }],
    ["$inc of a text", { $inc: { n: "1" } }],
    ["undefined", { $set: { n: undefined } }],
    ["Infinity", { $set: { n: Number.POSITIVE_INFINITY } }],
    ["bytes", { $set: { b: Uint8Array.of(1) } }],
    ["__proto__ in a path", { $set: { "__proto__.polluted": 1 } }],
    ["a value 200 levels deep", { $set: { value: deep(200) } }],
  ];
  for (const [title, update] of badUpdates) {
    test(`refused update: ${title}`, async () => {
      await things().insertOne({ _id: "x", list: [{ a: 1 }] });
      await assert.rejects(things().updateOne({ _id: "x" }, update));
      assert.deepEqual(await things().findOne({ _id: "x" }), { _id: "x", list: [{ a: 1 }] });
    });
  }
  const badDocuments: readonly (readonly [string, object])[] = [
    ["no _id", { n: 1 }],
    ["a number as _id", { _id: 1 }],
    ["an empty _id", { _id: "" }],
    ["an _id with NUL", { _id: "a\0b" }],
    ["an _id with half a surrogate pair", { _id: "a\ud800" }],
    ["an array in an indexed field", { _id: "x", n: [1] }],
    ["an array on the way to an indexed field", { _id: "x", nested: [{ k: 1 }] }],
    ["a field that begins with $", { _id: "x", $set: 1 }],
    ["a bigint", { _id: "x", value: 1n }],
  ];
  for (const [title, document] of badDocuments) {
    test(`refused document: ${title}`, async () => {
      await assert.rejects(things().insertOne(document as Thing));
      assert.equal(await things().count({}), 0);
    });
  }
  test("refused query: limits and sort orders out of range", async () => {
    for (const query of [
      { limit: 0 },
      { limit: 1_001 },
      { limit: 1.5 },
      { sort: { plain: 1 } },
      { sort: { n: 1, s: 1 } },
      { sort: { wakeAt: 1 } },
    ] as const) {
      await assert.rejects(things().find({}, query));
    }
    await assert.rejects(things().updateOne({ n: 1 }, { $set: { s: "x" } }, { upsert: true }));
  });
}
