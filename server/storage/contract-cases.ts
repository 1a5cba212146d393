/** The tables of the store contract: filters with what they find, updates with what they leave. */
import type { Filter, Json, StoredDocument, Update } from "./collection.ts";

export interface Thing extends StoredDocument {
  readonly [field: string]: Json | undefined;
  readonly _id: string;
}

export const filterDocuments: readonly Thing[] = [
  { _id: "a", n: 1, s: "x", tags: ["red", "green"], nested: { k: "p", list: [1, 2] }, open: true },
  { _id: "b", n: 2, s: "y", tags: [], nested: { k: "q" }, rows: [{ k: 1, v: "one" }, { k: 2 }], open: false },
  { _id: "c", n: null, s: null, tags: null, nested: null },
  { _id: "d" },
  { _id: "e", n: "1", s: "xyz", tags: "red", nested: { k: null }, rows: [{ k: 3 }], open: true },
  { _id: "f", n: -0.5, s: "", tags: [["red"], null], nested: { k: { deep: 1 }.deep } },
];

/** What an engine may lack, named where its contract is run; cases that need it are skipped there. */
export type Lack = "nested-arrays";

/** The same documents for an engine that takes no array in an array. */
export function withoutNestedArrays(documents: readonly Thing[]): readonly Thing[] {
  return documents.map((document) => {
    const fields = Object.entries(document).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.filter((e) => !Array.isArray(e)) : value,
    ]);
    return { ...Object.fromEntries(fields), _id: document._id };
  });
}

interface FilterCase {
  readonly title: string;
  readonly filter: Filter;
  readonly ids: string;
  readonly needs?: Lack;
}

