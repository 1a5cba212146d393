import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("./main.js", import.meta.url));
const freePorts = { HTTP_PORT: "0", COAP_PORT: "0", BOOTSTRAP_COAP_PORT: "0", COAP_HOST: "127.0.0.1" };

interface Entry {
  readonly level: string;
  readonly message: string;
  readonly door?: string;
  readonly port?: number;
}

async function aDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "server-main-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function spawnMain(t: TestContext, env: { readonly [name: string]: string }, argv: readonly string[] = []) {
  const child = spawn(process.execPath, [main, ...argv], { env: { PATH: process.env["PATH"] ?? "", ...freePorts, ...env } });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

async function ended(
  child: ChildProcessWithoutNullStreams,
): Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code, signal] = await once(child, "close");
  return { code, signal, stdout, stderr };
}

/** Reads the log until every door is open. */
async function started(
  child: ChildProcessWithoutNullStreams,
): Promise<{ origin: string; ports: { readonly [door: string]: number }; entries: readonly Entry[] }> {
  const ports: { [door: string]: number } = {};
  const entries: Entry[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const entry: Entry = JSON.parse(line);
    entries.push(entry);
    if (entry.message === "listening") ports[entry.door ?? ""] = entry.port ?? 0;
    if (entry.door === "http") {
      child.stdout.resume();
      return { origin: `http://127.0.0.1:${entry.port}`, ports, entries };
    }
  }
  throw new Error(`the server ended while it started: ${JSON.stringify(entries)}`);
}

async function stop(child: ChildProcessWithoutNullStreams, signal: "SIGTERM" | "SIGINT"): Promise<number | null> {
  const exit = once(child, "exit");
  child.kill(signal);
  const [code] = await exit;
  return code;
}

test("the first start makes a key and shows it once; it opens the API, and a restart keeps it", async (t) => {
  const directory = await aDirectory(t);
  const first = spawnMain(t, { DATA_DIR: directory });
  const notice = once(first.stderr, "data");
  const { origin, ports } = await started(first);
  assert.deepEqual(Object.keys(ports).sort(), ["bootstrap-coap", "bootstrap-coaps", "coap", "coaps", "http"]);
  const key = /lwm2m_[A-Za-z0-9_-]{43}/.exec(String((await notice)[0]))?.[0] ?? assert.fail("no key was shown");
  assert.equal((await readFile(join(directory, "admin-key"), "utf8")).trim(), key);
  assert.equal((await stat(join(directory, "admin-key"))).mode & 0o777, 0o600);
  assert.equal((await fetch(`${origin}/health/ready`)).status, 200);
  assert.equal((await fetch(`${origin}/api/v1/devices`)).status, 401);
  const headers = { authorization: `Bearer ${key}` };
  assert.equal((await fetch(`${origin}/api/v1/devices`, { headers })).status, 200);
  assert.equal(await stop(first, "SIGTERM"), 0);

  const second = spawnMain(t, { DATA_DIR: directory });
  const again = await started(second);
  assert.equal((await fetch(`${again.origin}/api/v1/devices`, { headers })).status, 200);
  const end = ended(second);
  second.kill("SIGINT");
  const { code, stderr } = await end;
  assert.deepEqual([code, stderr], [0, ""]);
});

test("an event stream that is open does not keep the server from stopping", async (t) => {
  const key = "a-known-script-key";
  const child = spawnMain(t, { DATA_DIR: await aDirectory(t), API_KEY: key });
  const { origin } = await started(child);
  const headers = { authorization: `Bearer ${key}`, accept: "text/event-stream" };
  const stream = await fetch(`${origin}/api/v1/events`, { headers });
  const rest = stream.text();
  const beganAt = process.hrtime.bigint();
  assert.equal(await stop(child, "SIGTERM"), 0);
  assert.ok(process.hrtime.bigint() - beganAt < 5_000_000_000n);
  assert.equal(await rest, "retry: 3000\n\n");
});

