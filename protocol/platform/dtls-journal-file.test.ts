import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, rm, stat, symlink, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { JournalFenced } from "../dtls/journal/journal-contract.ts";
import { openDtlsJournalFile } from "./dtls-journal-file.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dtls-journal-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const chunksIn = (parts: readonly { readonly chunks: readonly Uint8Array[] }[]): string[][] =>
  parts.map(({ chunks }) => chunks.map(String));

test("journal files: what was appended is found by who takes over, until it is dropped; readable by the owner only", () =>
  inFolder(async (folder) => {
    const first = await openDtlsJournalFile(join(folder, "deep", "journal"));
    assert.deepEqual(await first.takeOver(), []);
    await first.append(Buffer.from("one"));
    await first.rotate();
    await first.append(Buffer.from("two"));
    await first.close();
    const second = await openDtlsJournalFile(join(folder, "deep", "journal"));
    const parts = await second.takeOver();
    assert.deepEqual(chunksIn(parts), [["one"], ["two"]]);
    assert.equal(second.part, 3);
    const [name = ""] = await readdir(join(folder, "deep", "journal"));
    assert.equal((await stat(join(folder, "deep", "journal", name))).mode & 0o777, 0o600);
    await second.dropOlder();
    assert.equal((await readdir(join(folder, "deep", "journal"))).length, 1);
    await second.close();
  }));

test("journal files: an owner whose successor exists appends and rotates in vain", () =>
  inFolder(async (folder) => {
    const first = await openDtlsJournalFile(folder);
    await first.takeOver();
    await first.append(Buffer.from("one"));
    const second = await openDtlsJournalFile(folder);
    assert.deepEqual(chunksIn(await second.takeOver()), [["one"]]);
    await assert.rejects(first.append(Buffer.from("two")), JournalFenced);
    await assert.rejects(first.rotate(), JournalFenced);
    await second.append(Buffer.from("three"));
    await Promise.all([first.close(), second.close()]);
  }));

test("journal files: a part that its owner drops between its being seen and being read is one that later ones replace", () =>
  inFolder(async (folder) => {
    await symlink(join(folder, "gone"), join(folder, "dtls-0000000001.journal"));
    const first = await openDtlsJournalFile(folder);
    assert.deepEqual(await first.takeOver(), []);
    await first.append(Buffer.from("all of it"));
    const second = await openDtlsJournalFile(folder);
    assert.deepEqual(chunksIn(await second.takeOver()), [["all of it"]]);
    await Promise.all([first.close(), second.close()]);
  }));

test("journal files: ten who start at once have parts of their own, and one of them is the last", () =>
  inFolder(async (folder) => {
    const owners = await Promise.all(Array.from({ length: 10 }, () => openDtlsJournalFile(folder)));
    await Promise.all(owners.map((owner) => owner.takeOver()));
    assert.equal(new Set(owners.map(({ part }) => part)).size, 10);
    const outcomes = await Promise.allSettled(owners.map((owner) => owner.append(Buffer.from("mine"))));
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    await Promise.all(owners.map((owner) => owner.close()));
  }));

test("journal files: cut at every byte, or followed by zeros, the whole chunks before are there", () =>
  inFolder(async (folder) => {
    const writer = await openDtlsJournalFile(folder);
    await writer.takeOver();
    await writer.append(Buffer.from("first"));
    await writer.append(Buffer.from("second"));
    await writer.close();
    const [name = ""] = await readdir(folder);
    const path = join(folder, name);
    await appendFile(path, Buffer.alloc(100));
    for (let size = 119; size >= 0; size--) {
      await truncate(path, size);
      const reader = await openDtlsJournalFile(folder);
      const parts = await reader.takeOver();
      const expected = [...(size >= 9 ? ["first"] : []), ...(size >= 19 ? ["second"] : [])];
      assert.deepEqual(chunksIn(parts.slice(0, 1)), [expected]);
      await reader.close();
      for (const other of await readdir(folder)) if (other !== name) await rm(join(folder, other));
    }
  }));