export const filterCases: readonly FilterCase[] = [
  { title: "everything", filter: {}, ids: "a b c d e f" },
  { title: "_id", filter: { _id: "b" }, ids: "b" },
  { title: "_id $in", filter: { _id: { $in: ["f", "zz", "a"] } }, ids: "a f" },
  { title: "_id range", filter: { _id: { $gt: "b", $lte: "e" } }, ids: "c d e" },
  { title: "_id $ne in a range", filter: { _id: { $gte: "d", $ne: "e" } }, ids: "d f" },
  { title: "number equality keeps types apart", filter: { n: 1 }, ids: "a" },
  { title: "text equality keeps types apart", filter: { n: "1" }, ids: "e" },
  { title: "null finds null and missing", filter: { n: null }, ids: "c d" },
  { title: "$eq null", filter: { n: { $eq: null } }, ids: "c d" },
  { title: "$ne null", filter: { n: { $ne: null } }, ids: "a b e f" },
  { title: "$ne finds null and missing", filter: { n: { $ne: 1 } }, ids: "b c d e f" },
  { title: "$gt of a number leaves texts out", filter: { n: { $gt: 0 } }, ids: "a b" },
  { title: "$gte and $lt", filter: { n: { $gte: -0.5, $lt: 2 } }, ids: "a f" },
  { title: "$lte leaves null out", filter: { n: { $lte: 2 } }, ids: "a b f" },
  { title: "$gt of a text leaves numbers out", filter: { n: { $gt: "0" } }, ids: "e" },
  { title: "an empty range", filter: { n: { $gt: 2, $lt: 1 } }, ids: "" },
  { title: "text range as prefix search", filter: { s: { $gte: "x", $lt: "y" } }, ids: "a e" },
  { title: "the empty text", filter: { s: "" }, ids: "f" },
  { title: "$in of several types", filter: { n: { $in: [1, "1", true] } }, ids: "a e" },
  { title: "$in with null", filter: { n: { $in: [null, 2] } }, ids: "b c d" },
  { title: "$in of nothing", filter: { n: { $in: [] } }, ids: "" },
  { title: "$exists true finds null", filter: { n: { $exists: true } }, ids: "a b c e f" },
  { title: "$exists false", filter: { n: { $exists: false } }, ids: "d" },
  { title: "booleans are no numbers", filter: { open: true }, ids: "a e" },
  { title: "false is not missing", filter: { open: false }, ids: "b" },
  { title: "a number is no boolean", filter: { open: 1 }, ids: "" },
  { title: "boolean range", filter: { open: { $gte: false } }, ids: "a b e" },
  { title: "dotted path", filter: { "nested.k": "q" }, ids: "b" },
  { title: "dotted path to a number", filter: { "nested.k": 1 }, ids: "f" },
  { title: "dotted path null: missing, null, and below what is no document", filter: { "nested.k": null }, ids: "c d e" },
  { title: "dotted path $exists", filter: { "nested.k": { $exists: true } }, ids: "a b e f" },
  { title: "dotted path below a scalar is missing", filter: { "s.k": { $exists: false } }, ids: "a b c d e f" },
  { title: "a whole document", filter: { nested: { k: "q" } }, ids: "b" },
  { title: "a document is not matched by a part of it", filter: { nested: { k: "p" } }, ids: "" },
  { title: "array by element", filter: { tags: "red" }, ids: "a e" },
  { title: "array as a whole", filter: { tags: ["red", "green"] }, ids: "a" },
  { title: "array in another order is another array", filter: { tags: ["green", "red"] }, ids: "" },
  { title: "the empty array", filter: { tags: [] }, ids: "b" },
  { title: "an array in an array", filter: { tags: ["red"] }, ids: "f", needs: "nested-arrays" },
  { title: "null among the elements", filter: { tags: null }, ids: "c d f" },
  { title: "$in over elements", filter: { tags: { $in: ["green", "blue"] } }, ids: "a" },
  { title: "$ne is true only when no element is equal", filter: { tags: { $ne: "red" } }, ids: "b c d f" },
  { title: "$all", filter: { tags: { $all: ["green", "red"] } }, ids: "a" },
  { title: "$all of one matches a scalar", filter: { tags: { $all: ["red"] } }, ids: "a e" },
  { title: "$all with one that is not there", filter: { tags: { $all: ["red", "blue"] } }, ids: "" },
  { title: "range over elements", filter: { "nested.list": { $gt: 1 } }, ids: "a" },
  { title: "bounds met by different elements", filter: { "nested.list": { $gt: 1, $lt: 2 } }, ids: "a" },
  { title: "array element by position", filter: { "tags.1": "green" }, ids: "a" },
  { title: "documents in an array", filter: { "rows.k": 2 }, ids: "b" },
  { title: "documents in an array, range", filter: { "rows.k": { $gte: 2 } }, ids: "b e" },
  { title: "documents in an array, by position", filter: { "rows.0.k": 1 }, ids: "b" },
  { title: "$exists in documents of an array", filter: { "rows.v": { $exists: true } }, ids: "b" },
  { title: "several fields are joined with and", filter: { open: true, s: "x" }, ids: "a" },
  { title: "$and", filter: { $and: [{ n: { $gt: -1 } }, { n: { $lt: 2 } }] }, ids: "a f" },
  { title: "$or over different fields", filter: { $or: [{ n: 2 }, { s: "xyz" }] }, ids: "b e" },
  { title: "$or beside a field", filter: { open: true, $or: [{ n: 1 }, { n: 2 }] }, ids: "a" },
  { title: "$or with an indexed and a plain branch", filter: { $or: [{ n: 2 }, { tags: "red" }] }, ids: "a b e" },
  { title: "$and beside $or", filter: { $and: [{ n: { $ne: null } }], $or: [{ s: "" }, { s: "y" }] }, ids: "b f" },
  { title: "several operators on one field", filter: { n: { $ne: 1, $gte: -1, $in: [1, 2] } }, ids: "b" },
];

type Fields = { readonly [field: string]: Json };

interface UpdateCase {
  readonly title: string;
  readonly before: Fields;
  readonly update: Update;
  readonly after: Fields;
  readonly needs?: Lack;
}

