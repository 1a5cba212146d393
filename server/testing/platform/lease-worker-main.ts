/** A process that claims one document and writes under its lease when it is told to: `lease-worker-main URL DIRECTORY NOW_MS`. */
import { createInterface } from "node:readline";
import { Leases } from "../../storage/leases.ts";
import { openMongoStore } from "../../storage/mongo/mongo-store.ts";
import { type Job, jobs, leaseDurationMs } from "../lease-job.ts";

const [url = "", directory = "", nowMs = "0"] = process.argv.slice(2);
const store = await openMongoStore({ url, directory, collections: [jobs], poolSize: 2, timeoutMs: 5_000 });
const leases = new Leases(store.collection<Job>(jobs), { owner: `process ${process.pid}`, durationMs: leaseDurationMs });
const held = await leases.claim({ _id: "job" }, Number(nowMs));
if (held === undefined) throw new Error("the document is another's");
process.stdout.write(`claimed ${held.lease.epoch}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const isWritten = await leases.write(held, { $set: { writtenBy: line }, $inc: { writes: 1 } });
  process.stdout.write(`${isWritten ? "written" : "refused"}\n`);
}
await store.close();