test("a second server on one data directory is refused with one line; the first goes on; kill -9 frees it", async (t) => {
  const directory = await aDirectory(t);
  const first = spawnMain(t, { DATA_DIR: directory });
  const { origin } = await started(first);
  const refused = await ended(spawnMain(t, { DATA_DIR: directory }));
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /^cannot start: [^\n]+\n$/);
  assert.ok(refused.stderr.includes(directory), refused.stderr);
  assert.equal((await fetch(`${origin}/health/ready`)).status, 200);
  const killed = once(first, "exit");
  first.kill("SIGKILL");
  await killed;
  const later = spawnMain(t, { DATA_DIR: directory });
  await started(later);
  assert.equal(await stop(later, "SIGTERM"), 0);
});

test("a port in use is named in one line, for each door, and nothing is left behind", async (t) => {
  const running = spawnMain(t, { DATA_DIR: await aDirectory(t) });
  const { ports } = await started(running);
  const directory = await aDirectory(t);
  for (const [door, setting] of [
    ["http", "HTTP_PORT"],
    ["coap", "COAP_PORT"],
    ["bootstrap-coap", "BOOTSTRAP_COAP_PORT"],
  ] as const) {
    const port = String(ports[door]);
    const refused = await ended(spawnMain(t, { DATA_DIR: directory, [setting]: port }));
    assert.deepEqual([refused.code, refused.stdout], [1, ""], setting);
    assert.match(refused.stderr, /^cannot start: [^\n]+\n$/);
    for (const part of [port, setting, "in use"]) assert.ok(refused.stderr.includes(part), refused.stderr);
  }
  const later = spawnMain(t, { DATA_DIR: directory });
  await started(later);
});

test("a data directory that cannot be written, or a damaged key, is one line", async (t) => {
  const directory = await aDirectory(t);
  const file = join(directory, "file");
  await writeFile(file, "");
  for (const DATA_DIR of [join(file, "below"), file]) {
    const refused = await ended(spawnMain(t, { DATA_DIR }));
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /^cannot start: [^\n]+\n$/);
    assert.ok(refused.stderr.includes(file), refused.stderr);
  }
  const damaged = join(directory, "damaged");
  await stop(await startedAt(t, damaged), "SIGTERM");
  await writeFile(join(damaged, "admin-key"), "");
  const refused = await ended(spawnMain(t, { DATA_DIR: damaged }));
  assert.match(refused.stderr, /^cannot start: [^\n]*admin-key[^\n]*\n$/);
});

async function startedAt(t: TestContext, directory: string): Promise<ChildProcessWithoutNullStreams> {
  const child = spawnMain(t, { DATA_DIR: directory });
  await started(child);
  return child;
}

test("wrong settings are one line each and nothing starts; --help explains them", async (t) => {
  const directory = join(await aDirectory(t), "never-made");
  const refused = await ended(spawnMain(t, { DATA_DIR: directory, HTTP_PORT: "x", LOG_LEVEL: "loud" }, ["--nonsense"]));
  assert.deepEqual([refused.code, refused.stdout, refused.stderr.split("\n").length], [1, "", 4]);
  await assert.rejects(stat(directory));
  const help = await ended(spawnMain(t, {}, ["--help"]));
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /--http-port +HTTP_PORT/);
});

test("REDIS_URL: what is no address ends the start with one line; a Redis that is not there does not keep the server from working or stopping", async (t) => {
  const directory = await aDirectory(t);
  const refused = await ended(spawnMain(t, { DATA_DIR: directory, REDIS_URL: "http://:geheim@r" }));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^cannot start: REDIS_URL: [^\n]+\n$/);
  assert.doesNotMatch(refused.stderr + refused.stdout, /geheim/);
  // The discard port: nobody listens.
  const server = spawnMain(t, { DATA_DIR: directory, REDIS_URL: "redis://:geheim@127.0.0.1:9" });
  const { origin } = await started(server);
  assert.equal((await fetch(`${origin}/health/ready`)).status, 200);
  assert.equal(await stop(server, "SIGTERM"), 0);
});
