/** What the operator or the network does wrong: one clear line, nobody else disturbed, no stack trace. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Child } from "./platform/child.ts";
import { eventually, patienceMs } from "./platform/deadline.ts";
import { startDevice } from "./platform/device-process.ts";
import { throwGarbage } from "./platform/garbage.ts";
import { removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { field } from "./platform/rest-client.ts";
import { type ServerProcess, spawnServer, startServer } from "./platform/server-process.ts";

const datagrams = 5_000;
const seed = 20_261_121;

describe("starting the server wrongly", () => {
  let server: ServerProcess;
  let directory: string;

  before(async () => {
    server = await startServer();
    directory = await temporaryDirectory();
  });
  after(async () => {
    await server?.dispose();
    await removeDirectory(directory);
  });

  /** Starts a server that must give up, with one line on standard error that matches. */
  async function refusedToStart(dataDirectory: string, env: { readonly [name: string]: string }, expected: RegExp): Promise<void> {
    const child = spawnServer(dataDirectory, env);
    const exit = await child.end(patienceMs);
    assert.notEqual(exit.code, 0, child.transcript());
    const lines = child.stderr.filter((line) => line.trim() !== "" && !line.includes("ExperimentalWarning"));
    assert.equal(lines.length, 1, `one line on standard error, got:\n${child.transcript()}`);
    assert.match(lines[0] ?? "", expected);
    assertNoStack(child);
  }

  test("a second server on one data directory is refused, the first goes on", async () => {
    await refusedToStart(server.dataDirectory, {}, new RegExp(server.dataDirectory));
    assert.equal((await server.rest.get("/health/ready")).status, 200);
    assert.equal((await server.rest.get("/devices")).status, 200);
  });

  test("a port in use, of either door, is named", async () => {
    const { http, coap } = server.ports;
    await refusedToStart(directory, { HTTP_PORT: String(http) }, new RegExp(`\\b${http}\\b`));
    await refusedToStart(directory, { COAP_PORT: String(coap) }, new RegExp(`\\b${coap}\\b`));
    assert.equal((await server.rest.get("/health/ready")).status, 200);
  });

  test("a data directory that cannot be made or written is named", async () => {
    const file = join(directory, "a-file");
    await writeFile(file, "");
    await refusedToStart(join(file, "data"), {}, /a-file/);
  });

  test("settings that make no sense are named", async () => {
    await refusedToStart(directory, { HTTP_PORT: "many" }, /HTTP_PORT/);
    await refusedToStart(directory, { COAP_PORT: "70000" }, /COAP_PORT/);
    await refusedToStart(directory, { LOG_LEVEL: "loud" }, /LOG_LEVEL/);
    await refusedToStart(directory, { API_KEY: "short" }, /API_KEY/);
  });

  test("a server that was refused leaves the directory usable", async () => {
    const later = await startServer({ dataDirectory: directory });
    const exit = await later.child.stop("SIGINT");
    assert.equal(exit.code, 0, later.child.transcript());
    assertNoStack(later.child);
  });
});

describe("garbage on the CoAP port", () => {
  let server: ServerProcess;
  let device: Child;

  before(async () => {
    server = await startServer();
    device = startDevice(server.coap, "bystander", ["--lifetime", "300"]);
    await eventually("the device's registration", patienceMs, async () => {
      const { body } = await server.rest.get("/devices/bystander");
      return field(body, "registration") ? true : undefined;
    });
  });
  after(async () => {
    await device?.stop();
    await server?.dispose();
  });

  test(`RFC 7252 §4.2, §4.3: ${datagrams} mutated datagrams (seed ${seed}) disturb neither server nor registered device`, async () => {
    const before = await registration();
    const pongs = await throwGarbage(server.ports.coap, datagrams, seed);
    assert.ok(pongs >= datagrams / 100 - 2, `the server answered ${pongs} of ${datagrams / 100} pings`);
    const read = await server.rest.operate("bystander", { kind: "read", path: "/3/0/0" });
    assert.equal(field(read.body, "status"), "succeeded", JSON.stringify(read.body));
    assert.deepEqual(await registration(), before);
    assert.equal((await server.rest.get("/health/ready")).status, 200);
    assertNoStack(server.child);
  });

  async function registration(): Promise<unknown> {
    const { body } = await server.rest.get("/devices/bystander");
    const found = field(body, "registration");
    assert.ok(found !== null && found !== undefined, JSON.stringify(body));
    return field(found, "registeredAt");
  }
});

function assertNoStack(child: Child): void {
  for (const line of [...child.stdout, ...child.stderr]) {
    assert.doesNotMatch(line, /^\s+at .+:\d+:\d+|\\n\s+at /, `a stack trace in the output:\n${child.transcript()}`);
  }
}
