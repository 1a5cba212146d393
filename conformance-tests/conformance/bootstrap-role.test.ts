/** The cases for bootstrap servers, run against both doors of ours: the process of its own and the one of the server. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { Child } from "../interop/platform/child.ts";
import { bootstrapMain, removeDirectory, temporaryDirectory } from "../interop/platform/locations.ts";
import { listeningPort, type ServerProcess, startServer } from "../interop/platform/server-process.ts";
import type { CaseResult, ConformanceCase } from "./case.ts";
import { WirePeer } from "./platform/wire-peer.ts";
import { caseText } from "./report.ts";
import { allCases, findCase, runCase } from "./runner.ts";

const configured = { device: "conformance-device", neighbour: "conformance-neighbour" };
const config = {
  security: [{ serverUri: "coap://127.0.0.1:5683", mode: "noSec", shortServerId: 101 }],
  servers: [{ shortServerId: 101, lifetimeSeconds: 300, binding: "U" }],
};
const cases = allCases.filter(({ role }) => role === "bootstrap");

function run(each: ConformanceCase, port: number, names = configured): Promise<CaseResult> {
  let made = 0;
  return runCase(each, {
    openPeer: (note) => WirePeer.open({ host: "127.0.0.1", port }, note),
    uniqueName: () => `stranger-${++made}`,
    clock: systemClock,
    configured: names,
  });
}

function judge(who: string, port: () => number): void {
  for (const each of cases) {
    test(`${each.id} (${who}): ${each.title}`, async () => {
      const result = await run(each, port());
      assert.equal(result.verdict, "Pass", caseText(result));
    });
  }
}

describe("the bootstrap process", () => {
  let directory: string;
  let bootstrap: Child;
  let port: number;
  before(async () => {
    directory = await temporaryDirectory();
    const file = join(directory, "bootstrap.json");
    await writeFile(file, JSON.stringify({ [configured.device]: config, [configured.neighbour]: config }));
    const args = [bootstrapMain, "--config", file, "--coap-host", "127.0.0.1", "--bootstrap-coap-port", "0"];
    bootstrap = new Child("bootstrap", process.execPath, args);
    port = await listeningPort(bootstrap, "bootstrap-coap");
  });
  after(async () => {
    await bootstrap.stop();
    await removeDirectory(directory);
  });

  judge("bootstrap process", () => port);

  test("LightweightM2M-1.1-int-0: a name without a configuration fails the case and says what to look at", async () => {
    const first = findCase("bootstrap", "0");
    assert.ok(first);
    const result = await run(first, port, { ...configured, device: "stranger" });
    assert.equal(result.verdict, "Fail");
    assert.match(caseText(result), /4\.00 \(has the bootstrap server a configuration for this name\?\)/);
  });
});

describe("the bootstrap door of the server", () => {
  let server: ServerProcess;
  before(async () => {
    server = await startServer();
    for (const name of Object.values(configured)) {
      const { status, body } = await server.rest.send("PUT", `/bootstrap/configs/${name}`, { body: config });
      assert.equal(status, 201, JSON.stringify(body));
    }
  });
  after(() => server.dispose());

  judge("door of the server", () => server.ports["bootstrap-coap"]);
});
