/** What goes beside a write: there with it, and never without it. An engine that has no such commit refuses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Collection } from "./collection.ts";
import type { Thing } from "./contract-cases.ts";
import type { Store } from "./store.ts";

export function describeBesides(
  store: () => Pick<Store, "commitsTogether" | "telemetry">,
  things: () => Collection<Thing>,
  keyed: () => Collection<Thing>,
): void {
  const beside = (...ids: readonly string[]) => ({
    inserts: { collection: "keyed", documents: ids.map((_id) => ({ _id, key: `key of ${_id}` })) },
  });
  const aPoint = (timeMs: number) => ({ endpoint: "beside", path: "/3303/0/5700", timeMs, receivedMs: 1, value: 1 });
  const idsBeside = async () => (await keyed().find({})).map(({ _id }) => _id).join(" ");
  const besideTest = (title: string, body: () => Promise<void>): void =>
    void test(`beside: ${title}`, async (context) => {
      if (store().commitsTogether === true) return body();
      await things().insertOne({ _id: "a" });
      await assert.rejects(things().insertOne({ _id: "b" }, { beside: beside("x") }));
      await assert.rejects(things().updateOne({ _id: "a" }, { $set: { n: 1 } }, { beside: beside("x") }));
      await assert.rejects(things().findOneAndUpdate({ _id: "a" }, { $set: { n: 1 } }, { beside: beside("x") }));
      await assert.rejects(things().bulkWrite([{ updateOne: { filter: { _id: "a" }, update: { $set: { n: 1 } }, beside: beside("x") } }]));
      assert.deepEqual(await things().find({}), [{ _id: "a" }]);
      context.diagnostic("this engine refuses");
    });

  besideTest("with an insert, and not with one that meets a taken key", async () => {
    assert.deepEqual(await things().insertOne({ _id: "a" }, { beside: beside("x", "y") }), { ok: true });
    assert.equal(await idsBeside(), "x y");
    assert.deepEqual(await things().insertOne({ _id: "a" }, { beside: beside("z") }), { ok: false, reason: "duplicate-key", index: "_id" });
    assert.equal(await idsBeside(), "x y");
  });

  besideTest("with an update that matches, or makes its document, and not with one that does not", async () => {
    await things().insertOne({ _id: "a", n: 1 });
    await things().updateOne({ _id: "a", n: 2 }, { $set: { n: 3 } }, { beside: beside("lost") });
    assert.equal(await idsBeside(), "");
    await things().updateOne({ _id: "a", n: 1 }, { $set: { n: 2 } }, { beside: beside("x") });
    await things().updateOne({ _id: "b" }, { $set: { n: 2 } }, { upsert: true, beside: beside("y") });
    assert.deepEqual(await things().findOneAndUpdate({ _id: "b" }, { $inc: { n: 1 } }, { beside: beside("z") }), { _id: "b", n: 3 });
    assert.equal(await things().findOneAndUpdate({ _id: "c" }, { $inc: { n: 1 } }, { beside: beside("lost") }), undefined);
    assert.equal(await idsBeside(), "x y z");
  });

  besideTest("with each write of a bulk for itself", async () => {
    await things().insertOne({ _id: "a", n: 1 });
    const outcome = await things().bulkWrite([
      { updateOne: { filter: { _id: "a", n: 1 }, update: { $inc: { n: 1 } }, beside: beside("x") } },
      { updateOne: { filter: { _id: "a", n: 1 }, update: { $inc: { n: 1 } }, beside: beside("lost") } },
    ]);
    assert.deepEqual(outcome, { failed: [], matched: 1 });
    assert.equal(await idsBeside(), "x");
  });

  besideTest("points, with a write that applies", async () => {
    const range = { endpoint: "beside", path: "/3303/0/5700", fromMs: 0, toMs: 100, limit: 10 };
    await things().insertOne({ _id: "a", n: 1 }, { beside: { points: [aPoint(1)] } });
    await things().insertOne({ _id: "a" }, { beside: { points: [aPoint(2)] } });
    await things().updateOne({ _id: "a", n: 1 }, { $inc: { n: 1 } }, { beside: { ...beside("x"), points: [aPoint(3), aPoint(4)] } });
    await things().updateOne({ _id: "a", n: 1 }, { $inc: { n: 1 } }, { beside: { points: [aPoint(5)] } });
    assert.deepEqual(
      (await store().telemetry.range(range)).map(({ timeMs }) => timeMs),
      [1, 3, 4],
    );
    assert.equal(await idsBeside(), "x");
  });

  besideTest("one whose key is taken is left out, the others and the write apply", async () => {
    await keyed().insertOne({ _id: "x", key: "older" });
    await keyed().insertOne({ _id: "other", key: "key of y" });
    assert.deepEqual(await things().insertOne({ _id: "a" }, { beside: beside("x", "y", "z") }), { ok: true });
    assert.equal(await idsBeside(), "other x z");
    assert.equal((await keyed().findOne({ _id: "x" }))?.["key"], "older");
  });

  besideTest("a document or a collection that is none refuses the write", async () => {
    const { documents } = beside("x").inserts;
    const faults = [
      { inserts: { collection: "nowhere", documents } },
      { inserts: { collection: "keyed", documents: [...documents, { _id: "y", key: ["no scalar"] }] } },
      { ...beside("x"), points: [aPoint(Number.NaN)] },
    ];
    for (const fault of faults) await assert.rejects(things().insertOne({ _id: "a" }, { beside: fault }));
    assert.deepEqual(await things().find({}), []);
    assert.equal(await idsBeside(), "");
  });
}
