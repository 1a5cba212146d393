import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MongoClient } from "mongodb";
import { ferretSuite } from "../../testing/platform/store-suite.ts";
import { openMongoStore } from "./mongo-store.ts";

const root = mkdtempSync(join(tmpdir(), "mongo-blobs-"));
after(() => rmSync(root, { recursive: true }));

/** Three chunks of GridFS and a bit. */
const image = new Uint8Array(3 * 255 * 1_024 + 77).map((_, index) => (index * 7 + (index >> 9)) % 253);
const digest = createHash("sha256").update(image).digest("hex");

async function* inPieces(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

ferretSuite("MongoDB adapter, blobs in GridFS", (ferret) => {
  /** A server process has a directory of its own. */
  const open = (name: string) =>
    openMongoStore({ url: ferret().url("blobs"), collections: [], directory: join(root, name), poolSize: 4, timeoutMs: 5_000 });

  test("put by one server, read by another block by block, gone for both when deleted", async () => {
    const [one, two] = [await open("one"), await open("two")];
    assert.deepEqual(await one.blobs.put(inPieces(image), { maxBytes: image.length }), {
      ok: true,
      sha256: digest,
      sizeBytes: image.length,
    });
    const [blob, again] = await Promise.all([two.blobs.find(digest), two.blobs.find(digest)]);
    assert.ok(blob !== undefined && again !== undefined);
    assert.equal(blob.sizeBytes, image.length);
    for (const [offset, length] of [
      [0, 1],
      [261_119, 2],
      [500_000, 1_024],
      [image.length - 5, 5],
      [image.length, 0],
    ] as const) {
      assert.deepEqual(await blob.read(offset, length), image.slice(offset, offset + length));
    }
    await assert.rejects(blob.read(image.length - 1, 2));
    await one.blobs.delete(digest);
    assert.equal(await one.blobs.find(digest), undefined);
    const three = await open("three");
    assert.equal(await three.blobs.find(digest), undefined);
    for (const store of [one, two, three]) await store.close();
  });

  test("the same bytes are kept once, whoever puts them", async () => {
    const [one, two] = [await open("one"), await open("two")];
    for (const store of [one, two, one]) await store.blobs.put(inPieces(image, 100_000), { maxBytes: 1_000_000 });
    const client = await MongoClient.connect(ferret().url("blobs"));
    assert.equal(await client.db().collection("blobs.files").countDocuments({ filename: digest }), 1);
    await client.close();
    await one.blobs.delete(digest);
    for (const store of [one, two]) await store.close();
  });

  test("too large: nothing is kept anywhere", async () => {
    const store = await open("one");
    assert.deepEqual(await store.blobs.put(inPieces(image), { maxBytes: image.length - 1 }), { ok: false, reason: "too-large" });
    assert.equal(await store.blobs.find(digest), undefined);
    for (const name of ["", "zz", "../../etc/passwd", "A".repeat(64)]) assert.equal(await store.blobs.find(name), undefined);
    await store.close();
  });

  test("bytes in GridFS that are not those of the name are never served", async () => {
    const store = await open("one");
    await store.blobs.put(inPieces(image), { maxBytes: 1_000_000 });
    const client = await MongoClient.connect(ferret().url("blobs"));
    const wrong = "ab".repeat(32);
    await client
      .db()
      .collection("blobs.files")
      .updateOne({ filename: digest }, { $set: { filename: wrong } });
    await client.close();
    await assert.rejects(store.blobs.find(wrong), /other bytes/);
    await store.close();
  });
});
