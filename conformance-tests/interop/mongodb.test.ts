/** The server on a MongoDB-wire server that is not there yet, is killed, is gone for a while: what was acknowledged is there, and readiness tells. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ferretSuite } from "@lwm2m/server/testing/platform/store-suite";
import type { Child } from "./platform/child.ts";
import { eventually, eventuallySucceeds, patienceMs } from "./platform/deadline.ts";
import { startDevice } from "./platform/device-process.ts";
import { removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { field, type Json, RestClient, type RestReply } from "./platform/rest-client.ts";
import { listeningPort, type ServerProcess, spawnServer, stablePorts, startServer } from "./platform/server-process.ts";
import { type Load, startOperating, startRegistering } from "./platform/store-load.ts";

const apiKey = "a-known-script-key";
/** Short, so that an outage shows soon; longer than FerretDB takes for an index on a busy machine. */
const quick = { MONGO_TIMEOUT_MS: "1500", PROCESS_LEASE_SECONDS: "4", API_KEY: apiKey };

/** The port of the door that only says that the server waits. */
function waitingPort(child: Child): Promise<number> {
  return child.line("waiting line", (line) => {
    const entry: unknown = line.startsWith("{") ? JSON.parse(line) : undefined;
    if (typeof entry !== "object" || entry === null || !("message" in entry) || entry.message !== "waiting") return undefined;
    return "port" in entry && typeof entry.port === "number" ? entry.port : undefined;
  });
}

function saysThatItIsOpen(child: Child): boolean {
  return child.stdout.some((line) => line.includes('"listening"'));
}

ferretSuite("the server on FerretDB that is not there at its start", (ferret) => {
  let directory: string;
  let child: Child | undefined;
  before(async () => {
    directory = await temporaryDirectory();
  });
  after(async () => {
    await child?.stop();
    await removeDirectory(directory);
  });

  test("it waits with every door of devices closed, says why, and opens by itself", async () => {
    await ferret().kill();
    child = spawnServer(directory, { ...quick, MONGO_URL: ferret().url("late") });
    const rest = new RestClient(`http://127.0.0.1:${await waitingPort(child)}`, apiKey);
    const ready = await rest.get("/health/ready");
    assert.deepEqual([ready.status, field(ready.body, "reasons")], [503, ["the store cannot be reached"]]);
    assert.equal((await rest.get("/health/live")).status, 200);
    const refused = await rest.get("/devices");
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
    assert.equal(saysThatItIsOpen(child), false);

    await ferret().start();
    const opened = new RestClient(`http://127.0.0.1:${await listeningPort(child, "http")}`, apiKey);
    await eventuallySucceeds("readiness", patienceMs, async () => assert.equal((await opened.get("/health/ready")).status, 200));
    assert.equal((await opened.get("/devices")).status, 200);
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
  });

  test("it can be stopped while it waits", async () => {
    await ferret().kill();
    child = spawnServer(directory, { ...quick, MONGO_URL: ferret().url("late") });
    await waitingPort(child);
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
    assert.deepEqual(child.stderr, []);
  });
});

