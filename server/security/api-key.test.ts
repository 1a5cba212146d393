import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { StartError } from "../start-error.ts";
import { bearerCheck, openAdministratorKey } from "./api-key.ts";

async function aDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "admin-key-"));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

test("the first start makes a key, mode 0600; later starts read the same", async (t) => {
  const directory = join(await aDirectory(t), "deeper", "data");
  const first = await openAdministratorKey(directory, systemRandom);
  assert.equal(first.isNew, true);
  assert.match(first.key, /^lwm2m_[A-Za-z0-9_-]{43}$/);
  assert.equal((await stat(join(directory, "admin-key"))).mode & 0o777, 0o600);
  assert.equal(await readFile(join(directory, "admin-key"), "utf8"), `${first.key}\n`);
  assert.deepEqual(await readdir(directory), ["admin-key"]);
  assert.deepEqual(await openAdministratorKey(directory, systemRandom), { key: first.key, isNew: false });
});

test("a key file that others may read is closed to them again", async (t) => {
  const directory = await aDirectory(t);
  await openAdministratorKey(directory, systemRandom);
  await chmod(join(directory, "admin-key"), 0o644);
  await openAdministratorKey(directory, systemRandom);
  assert.equal((await stat(join(directory, "admin-key"))).mode & 0o777, 0o600);
});

test("a leftover of a crash while the key was written does not stand in the way", async (t) => {
  const directory = await aDirectory(t);
  await writeFile(join(directory, "admin-key.new"), "lwm2m_ha");
  assert.equal((await openAdministratorKey(directory, systemRandom)).isNew, true);
});

test("a damaged key file is refused in one line that does not show it", async (t) => {
  const directory = await aDirectory(t);
  await writeFile(join(directory, "admin-key"), "two words and more");
  await assert.rejects(openAdministratorKey(directory, systemRandom), (error: unknown) => {
    assert.ok(error instanceof StartError);
    assert.match(error.message, /admin-key is damaged/);
    assert.equal(error.message.includes("two words"), false);
    return true;
  });
});

test("RFC 6750 §2.1: only the key itself, as a bearer token, is let in", () => {
  const check = bearerCheck("a-key-for-scripts");
  assert.deepEqual(check("Bearer a-key-for-scripts"), { actor: "administrator" });
  assert.deepEqual(check("bearer a-key-for-scripts"), { actor: "administrator" });
  for (const wrong of [
    undefined,
    "",
    "a-key-for-scripts",
    "Basic a-key-for-scripts",
    "Bearer",
    "Bearer ",
    "Bearer a-key-for-script",
    "Bearer a-key-for-scriptss",
    "Bearer a-key-for-scripts x",
    "Bearer A-KEY-FOR-SCRIPTS",
  ]) {
    assert.equal(check(wrong), undefined, String(wrong));
  }
});
