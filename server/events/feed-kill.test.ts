/** The feed of a real process that is killed, again and again, while it is written to and read. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../main.js", import.meta.url));
const key = "a-key-for-the-tests-of-the-feed";
const rounds = 4;
/** Events a reader takes before the next kill. */
const eventsPerRound = 120;
const writersAtOnce = 8;

interface Server {
  readonly child: ChildProcessWithoutNullStreams;
  readonly api: string;
}

async function startServer(directory: string): Promise<Server> {
  const ports = { HTTP_PORT: "0", COAP_PORT: "0", COAPS_PORT: "0", BOOTSTRAP_COAP_PORT: "0", BOOTSTRAP_COAPS_PORT: "0" };
  const env = { PATH: process.env["PATH"] ?? "", ...ports, COAP_HOST: "127.0.0.1", DATA_DIR: directory, API_KEY: key };
  const child = spawn(process.execPath, [main], { env });
  for await (const line of createInterface({ input: child.stdout })) {
    const { message, door, port } = JSON.parse(line);
    if (message !== "listening" || door !== "http") continue;
    child.stdout.resume();
    child.stderr.resume();
    return { child, api: `http://127.0.0.1:${port}/api/v1` };
  }
  throw new Error("the server ended while it started");
}

const asked = (more: Record<string, string> = {}) => ({ authorization: `Bearer ${key}`, ...more });

/** Writes until the server is gone; keeps the names of what was acknowledged. */
async function write({ api }: Server, name: (n: number) => string, acknowledged: Set<string>): Promise<void> {
  for (let n = 0; ; n += 1) {
    const endpoint = name(n);
    const body = JSON.stringify({ endpoint, kind: "psk", identity: endpoint, key: Buffer.alloc(16, 7).toString("base64") });
    try {
      const response = await fetch(`${api}/credentials`, { method: "POST", headers: asked({ "content-type": "application/json" }), body });
      if (response.status !== 201) assert.fail(`${response.status}: ${await response.text()}`);
      acknowledged.add(endpoint);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return;
    }
  }
}

interface Seen {
  readonly id: string;
  readonly subject: string;
}

/** Takes whole events only, as EventSource does; what a cut stream leaves half told comes again. */
async function read(server: Server, seen: Seen[], isEnough: () => boolean, stop: () => void): Promise<void> {
  const leaving = new AbortController();
  const from = seen.at(-1)?.id;
  const headers = asked({ accept: "text/event-stream", ...(from === undefined ? {} : { "last-event-id": from }) });
  let text = "";
  try {
    const response = await fetch(`${server.api}/events${from === undefined ? "?after=" : ""}`, { headers, signal: leaving.signal });
    assert.equal(response.status, 200);
    for await (const chunk of (response.body ?? assert.fail("no body")).pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data === undefined) continue;
        const { id, subject } = JSON.parse(data);
        assert.equal(/^id: (.*)$/m.exec(block)?.[1], id);
        seen.push({ id, subject });
      }
      if (!isEnough()) continue;
      stop();
      if (server.child.signalCode === null && !server.child.killed) leaving.abort();
    }
  } catch (error) {
    // The kill, or our leaving.
    if (error instanceof assert.AssertionError) throw error;
  }
}

async function stored({ api }: Server): Promise<readonly Seen[]> {
  const events: Seen[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const page: { items: readonly Seen[]; next: string | null } = JSON.parse(
      await (await fetch(`${api}/events?limit=1000&after=${after}`, { headers: asked() })).text(),
    );
    events.push(...page.items.map(({ id, subject }) => ({ id, subject })));
    after = page.next;
  }
  return events;
}

test("kill -9 in the middle of writes and of a stream: a reader that resumes by Last-Event-ID has exactly the events of the store", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "feed-kill-"));
  let server = await startServer(directory);
  t.after(async () => {
    server.child.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true });
  });
  const seen: Seen[] = [];
  const acknowledged = new Set<string>();
  for (let round = 0; round < rounds; round += 1) {
    const { child } = server;
    const writers = Array.from({ length: writersAtOnce }, (_, w) => write(server, (n) => `dev-${round}-${w}-${n}`, acknowledged));
    const exit = once(child, "exit");
    const wanted = seen.length + eventsPerRound;
    await read(
      server,
      seen,
      () => seen.length >= wanted,
      () => void child.kill("SIGKILL"),
    );
    await Promise.all([...writers, exit]);
    server = await startServer(directory);
  }
  const events = await stored(server);
  const isThere = (): boolean => seen.at(-1)?.id === events.at(-1)?.id;
  // What came about while nobody read.
  if (!isThere()) await read(server, seen, isThere, () => {});
  assert.deepEqual(seen, events);
  const subjects = seen.map(({ subject }) => subject);
  assert.equal(new Set(subjects).size, subjects.length, "no event twice");
  for (const endpoint of acknowledged) assert.ok(subjects.includes(endpoint), `${endpoint} was acknowledged and is not told`);
  assert.ok(acknowledged.size > rounds * 50, `only ${acknowledged.size} writes`);
});
