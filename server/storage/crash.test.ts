import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import type { CollectionDefinition, StoredDocument } from "./collection.ts";
import { openEmbeddedStore } from "./embedded-store.ts";
import type { Store } from "./store.ts";

const rounds = 5;
const seed = 7;
const definition: CollectionDefinition = { name: "crash", indexes: [{ name: "n", fields: ["n"] }] };

/** Everything the writer said before it was killed. */
async function writeUntilKilled(
  directory: string,
  round: number,
  afterLines: number,
  alive: () => Promise<void>,
): Promise<readonly string[]> {
  const writer = spawn(execPath, [fileURLToPath(new URL("./crash-writer-main.js", import.meta.url)), directory, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const exited = once(writer, "exit");
  try {
    for await (const line of createInterface({ input: writer.stdout })) {
      lines.push(line);
      if (line === "open") await alive();
      if (lines.length === afterLines) writer.kill("SIGKILL");
    }
  } finally {
    writer.kill("SIGKILL");
    await exited;
  }
  return lines;
}

async function assertPresent(store: Store, lines: readonly string[]): Promise<void> {
  const documents = store.collection<StoredDocument & { readonly n: number }>(definition);
  const last = (kind: string): readonly string[] =>
    lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  const ids = last("document");
  for (let at = 0; at < ids.length; at += 1_000) {
    const page = ids.slice(at, at + 1_000);
    assert.equal(
      (await documents.find({ _id: { $in: page } }, { limit: 1_000 })).length,
      page.length,
      "acknowledged documents are missing",
    );
  }
  const counted = (await documents.findOne({ _id: "counter" }))?.n ?? 0;
  for (const count of last("counter")) assert.ok(counted >= Number(count), `counter ${counted}, acknowledged ${count}`);
  for (const from of last("points").map(Number)) {
    const points = await store.telemetry.range({ endpoint: "ep", path: "/3303/0/5700", fromMs: from, toMs: from + 20, limit: 100 });
    assert.equal(points.length, 20, "acknowledged points are missing");
  }
  for (const sha256 of last("blob")) {
    const blob = await store.blobs.find(sha256);
    assert.ok(blob !== undefined, "an acknowledged blob is missing");
    assert.equal(
      createHash("sha256")
        .update(await blob.read(0, blob.sizeBytes))
        .digest("hex"),
      sha256,
    );
  }
}

test(`kill -9 in mid-work, ${rounds} rounds: what was acknowledged is there, the file is whole, the lock is free (seed ${seed})`, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "crash-"));
  t.after(() => rm(directory, { recursive: true }));
  const random = seededRandom(seed);
  const acknowledged: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const lines = await writeUntilKilled(directory, round, 200 + random.integer(2_500), async () => {
      if (round > 0) return;
      await assert.rejects(openEmbeddedStore({ directory, collections: [definition] }), /another server is using it/);
    });
    assert.ok(lines.length >= 200, `round ${round}: ${lines.length} lines, the last ${lines.at(-1)}`);
    acknowledged.push(...lines);
    const store = await openEmbeddedStore({ directory, collections: [definition] });
    try {
      await assertPresent(store, acknowledged);
      assert.deepEqual(await store.verify(), []);
    } finally {
      await store.close();
    }
  }
});
