import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { checkDirectory } from "./crash-check.ts";
import { startLoad } from "./crash-run.ts";
import { Ledger } from "./ledger.ts";
import { ServerProcess } from "./platform/server-process.ts";
import { SmallDisk } from "./platform/small-disk.ts";

const mebibyte = 1_048_576;
const noMount = "mounting a small file system is not allowed here (root on Linux)";

test("disk full under load: readiness says so, nothing acknowledged is lost, and with room again the server goes on", async (t) => {
  const disk = SmallDisk.open(4 * mebibyte);
  if (disk === undefined) return t.skip(noMount);
  t.after(() => disk.close());
  const dataDir = join(disk.path, "data");
  const server = new ServerProcess(dataDir);
  await server.start();
  t.after(() => server.kill());
  const ledger = new Ledger();
  const load = await startLoad({ devices: 6, programs: 2 }, server, ledger, seededRandom(3));
  t.after(() => load.stop());
  const ready = async (): Promise<{ status: number; text: string }> => {
    const reply = await fetch(`${server.origin}/health/ready`);
    return { status: reply.status, text: await reply.text() };
  };
  await until("the full disk is noticed", async () => {
    const { status, text } = await ready();
    return status === 503 && text.includes("the store refuses to write");
  });
  await server.kill();
  disk.resize(64 * mebibyte);
  assert.deepEqual(await checkDirectory(dataDir, ledger), []);
  const before = ledger.points.length;
  await server.start();
  await until("values are acknowledged again", async () => ledger.points.length > before + 20);
  assert.equal((await ready()).status, 200);
  await load.stop();
  await server.stop();
  assert.deepEqual([...(await checkDirectory(dataDir, ledger)), ...ledger.violations], []);
});

test("a data directory on a read-only file system: one line that names it, and as it was once it is writable", async (t) => {
  const disk = SmallDisk.open(16 * mebibyte);
  if (disk === undefined) return t.skip(noMount);
  t.after(() => disk.close());
  const dataDir = join(disk.path, "data");
  const server = new ServerProcess(dataDir);
  t.after(() => server.kill());
  disk.makeReadOnly();
  await assert.rejects(server.start(), /cannot start: cannot open the data directory \S+: [^\n]*read-only/);
  disk.makeWritable();
  await server.start();
  await server.kill();
  disk.makeReadOnly();
  await assert.rejects(server.start(), /cannot start: cannot open the data directory \S+: [^\n]+/);
  disk.makeWritable();
  await server.start();
  await server.stop();
});

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_200; tries++) {
    if (await holds()) return;
    await new Promise<void>((resolve) => void systemClock.after(100, resolve));
  }
  assert.fail(`not in two minutes: ${what}`);
}
