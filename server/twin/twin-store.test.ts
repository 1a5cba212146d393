import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { StoredDocument } from "../storage/collection.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import type { Store } from "../storage/store.ts";
import { noRelay } from "../testing/no-relay.ts";
import type { KnownValue } from "./twin.ts";
import { type ChangedTwin, type TwinChange, TwinStore, twinCollection } from "./twin-store.ts";

const measured = (value: number): KnownValue => ({ type: "float", value, observedAt: 1, receivedAt: 1, source: "notify" });
const aTwin = {
  _id: "dev",
  since: 1,
  values: { "/3303/0/5700": measured(1), "/3303/0/5701": measured(2) },
  rev: 1,
};

const noNews = { events: [], points: [] };

/** One value measured anew, others unknown from now on. */
function changeOf({ values }: ChangedTwin, value: number, unset: readonly string[] = []): TwinChange {
  const set = new Map([["/3303/0/5700", measured(value)]]);
  const after = Object.entries({ ...values, ...Object.fromEntries(set) }).filter(([path]) => !unset.includes(path));
  return { set, unset, values: Object.fromEntries(after) };
}

/** The store, and how often a twin was read from it. */
async function openCounted(t: { after(run: () => Promise<void>): void }, isShared = false) {
  const directory = await mkdtemp(join(tmpdir(), "twin-store-"));
  const store = await openEmbeddedStore({ directory, collections: [twinCollection], strictFilters: true });
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
  const collection = store.collection<StoredDocument>(twinCollection);
  const counted = { reads: 0 };
  const watched = new Proxy(collection, {
    get: (target, name) => {
      if (name === "findOne") counted.reads++;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const seen: Store = Object.assign(Object.create(store), { collection: () => watched, ...(isShared ? { isShared } : {}) });
  return { twins: new TwinStore(seen, noRelay), counted, collection };
}

test("twin store: a change after a change reads nothing, and builds on what is stored", async (t) => {
  const { twins, counted } = await openCounted(t);
  await twins.insert(aTwin, noNews);
  for (const value of [3, 4, 5]) {
    const present = await twins.findForChange("dev");
    assert.ok(present);
    assert.equal(await twins.change(present, changeOf(present, value, value === 5 ? ["/3303/0/5701"] : []), noNews), true);
  }
  assert.equal(counted.reads, 1);
  const [remembered, stored] = [await twins.findForChange("dev"), await twins.find("dev")];
  assert.deepEqual(remembered, { _id: "dev", since: 1, values: { "/3303/0/5700": measured(5) }, rev: 4 });
  assert.deepEqual([stored?.values, stored?.rev], [remembered?.values, 4]);
});

test("twin store: a twin that somebody else changed is found out by its revision, and read again", async (t) => {
  const { twins, collection } = await openCounted(t);
  await twins.insert(aTwin, noNews);
  const first = await twins.findForChange("dev");
  assert.ok(first);
  await twins.change(first, changeOf(first, 3), noNews);
  const known = await twins.findForChange("dev");
  assert.ok(known);
  assert.equal(await twins.confirms(known), true);
  await collection.updateOne({ _id: "dev" }, { $inc: { rev: 1 } });
  assert.equal(await twins.change(known, changeOf(known, 4), noNews), false);
  assert.equal((await twins.findForChange("dev"))?.rev, 3);
});

test("twin store: who would change nothing learns that the twin is another or gone", async (t) => {
  const { twins, collection } = await openCounted(t);
  await twins.insert(aTwin, noNews);
  const first = await twins.findForChange("dev");
  assert.ok(first);
  await twins.change(first, changeOf(first, 3), noNews);
  const known = await twins.findForChange("dev");
  assert.ok(known);
  await collection.deleteOne({ _id: "dev" });
  assert.equal(await twins.confirms(known), false);
  assert.equal(await twins.findForChange("dev"), undefined);
});

test("twin store: on a store that others write to as well, every change begins with a read", async (t) => {
  const { twins, counted } = await openCounted(t, true);
  await twins.insert(aTwin, noNews);
  for (const value of [3, 4]) {
    const present = await twins.findForChange("dev");
    assert.ok(present);
    await twins.change(present, changeOf(present, value), noNews);
  }
  assert.equal(counted.reads, 2);
});
