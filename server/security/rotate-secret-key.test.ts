import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { StartError } from "../start-error.ts";
import { rotateSecretKey } from "./rotate-secret-key.ts";
import { findSecretKeys } from "./secret-key-file.ts";

const main = fileURLToPath(new URL("../secret-key-main.js", import.meta.url));

async function aDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "rotate-secret-key-"));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

test("rotation puts a key on top; remarks, former keys and the file's mode stay", async (t) => {
  const dataDir = await aDirectory(t);
  const file = join(dataDir, "keys");
  const formerLine = Buffer.alloc(32, 7).toString("base64");
  await writeFile(file, `# of the vault\n${formerLine}`);
  await chmod(file, 0o640);
  const [former] = (await findSecretKeys({ file, dataDir })) ?? [];
  const keys = await rotateSecretKey({ file, dataDir }, seededRandom(1));
  assert.deepEqual(
    keys.map(({ id }) => id),
    [keys[0].id, former?.id],
  );
  assert.notEqual(keys[0].id, former?.id);
  assert.deepEqual(await findSecretKeys({ file, dataDir }), keys);
  assert.deepEqual((await readFile(file, "utf8")).split("\n").slice(1), ["# of the vault", formerLine]);
  assert.equal((await stat(file)).mode & 0o777, 0o640);
});

test("without a file a data directory gets its first key; SECRET_KEY_FILE has to be there, a damaged one stays as it is", async (t) => {
  const dataDir = await aDirectory(t);
  assert.equal((await rotateSecretKey({ file: undefined, dataDir }, seededRandom(1))).length, 1);
  await assert.rejects(rotateSecretKey({ file: join(dataDir, "elsewhere"), dataDir }, seededRandom(1)), StartError);
  const damaged = join(dataDir, "damaged");
  await writeFile(damaged, "half a ke");
  await assert.rejects(rotateSecretKey({ file: damaged, dataDir }, seededRandom(1)), StartError);
  assert.equal(await readFile(damaged, "utf8"), "half a ke");
});

test("the command shows ids and never a key", async (t) => {
  const dataDir = await aDirectory(t);
  const call = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { env: { DATA_DIR: dataDir }, encoding: "utf8" });
    return { status, stdout, stderr };
  };
  assert.deepEqual([call("list").status, call("forget").status, call().status, call("list", "--nonsense").status], [1, 2, 2, 2]);
  assert.match(call("rotate").stdout, /^[0-9a-f]{16} {2}encrypts\n$/);
  const { status, stdout, stderr } = call("rotate");
  assert.match(stdout, /^[0-9a-f]{16} {2}encrypts\n[0-9a-f]{16} {2}former\n$/);
  assert.match(stderr, /^Start the server again/);
  assert.deepEqual(call("list"), { status, stdout, stderr: "" });
  for (const line of (await readFile(join(dataDir, "secret-key"), "utf8")).trim().split("\n")) assert.equal(stdout.includes(line), false);
});
