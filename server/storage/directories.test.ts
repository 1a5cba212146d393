import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeDirectories } from "./directories.ts";

let root = "";
before(() => {
  root = mkdtempSync(join(tmpdir(), "directories-"));
});
after(() => rmSync(root, { recursive: true, force: true }));

test("makes what is missing on the way, for its owner alone, and finds it again", async () => {
  const path = join(root, "a", "b", "c");
  await makeDirectories(path);
  await makeDirectories(path);
  assert.equal(statSync(join(root, "a")).mode & 0o777, 0o700);
  assert.ok(statSync(path).isDirectory());
});

test("several at once make one", async () => {
  const path = join(root, "together", "deep");
  await Promise.all(Array.from({ length: 8 }, () => makeDirectories(path)));
  assert.ok(statSync(path).isDirectory());
});

test("a file in the way is an error, at the end and in the middle", async () => {
  const file = join(root, "file");
  writeFileSync(file, "");
  await assert.rejects(makeDirectories(file), { code: "ENOTDIR" });
  await assert.rejects(makeDirectories(join(file, "below")), { code: "ENOTDIR" });
});

test("a file system that takes no directories is an error, not a wait without end", {
  skip: !existsSync("/proc/self") && "no /proc here",
}, async () => {
  await assert.rejects(makeDirectories("/proc/nothing/here"), { code: "ENOENT" });
});
