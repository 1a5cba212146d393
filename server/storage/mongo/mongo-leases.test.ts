/** A lease between two processes, one of them frozen while it holds it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Job, jobs, leaseDurationMs } from "../../testing/lease-job.ts";
import { ferretSuite } from "../../testing/platform/store-suite.ts";
import { Leases } from "../leases.ts";
import { openMongoStore } from "./mongo-store.ts";

const worker = fileURLToPath(new URL("../../testing/platform/lease-worker-main.js", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "mongo-leases-"));
after(() => rmSync(root, { recursive: true }));

ferretSuite("leases, two processes on one FerretDB", (ferret) => {
  test("a process frozen in its work, whose lease has passed on: its late write is refused by the epoch", async (t) => {
    const url = ferret().url("frozen");
    const store = await openMongoStore({ url, directory: join(root, "own"), collections: [jobs], poolSize: 4, timeoutMs: 5_000 });
    t.after(() => store.close());
    const collection = store.collection<Job>(jobs);
    await collection.insertOne({ _id: "job" });
    const frozen = spawn(process.execPath, [worker, url, join(root, "frozen"), "1000"], { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => frozen.kill("SIGKILL"));
    const lines = createInterface({ input: frozen.stdout })[Symbol.asyncIterator]();
    const says = async (): Promise<unknown> => (await lines.next()).value;

    assert.equal(await says(), "claimed 1");
    frozen.stdin.write("in time\n");
    assert.equal(await says(), "written");
    frozen.kill("SIGSTOP");
    frozen.stdin.write("late\n");
    const own = new Leases(collection, { owner: "the other process", durationMs: leaseDurationMs });
    assert.equal(await own.claim({ _id: "job" }, 1_000), undefined, "it is not over yet");
    const held = (await own.claim({ _id: "job" }, 1_000 + leaseDurationMs)) ?? assert.fail();
    assert.deepEqual([held.lease.epoch, held.writtenBy, held.writes], [2, "in time", 1]);
    assert.equal(await own.write(held, { $set: { writtenBy: "the other process" }, $inc: { writes: 1 } }), true);

    frozen.kill("SIGCONT");
    assert.equal(await says(), "refused");
    const found = await collection.findOne({ _id: "job" });
    assert.deepEqual([found?.writtenBy, found?.writes, found?.lease?.epoch], ["the other process", 2, 2]);
    const exit = once(frozen, "exit");
    frozen.stdin.end();
    assert.deepEqual(await exit, [0, null]);
  });
});