export const updateCases: readonly UpdateCase[] = [
  { title: "$set replaces and adds", before: { a: 1 }, update: { $set: { a: "x", b: null } }, after: { a: "x", b: null } },
  { title: "$set makes documents on the way", before: {}, update: { $set: { "a.b.c": 1 } }, after: { a: { b: { c: 1 } } } },
  { title: "$set beside what is there", before: { a: { x: 1 } }, update: { $set: { "a.y": 2 } }, after: { a: { x: 1, y: 2 } } },
  { title: "$set of an array element", before: { a: [1, 2] }, update: { $set: { "a.1": 9 } }, after: { a: [1, 9] } },
  { title: "$set in a document of an array", before: { a: [{ b: 1 }] }, update: { $set: { "a.0.b": 2 } }, after: { a: [{ b: 2 }] } },
  { title: "$set behind the last element", before: { a: [1] }, update: { $set: { "a.1": 2 } }, after: { a: [1, 2] } },
  {
    title: "$set of a name every object has",
    before: {},
    update: { $set: { "constructor.name": 1 } },
    after: { constructor: { name: 1 } },
  },
  { title: "$set of the same value", before: { a: { b: 1 } }, update: { $set: { a: { b: 1 } } }, after: { a: { b: 1 } } },
  { title: "$unset", before: { a: 1, b: { c: 1, d: 2 } }, update: { $unset: { a: true, "b.c": true } }, after: { b: { d: 2 } } },
  { title: "$unset of what is not there", before: { a: 1 }, update: { $unset: { b: true, "c.d": true, "a.x": true } }, after: { a: 1 } },
  {
    title: "$unset of an array element leaves null",
    before: { a: [1, 2, 3] },
    update: { $unset: { "a.1": true } },
    after: { a: [1, null, 3] },
  },
  { title: "$inc", before: { n: 5 }, update: { $inc: { n: -2, m: 3, "a.b": 0.5 } }, after: { n: 3, m: 3, a: { b: 0.5 } } },
  {
    title: "$setOnInsert does nothing to a document that is there",
    before: { a: 1 },
    update: { $setOnInsert: { a: 2 } },
    after: { a: 1 },
  },
  { title: "$push", before: { a: [1] }, update: { $push: { a: 2, b: "x" } }, after: { a: [1, 2], b: ["x"] } },
  {
    title: "$push of an array is one element",
    before: { a: [] },
    update: { $push: { a: [1, 2] } },
    after: { a: [[1, 2]] },
    needs: "nested-arrays",
  },
  { title: "$push of a document", before: {}, update: { $push: { "h.log": { at: 1 } } }, after: { h: { log: [{ at: 1 }] } } },
  { title: "$push $each", before: { a: [1] }, update: { $push: { a: { $each: [2, 3] } } }, after: { a: [1, 2, 3] } },
  { title: "$push $each of nothing", before: {}, update: { $push: { a: { $each: [] } } }, after: { a: [] } },
  {
    title: "$push keeps the last",
    before: { a: [1, 2] },
    update: { $push: { a: { $each: [3, 4], $slice: -3 } } },
    after: { a: [2, 3, 4] },
  },
  {
    title: "$push keeps the last of a new array",
    before: {},
    update: { $push: { a: { $each: [1, 2, 3], $slice: -2 } } },
    after: { a: [2, 3] },
  },
  { title: "$push keeps the first", before: { a: [1, 2] }, update: { $push: { a: { $each: [3], $slice: 2 } } }, after: { a: [1, 2] } },
  { title: "$push keeps none", before: { a: [1, 2] }, update: { $push: { a: { $each: [3], $slice: 0 } } }, after: { a: [] } },
  { title: "$addToSet", before: { a: [1, { b: 1 }] }, update: { $addToSet: { a: { b: 1 } } }, after: { a: [1, { b: 1 }] } },
  {
    title: "$addToSet $each",
    before: { a: [1] },
    update: { $addToSet: { a: { $each: [1, 2, 2] }, b: 1 } },
    after: { a: [1, 2], b: [1] },
  },
  { title: "$pull of a value", before: { a: [1, 2, 1, "1"] }, update: { $pull: { a: 1 } }, after: { a: [2, "1"] } },
  { title: "$pull by range", before: { a: [1, 5, 9] }, update: { $pull: { a: { $gte: 5 } } }, after: { a: [1] } },
  { title: "$pull by $in", before: { a: ["x", "y", "z"] }, update: { $pull: { a: { $in: ["x", "z", "q"] } } }, after: { a: ["y"] } },
  {
    title: "$pull of documents by their fields",
    before: { a: [{ key: "k1", v: 1 }, { key: "k2" }, { key: "k3" }] },
    update: { $pull: { a: { key: { $in: ["k1", "k3"] } } } },
    after: { a: [{ key: "k2" }] },
  },
  { title: "$pull from what is not there", before: { b: 1 }, update: { $pull: { a: 1, "c.d": 1 } }, after: { b: 1 } },
  { title: "$max raises only", before: { a: 5, b: 5 }, update: { $max: { a: 7, b: 3, c: 1 } }, after: { a: 7, b: 5, c: 1 } },
  { title: "$min lowers only", before: { a: 5, b: 5 }, update: { $min: { a: 7, b: 3, c: 1 } }, after: { a: 5, b: 3, c: 1 } },
  { title: "$max of texts", before: { a: "b" }, update: { $max: { a: "a" } }, after: { a: "b" } },
  {
    title: "several operators at once",
    before: { rev: 1, log: [], state: "new" },
    update: { $inc: { rev: 1 }, $push: { log: "started" }, $set: { state: "run" }, $unset: { none: true } },
    after: { rev: 2, log: ["started"], state: "run" },
  },
];
