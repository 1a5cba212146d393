/** Random filters and updates against mingo, an independent reading of the same language; the store itself is in the loop. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type SeededRandom, seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { Query } from "mingo";
import { update as mingoUpdate } from "mingo/updater";
import type { CollectionDefinition, Filter, Json, Update } from "./collection.ts";
import type { Thing } from "./contract-cases.ts";
import { openEmbeddedStore } from "./embedded-store.ts";

const seed = 20_260_721;
const rounds = 1_000;
const definition: CollectionDefinition = {
  name: "things",
  indexes: [
    { name: "n", fields: ["n"] },
    { name: "s", fields: ["s", "n"] },
    { name: "deep", fields: ["o.k"] },
    { name: "open", fields: ["n"], where: { field: "open", equals: true } },
  ],
};

const scalars: readonly (string | number | boolean | null)[] = [null, 0, 1, 2, 3, -1, 0.5, 1e16, "", "a", "b", "ab", "1", true, false];

function aDocument(random: SeededRandom, id: string): Thing {
  const maybe = (value: () => Json): Json | undefined => (random.fraction() < 0.7 ? value() : undefined);
  const scalar = (): Json => random.pick(scalars);
  return {
    _id: id,
    n: maybe(scalar),
    s: maybe(scalar),
    open: maybe(() => random.fraction() < 0.5),
    o: maybe(() => (random.fraction() < 0.8 ? { k: scalar(), v: scalar() } : scalar())),
    list: maybe(() => Array.from({ length: random.integer(4) }, scalar)),
    plain: maybe(scalar),
  };
}

function aCondition(random: SeededRandom): unknown {
  const scalar = () => random.pick(scalars);
  const bounded = () => random.pick(scalars.filter((value) => value !== null));
  const kinds: readonly (() => unknown)[] = [
    scalar,
    () => ({ $eq: scalar() }),
    () => ({ $ne: scalar() }),
    () => ({ $in: Array.from({ length: random.integer(4) }, scalar) }),
    () => ({ [random.pick(["$gt", "$gte", "$lt", "$lte"])]: bounded() }),
    () => ({ $gte: bounded(), $lt: bounded() }),
    () => ({ $gt: bounded(), $ne: scalar() }),
  ];
  return random.pick(kinds)();
}

/** Not asked: $exists and $all, which mingo reads otherwise than MongoDB (null, scalars); the contract has them as a table. */
function aFilter(random: SeededRandom): Filter {
  const paths = ["n", "s", "open", "o.k", "o.v", "list", "plain"];
  const simple = (): Filter => ({ [random.pick(paths)]: aCondition(random) });
  const filter: { [key: string]: unknown } = { ...simple(), ...(random.fraction() < 0.4 ? simple() : {}) };
  if (random.fraction() < 0.2) filter["$or"] = [simple(), simple()];
  if (random.fraction() < 0.1) filter["$and"] = [simple(), simple()];
  return filter;
}

function anUpdate(random: SeededRandom): Update {
  const scalar = () => random.pick(scalars);
  const parts: readonly (() => Update)[] = [
    () => ({ $set: { plain: scalar(), "extra.deep": scalar() } }),
    () => ({ $unset: { "o.v": true, gone: true } }),
    () => ({ $inc: { hits: random.integer(9) - 4 } }),
    () => ({ $push: { log: scalar() } }),
    () => ({ $push: { log: { $each: [scalar(), scalar()], $slice: -3 } } }),
    () => ({ $addToSet: { set: { $each: [scalar(), scalar()] } } }),
    () => ({ $pull: { log: { $gte: random.pick([0, 1, "a"]) } } }),
    () => ({ $pull: { log: scalar() ?? 1 } }),
    () => ({ $max: { top: random.integer(100) } }),
    () => ({ $min: { low: random.integer(100) } }),
  ];
  const first = random.pick(parts)();
  const second = random.pick(parts)();
  return Object.keys(first)[0] === Object.keys(second)[0] ||
    ("$push" in first && "$pull" in second) ||
    ("$pull" in first && "$push" in second)
    ? first
    : { ...first, ...second };
}

test(`differential: ${rounds} random filters and updates give what mingo gives (seed ${seed})`, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "differential-"));
  const store = await openEmbeddedStore({ directory, collections: [definition] });
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
  const random = seededRandom(seed);
  const things = store.collection<Thing>(definition);
  const documents = Array.from(
    { length: 120 },
    (_, i) => JSON.parse(JSON.stringify(aDocument(random, `d${String(i).padStart(3, "0")}`))) as Thing,
  );
  await things.bulkWrite(documents.map((document) => ({ insertOne: { document } })));
  const model = new Map(
    documents.map((document) => [document._id, structuredClone(document) as { [field: string]: unknown; _id: string }]),
  );
  let found = 0;
  for (let round = 0; round < rounds; round++) {
    const filter = aFilter(random);
    const query = new Query(filter, {});
    const expected = [...model.values()].filter((document) => query.test(document)).map((document) => document._id);
    const got = (await things.find(filter, { limit: 1_000 })).map((document) => document._id);
    assert.deepEqual(got, expected, `round ${round}: ${JSON.stringify(filter)}`);
    assert.equal(await things.count(filter), expected.length);
    found += expected.length;

    const id = random.pick(documents)._id;
    const update = anUpdate(random);
    const copy = model.get(id) ?? assert.fail();
    // mingo makes a new array without slicing or joining; MongoDB does both: so the array is made first.
    if (update.$push !== undefined) copy["log"] ??= [];
    if (update.$addToSet !== undefined) copy["set"] ??= [];
    mingoUpdate(copy, structuredClone(update) as unknown as Parameters<typeof mingoUpdate>[1], [], {}, { cloneMode: "deep" });
    assert.deepEqual(await things.findOneAndUpdate({ _id: id }, update), copy, `round ${round}: ${JSON.stringify(update)}`);
  }
  assert.ok(found > rounds, `the filters found ${found} documents: too few to mean anything`);
});
