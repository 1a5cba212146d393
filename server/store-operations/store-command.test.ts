import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { apiKey, ServerProcess } from "../crash/platform/server-process.ts";

const program = fileURLToPath(new URL("../store-main.js", import.meta.url));
const deviceKey = Buffer.from("a very secret key").toString("base64");
let root: string;
let dataDir: string;
let server: ServerProcess;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "store-command-"));
  dataDir = join(root, "data");
  server = new ServerProcess(dataDir);
  await server.start();
  await call("POST", "/packages?name=demo&version=1", "the content of a package ".repeat(40_000), "application/octet-stream");
  await call("POST", "/credentials", JSON.stringify({ endpoint: "ep", kind: "psk", identity: "ep", key: deviceKey }));
});
after(async () => {
  await server.kill();
  await rm(root, { recursive: true });
});

async function call(method: string, path: string, body?: string, type = "application/json"): Promise<string> {
  const headers = { authorization: `Bearer ${apiKey}`, ...(body === undefined ? {} : { "content-type": type }) };
  const reply = await fetch(`${server.origin}/api/v1${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${await reply.clone().text()}`);
  return reply.text();
}

async function store(args: readonly string[], directory = dataDir): Promise<{ code: number | null; out: string; said: string }> {
  const child = spawn(process.execPath, [program, ...args], { env: { PATH: process.env["PATH"] ?? "", DATA_DIR: directory } });
  let out = "";
  let said = "";
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stderr.on("data", (text) => {
    said += text;
  });
  const [code] = await once(child, "close");
  return { code, out, said };
}

/** What the API shows of a store, with another server over it. */
async function shownBy(directory: string): Promise<readonly string[]> {
  await server.stop();
  const former = server;
  server = new ServerProcess(directory);
  await server.start();
  const shown = await Promise.all(["/packages", "/credentials"].map((path) => call("GET", path)));
  await server.stop();
  server = former;
  await server.start();
  return shown;
}

test("backup while the server runs, restore elsewhere: the same packages, their content and the credentials, with the key or without", async () => {
  const shown = await Promise.all(["/packages", "/credentials"].map((path) => call("GET", path)));
  const backup = join(root, "backup");
  const made = await store(["backup", backup]);
  assert.equal(made.code, 0, made.said);
  assert.match(made.said, /1 blobs, read back and whole/);
  assert.match(made.said, /secret-key: keep a copy of that elsewhere/);
  assert.deepEqual((await readdir(backup)).sort(), ["blobs", "store.db"]);
  assert.equal((await stat(join(backup, "store.db"))).mode & 0o077, 0);
  const again = await store(["backup", backup]);
  assert.deepEqual([again.code, again.out], [1, ""]);
  assert.match(again.said, /is there already/);

  const elsewhere = join(root, "restored");
  const restored = await store(["restore", backup], elsewhere);
  assert.equal(restored.code, 0, restored.said);
  assert.match(restored.said, /put it at .*restored\/secret-key before the server starts/);
  // Sealed as they are, its secrets need the key: a start without it names it.
  await assert.rejects(new ServerProcess(elsewhere).start(), /key/);
  await writeFile(join(elsewhere, "secret-key"), await readFile(join(dataDir, "secret-key")), { mode: 0o600 });
  assert.deepEqual(await shownBy(elsewhere), shown);
  const verified = await store(["verify"], elsewhere);
  assert.deepEqual([verified.code, verified.said], [0, "everything was read and is whole\n"]);

  const withKey = join(root, "with-key");
  assert.equal((await store(["backup", withKey, "--with-key"])).code, 0);
  const complete = join(root, "complete");
  assert.match((await store(["restore", withKey], complete)).said, /with the key/);
  assert.deepEqual(await shownBy(complete), shown);
});

test("restore: into a directory that is used or not empty, or from what is no whole backup, is refused and changes nothing", async () => {
  const backup = join(root, "backup-2");
  assert.equal((await store(["backup", backup])).code, 0);
  const names = await readdir(dataDir);
  const refused = await store(["restore", backup]);
  assert.equal(refused.code, 1);
  assert.match(refused.said, /is not empty/);
  assert.deepEqual(await readdir(dataDir), names);
  assert.match((await store(["restore", join(root, "nowhere")], join(root, "x"))).said, /is no backup/);
  const [folder = ""] = (await readdir(join(backup, "blobs"))).filter((name) => name.length === 2);
  const [blob = ""] = await readdir(join(backup, "blobs", folder));
  await writeFile(join(backup, "blobs", folder, blob), "something else");
  const damaged = await store(["restore", backup], join(root, "x"));
  assert.equal(damaged.code, 1);
  assert.match(damaged.said, /not whole: the content of package demo 1 is damaged/);
  await assert.rejects(stat(join(root, "x")));
});

test("export and import: everything comes back, secrets stay sealed, a file that was cut off or altered is told", async () => {
  const backup = join(root, "backup-3");
  assert.equal((await store(["backup", backup])).code, 0);
  const busy = await store(["export", join(root, "busy.ndjson")]);
  assert.deepEqual([busy.code, busy.said.includes("another server is using it")], [1, true], busy.said);
  const file = join(root, "all.ndjson");
  const exported = await store(["export", file], backup);
  assert.equal(exported.code, 0, exported.said);
  const text = await readFile(file, "utf8");
  for (const form of [deviceKey, "a very secret key", Buffer.from(deviceKey, "base64").toString("hex")]) {
    assert.ok(!text.includes(form), "a secret is in the clear");
  }
  assert.equal((await store(["export", "-"], backup)).out, text);

  const target = join(root, "imported");
  const imported = await store(["import", file], target);
  assert.equal(imported.code, 0, imported.said);
  assert.equal((await store(["export", "-"], target)).out, text);
  assert.match((await store(["import", file], target)).said, /the store is not empty/);
  const lines = text.trimEnd().split("\n");
  const faults = [
    [lines.slice(0, -1), /cut off/],
    [lines.toSpliced(3, 1), /the end counts/],
    [lines.slice(1), /no export/],
    [lines.with(2, "{"), /line 3: this is no JSON/],
    [lines.map((line) => (line.includes('"piece"') ? JSON.stringify({ kind: "piece", base64: "AAAA" }) : line)), /not what its name says/],
  ] as const;
  for (const [n, [altered, fault]] of faults.entries()) {
    await writeFile(join(root, "altered.ndjson"), altered.map((line) => `${line}\n`).join(""));
    const refused = await store(["import", join(root, "altered.ndjson")], join(root, `altered-${n}`));
    assert.equal(refused.code, 1, refused.said);
    assert.match(refused.said, fault);
  }
});

test("wrong usage is code 2 with what there is; a store that is not there is not made", async () => {
  for (const args of [[], ["burn"], ["backup"], ["export", "--data-dir"], ["verify", "--nonsense", "1"]]) {
    assert.equal((await store(args)).code, 2, args.join(" "));
  }
  const nowhere = join(root, "never-made");
  for (const command of [["verify"], ["migrate"], ["export", "-"]]) {
    const refused = await store(command, nowhere);
    assert.equal(refused.code, 1);
    assert.match(refused.said, /there is no store in/);
  }
  await assert.rejects(stat(nowhere));
  assert.match((await store(["migrate"], join(root, "imported"))).said, /schema version \d+, that of this server/);
});
