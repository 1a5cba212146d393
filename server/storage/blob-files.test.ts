import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { type BlobFiles, openBlobFiles } from "./blob-files.ts";

let root: string;
let directory: string;
let blobs: BlobFiles;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "blobs-"));
  directory = join(root, "blobs");
  blobs = await openBlobFiles(directory);
});

afterEach(async () => {
  await blobs.close();
  await rm(root, { recursive: true });
});

const limits = { maxBytes: 1 << 20 };

async function* inChunks(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const filesBelow = async (path: string): Promise<string[]> =>
  (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => entry.name);

const putBytes = async (bytes: Uint8Array): Promise<string> => {
  const put = await blobs.put(inChunks(bytes, 1_000), limits);
  assert.ok(put.ok);
  return put.sha256;
};

test("blobs: come in by chunks, are named by their SHA-256, and are read at any place", async () => {
  const bytes = seededRandom(1).bytes(100_000);
  const put = await blobs.put(inChunks(bytes, 7_777), limits);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  assert.deepEqual(put, { ok: true, sha256, sizeBytes: 100_000 });
  const blob = await blobs.find(sha256);
  assert.equal(blob?.sizeBytes, 100_000);
  const blocks = await Promise.all(Array.from({ length: 98 }, (_, i) => blob?.read(i * 1_024, Math.min(1_024, 100_000 - i * 1_024))));
  assert.deepEqual(Buffer.concat(blocks.map((block) => block ?? assert.fail())), Buffer.from(bytes));
  assert.equal((await blob?.read(100_000, 0))?.length, 0);
  for (const [offset, length] of [
    [0, 100_001],
    [99_999, 2],
    [-1, 1],
    [0, -1],
    [0.5, 1],
  ] as const) {
    await assert.rejects(async () => blob?.read(offset, length));
  }
});

test("blobs: the same bytes are kept once, the empty blob is a blob", async () => {
  const first = await putBytes(Uint8Array.of(1, 2, 3));
  assert.equal(await putBytes(Uint8Array.of(1, 2, 3)), first);
  const empty = await putBytes(new Uint8Array());
  assert.equal((await blobs.find(empty))?.sizeBytes, 0);
  assert.equal((await filesBelow(directory)).length, 2);
});

test("blobs: too large keeps nothing, exactly the limit is kept", async () => {
  const bytes = new Uint8Array(5_000);
  assert.deepEqual(await blobs.put(inChunks(bytes, 1_000), { maxBytes: 4_999 }), { ok: false, reason: "too-large" });
  assert.deepEqual(await filesBelow(directory), []);
  assert.equal((await blobs.put(inChunks(bytes, 1_000), { maxBytes: 5_000 })).ok, true);
});

test("blobs: a stream that breaks off keeps nothing and hands its error on", async () => {
  async function* breaking(): AsyncIterable<Uint8Array> {
    yield Uint8Array.of(1);
    throw new Error("the client went away");
  }
  await assert.rejects(blobs.put(breaking(), limits), /the client went away/);
  assert.deepEqual(await filesBelow(directory), []);
});

test("blobs: what a crash left half written is gone after the next open, whole blobs stay", async () => {
  const sha256 = await putBytes(Uint8Array.of(9));
  await blobs.close();
  await mkdir(join(directory, "incoming"), { recursive: true });
  await writeFile(join(directory, "incoming", "1"), "half");
  blobs = await openBlobFiles(directory);
  assert.deepEqual(await filesBelow(directory), [sha256]);
  assert.equal(await putBytes(Uint8Array.of(9)), sha256);
});

test("blobs: names that are none find nothing and reach no other file", async () => {
  await writeFile(join(root, "secret"), "x");
  for (const name of ["", "../secret", "AB".repeat(32), "a".repeat(63), `../${"a".repeat(61)}`, "0".repeat(64)]) {
    assert.equal(await blobs.find(name), undefined);
    await blobs.delete(name);
  }
  assert.deepEqual(await readdir(root), ["blobs", "secret"]);
});

test("blobs: deleted ones are gone, a second deletion does nothing", async () => {
  const sha256 = await putBytes(Uint8Array.of(4, 5));
  const blob = await blobs.find(sha256);
  await blobs.delete(sha256);
  await blobs.delete(sha256);
  assert.equal(await blobs.find(sha256), undefined);
  await assert.rejects(async () => blob?.read(0, 1), /deleted/);
});

test("blobs: 100 of them read at once through few open files", async () => {
  const names = await Promise.all(Array.from({ length: 100 }, (_, i) => putBytes(Uint8Array.of(i, i))));
  const openFiles = async (): Promise<number> => (await readdir("/proc/self/fd").catch(() => [])).length;
  const before = await openFiles();
  for (let round = 0; round < 3; round++) {
    const read = await Promise.all(names.map(async (name) => (await blobs.find(name))?.read(0, 2)));
    assert.deepEqual(
      read.map((bytes) => bytes?.[1]),
      names.map((_, i) => i),
    );
  }
  assert.ok((await openFiles()) <= before + 33, "read files are closed again");
});
