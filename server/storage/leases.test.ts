import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type Job, jobs, leaseDurationMs } from "../testing/lease-job.ts";
import { ferretSuite } from "../testing/platform/store-suite.ts";
import { openEmbeddedStore } from "./embedded-store.ts";
import { Leases } from "./leases.ts";
import { openMongoStore } from "./mongo/mongo-store.ts";
import type { Store } from "./store.ts";

const root = mkdtempSync(join(tmpdir(), "leases-"));
after(() => rmSync(root, { recursive: true }));

let opened = 0;
const directory = (): string => join(root, String(++opened));
const leasesOf = (store: Store, owner: string) => new Leases(store.collection<Job>(jobs), { owner, durationMs: leaseDurationMs });

/** Two workers, each with the store it is given: the same one, or one of its own on one database. */
function describeLeases(name: string, openTwo: (testName: string) => Promise<readonly [Store, Store]>): void {
  describe(name, () => {
    async function twoWorkers(testName: string) {
      const [one, two] = await openTwo(testName);
      await one.collection<Job>(jobs).insertOne({ _id: "job" });
      const close = async (): Promise<void> => {
        for (const store of new Set([one, two])) await store.close();
      };
      return { first: leasesOf(one, "first"), second: leasesOf(two, "second"), found: two.collection<Job>(jobs), close };
    }

    test("held until its time is over, then another's with a higher epoch; what the former does late is refused", async () => {
      const { first, second, found, close } = await twoWorkers("late");
      const held = (await first.claim({ _id: "job" }, 1_000)) ?? assert.fail();
      assert.deepEqual(held.lease, { owner: "first", epoch: 1, until: 1_000 + leaseDurationMs });
      assert.equal(await second.claim({ _id: "job" }, 1_000 + leaseDurationMs - 1), undefined);
      assert.equal(await first.write(held, { $set: { writtenBy: "first" } }), true);

      const taken = (await second.claim({ _id: "job" }, 1_000 + leaseDurationMs)) ?? assert.fail();
      assert.deepEqual([taken.lease.owner, taken.lease.epoch, taken.writtenBy], ["second", 2, "first"]);
      assert.equal(await second.write(taken, { $set: { writtenBy: "second" } }), true);
      const before = await found.findOne({ _id: "job" });
      assert.equal(await first.write(held, { $set: { writtenBy: "first, late" }, $inc: { writes: 1 } }), false);
      assert.equal(await first.renew(held, 200_000), false);
      assert.equal(await first.release(held), false);
      assert.deepEqual(await found.findOne({ _id: "job" }), before);
      await close();
    });

    test("renewed it stays; released it is free at once, and its epoch goes on rising", async () => {
      const { first, second, close } = await twoWorkers("renewed");
      const held = (await first.claim({ _id: "job" }, 0)) ?? assert.fail();
      assert.equal(await first.renew(held, leaseDurationMs - 1), true);
      assert.equal(await second.claim({ _id: "job" }, leaseDurationMs), undefined);
      assert.equal(await first.release(held), true);
      assert.equal((await second.claim({ _id: "job" }, leaseDurationMs))?.lease.epoch, 2);
      assert.equal(await first.write(held, { $set: { writtenBy: "first" } }), false, "an epoch that was released and given on");
      await close();
    });

    test("nothing there, nothing held", async () => {
      const { first, close } = await twoWorkers("nothing");
      assert.equal(await first.claim({ _id: "another" }, 0), undefined);
      await close();
    });
  });
}

async function onOneStore(): Promise<readonly [Store, Store]> {
  const store = await openEmbeddedStore({ directory: directory(), collections: [jobs], strictFilters: true });
  return [store, store];
}

describeLeases("leases, two workers on the embedded store", onOneStore);

test("leases, the embedded store: fifty claim at once, one has it", async () => {
  const [store] = await onOneStore();
  await store.collection<Job>(jobs).insertOne({ _id: "job" });
  const claims = await Promise.all(Array.from({ length: 50 }, (_, n) => leasesOf(store, `worker ${n}`).claim({ _id: "job" }, 0)));
  assert.deepEqual(
    claims.filter((claim) => claim !== undefined).map(({ lease }) => lease.epoch),
    [1],
  );
  await store.close();
});

ferretSuite("leases, FerretDB", (ferret) => {
  const open = (url: string): Promise<Store> =>
    openMongoStore({ ...{ url, directory: directory(), collections: [jobs] }, ...{ strictFilters: true, poolSize: 4, timeoutMs: 10_000 } });
  describeLeases("two stores on one database", async (name) => [await open(ferret().url(name)), await open(ferret().url(name))]);
});