ferretSuite("the server on FerretDB that is killed under load", (ferret) => {
  let server: ServerProcess;
  let device: Child | undefined;
  const registering: Load[] = [];
  const operating: Load[] = [];
  const loads = (): readonly Load[] => [...registering, ...operating];
  let running: readonly Load[] = [];

  before(async () => {
    server = await startServer({ ports: await stablePorts(), env: { ...quick, MONGO_URL: ferret().url("killed") } });
    device = startDevice(server.coap, "busy", ["--lifetime", "600"]);
    await eventually("the registration of the device", patienceMs, async () =>
      field((await server.rest.get("/devices/busy")).body, "registration") ? true : undefined,
    );
  });
  after(async () => {
    for (const load of loads()) await load.stop();
    await device?.stop();
    await server?.dispose();
  });

  async function readiness(status: 200 | 503): Promise<void> {
    await eventually(`readiness ${status}`, patienceMs, async () =>
      (await server.rest.get("/health/ready")).status === status ? true : undefined,
    );
  }
  async function more(what: "acknowledged" | "refused", count: number): Promise<void> {
    const counted = (): readonly number[] => running.map((load) => (what === "refused" ? load.refused : load.acknowledged.length));
    const goals = counted().map((already) => already + count);
    const isReached = (): true | undefined => (counted().every((now, door) => now >= (goals[door] ?? 0)) ? true : undefined);
    await eventually(`${count} more ${what} at every door`, patienceMs, isReached).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(running.map((load) => ({ ...load, acknowledged: load.acknowledged.length })))}`);
    });
  }
  function startLoads(round: string): void {
    running = [startRegistering(server.ports.coap, round), startOperating(server.rest, "busy")];
    const [registrations, operations] = running;
    if (registrations !== undefined) registering.push(registrations);
    if (operations !== undefined) operating.push(operations);
  }
  /** Whoever was not acknowledged was told so, unless the server itself was killed. */
  async function endLoads({ serverKilled = false } = {}): Promise<void> {
    for (const load of running) await load.stop();
    for (const { strange, unanswered } of running) {
      assert.deepEqual(strange, []);
      if (!serverKilled) assert.equal(unanswered, 0);
    }
  }

  /** A store that is slow for a moment is 503, with when to come back. */
  function answerOf(path: string): Promise<RestReply> {
    return eventually(`an answer to GET ${path}`, patienceMs, async () => {
      const reply = await server.rest.get(path).catch((error: unknown) => {
        throw new Error(`GET ${path}: ${String(error)}\n${server.child.transcript()}`, { cause: error });
      });
      return reply.status === 503 ? undefined : reply;
    });
  }

  /** Of the last loads, or of all. */
  async function everythingIsThere(from = -1): Promise<void> {
    for (const endpoint of registering.slice(from).flatMap(({ acknowledged }) => acknowledged)) {
      const { status, body } = await answerOf(`/devices/${endpoint}`);
      assert.equal(status, 200, endpoint);
      assert.ok(field(body, "registration"), JSON.stringify(body));
    }
    const accepted = operating.slice(from).flatMap(({ acknowledged }) => acknowledged);
    for (const id of accepted) {
      const operation = await eventually(`operation ${id} to be final`, patienceMs, async () => {
        const { status, body } = await answerOf(`/operations/${id}`);
        assert.equal(status, 200, JSON.stringify(body));
        return field(body, "finishedAt") ? body : undefined;
      });
      assert.equal(field(operation, "status"), "succeeded", JSON.stringify(operation));
    }
    const wanted = `+${operating.at(-1)?.lastPlace}`;
    // A store that was slow a moment ago takes no new work yet.
    const read = await eventually("a value read", patienceMs, async () => {
      const reply = await server.rest.operate("busy", { kind: "read", path: "/3/0/14" }, 30);
      return reply.status === 429 || reply.status === 503 ? undefined : reply;
    });
    assert.equal(field(read.body, "result", "values", 0, "value"), wanted, `the last in order stands: ${JSON.stringify(read.body)}`);
    await toldOnce(accepted);
  }
  async function toldOnce(ids: readonly string[]): Promise<void> {
    const last = ids.at(-1);
    const told = await eventually("the end of the last operation", patienceMs, async () => {
      const ends = await toldEnds();
      return last === undefined || ends.includes(last) ? ends : undefined;
    });
    for (const id of ids) assert.equal(told.filter((other) => other === id).length, 1, `the end of operation ${id} is told once`);
  }

  async function toldEnds(): Promise<readonly string[]> {
    const ends: string[] = [];
    for (let after: Json | undefined = "0"; typeof after === "string"; ) {
      const { body } = await answerOf(`/events?types=operation.succeeded&limit=1000&after=${after}`);
      const items = field(body, "items");
      assert.ok(Array.isArray(items), JSON.stringify(body));
      ends.push(...items.map((event: Json) => String(field(event, "data", "operationId"))));
      after = field(body, "next");
    }
    return ends;
  }

  test("killed -9 three times and started again: nothing acknowledged is lost, and it goes on by itself", async () => {
    startLoads("killed");
    for (let round = 0; round < 3; round++) {
      await more("acknowledged", 5);
      await ferret().kill();
      await readiness(503);
      await ferret().start();
      await readiness(200);
    }
    await more("acknowledged", 5);
    await endLoads();
    await everythingIsThere();
  });

  test("gone while many ask: each is refused in time with when to come back, the process lives, and it goes on by itself", async () => {
    startLoads("gone");
    await more("acknowledged", 3);
    await ferret().kill();
    await more("refused", 8);
    const { status, body } = await server.rest.get("/health/ready");
    assert.equal(status, 503);
    assert.match(JSON.stringify(field(body, "reasons")), /store/);
    assert.equal((await server.rest.get("/health/live")).status, 200);
    assert.equal(server.child.hasExited, false);
    await ferret().start();
    await readiness(200);
    await more("acknowledged", 5);
    await endLoads();
    await everythingIsThere();
  });

  test("both killed -9 at once: nothing acknowledged is lost", async () => {
    startLoads("both");
    await more("acknowledged", 10);
    server.child.kill("SIGKILL");
    await ferret().kill();
    await endLoads({ serverKilled: true });
    await ferret().start();
    server = await server.crashAndRestart();
    startLoads("afterwards");
    await more("acknowledged", 3);
    await endLoads();
    await everythingIsThere(0);
  });
});
