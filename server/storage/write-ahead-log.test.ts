import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { driversHere } from "./drivers/open-driver.ts";
import { openEmbeddedStore } from "./embedded-store.ts";
import { countLostTransactions } from "./write-ahead-log.ts";

const notes = { name: "notes", indexes: [] };
const frameBytes = 24 + 4_096;

for (const driver of driversHere()) {
  test(`damaged log, ${driver}: refused when complete transactions would be dropped, opened when only the last write is torn`, async (t) => {
    const root = await mkdtemp(join(tmpdir(), "wal-"));
    t.after(() => rm(root, { recursive: true }));
    const running = await openEmbeddedStore({ directory: join(root, "running"), collections: [notes], driver });
    const collection = running.collection<{ readonly _id: string; readonly text: string }>(notes);
    // The log begins anew here: what lies behind its end later is of the log before.
    for (let n = 0; n < 40; n++) await collection.insertOne({ _id: `a${n}`, text: "x".repeat(5_000) });
    await running.shortenLog?.();
    for (let n = 0; n < 20; n++) await collection.insertOne({ _id: `b${n}`, text: "x".repeat(5_000) });
    /** What a kill at this moment leaves. */
    const killed = async (name: string): Promise<string> => {
      await mkdir(join(root, name), { recursive: true });
      for (const file of ["store.db", "store.db-wal"]) await copyFile(join(root, "running", file), join(root, name, file));
      return join(root, name);
    };
    const open = (directory: string) => openEmbeddedStore({ directory, collections: [notes], driver });
    const whole = await killed("whole");
    // Opening and closing changes the database, so another copy is kept.
    const kept = await killed("kept");
    await running.close();
    const log = await readFile(join(whole, "store.db-wal"));
    const frames = Math.floor((log.length - 32) / frameBytes);
    assert.ok(frames > 40, `${frames} frames`);
    const store = await open(whole);
    assert.equal(await store.collection(notes).count({}), 60);
    await store.close();

    const damagedAt = async (frame: number, length = 8): Promise<string> => {
      const directory = join(root, `damaged-${frame}-${length}`);
      await mkdir(directory);
      await copyFile(join(kept, "store.db"), join(directory, "store.db"));
      const bytes = Buffer.from(log);
      bytes.fill(0xa5, 32 + frame * frameBytes + 500, 32 + frame * frameBytes + 500 + length);
      await writeFile(join(directory, "store.db-wal"), bytes);
      return directory;
    };
    for (const frame of [0, 5, Math.floor(frames / 2)]) {
      for (const length of [1, 8, 3_000]) {
        const directory = await damagedAt(frame, length);
        assert.ok(countLostTransactions(join(directory, "store.db-wal")) > 1, `frame ${frame}`);
        await assert.rejects(open(directory), (error: Error) => {
          assert.equal(error.name, "StoreOpenError");
          assert.match(error.message, /store\.db-wal is damaged: \d+ acknowledged writes are lost; restore a backup/);
          return true;
        });
        await assert.rejects(open(directory), /store\.db-wal is damaged/, "not silently at the second start either");
        await rm(join(directory, "store.db-wal.damaged"));
        const rest = await open(directory);
        assert.ok((await rest.collection(notes).count({})) < 60);
        assert.deepEqual(await rest.verify(), []);
        await rest.close();
      }
    }
    // In the last transaction nothing tells damage from a write that a power cut tore.
    const torn = await damagedAt(frames - 1);
    assert.equal(countLostTransactions(join(torn, "store.db-wal")), 0);
    for (const cut of [0, 31, 32, 33, 32 + frameBytes, 32 + 7 * frameBytes + 100, log.length - 1]) {
      const file = join(torn, "store.db-wal");
      await writeFile(file, log);
      await truncate(file, cut);
      assert.equal(countLostTransactions(file), 0, `cut at ${cut}`);
    }
    assert.equal(countLostTransactions(join(root, "nowhere")), 0);
  });
}
