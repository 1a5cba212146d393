/** The cases for clients, run against our emulated device; and the runner as a person uses it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { Child } from "../interop/platform/child.ts";
import { patienceMs } from "../interop/platform/deadline.ts";
import { startDevice } from "../interop/platform/device-process.ts";
import { deviceMain, repositoryRoot } from "../interop/platform/locations.ts";
import { WireServer } from "./platform/wire-server.ts";
import { judgeClient, quoted } from "./testing/judge-client.ts";

const runnerMain = join(repositoryRoot, "conformance-tests/dist/conformance-main.js");

judgeClient("emulated device", (uri) => ({
  line: quoted([process.execPath, deviceMain, "--server", uri, "--endpoint", "judged"]),
  stop: "sigint",
}));

test("npm run conformance --role client: one client started by hand serves every case", async () => {
  const uri = `coap://127.0.0.1:${await stablePort("udp")}`;
  const ids = "101,102,105,241,203,260,wire-observe-change,RFC7252-4.3-ping,wire-deregister-at-end";
  const runner = new Child("conformance", process.execPath, [runnerMain, "--role", "client", "--target", uri, "--cases", ids]);
  const device = startDevice(uri, "by-hand");
  try {
    const { code } = await runner.end(3 * patienceMs);
    assert.equal(code, 0, runner.transcript());
    assert.match(runner.stderr.join("\n"), /waiting 120 s for a client that registers at coap:\/\/127/);
    assert.equal(runner.stdout.at(-1), "8 of 9 cases passed, 1 not applicable");
  } finally {
    await device.stop();
    await runner.stop();
  }
});

test("npm run conformance --role client: no client, or an address that is taken, is one line and exit code 2", async () => {
  const uri = `coap://127.0.0.1:${await stablePort("udp")}`;
  const alone = new Child("conformance", process.execPath, [runnerMain, "--role", "client", "--target", uri, "--wait", "0"]);
  assert.equal((await alone.end(patienceMs)).code, 2);
  assert.equal(alone.stderr.at(-1), "conformance: no client registered within 0 s");
  const server = await WireServer.open({ host: "127.0.0.1", port: 0 });
  const taken = new Child("conformance", process.execPath, [runnerMain, "--role", "client", "--target", `coap://127.0.0.1:${server.port}`]);
  assert.equal((await taken.end(patienceMs)).code, 2);
  assert.match(taken.stderr.join("\n"), /^conformance: --target: .*EADDRINUSE/);
  server.close();
});

test("npm run conformance --role client: a command that cannot start is Inconclusive, and says why", async () => {
  const uri = `coap://127.0.0.1:${await stablePort("udp")}`;
  const args = ["--role", "client", "--target", uri, "--cases", "101", "--command", "echo no such device >&2; exit 3"];
  const runner = new Child("conformance", process.execPath, [runnerMain, ...args]);
  assert.equal((await runner.end(2 * patienceMs)).code, 1);
  assert.match(runner.stdout.join("\n"), /^Inconclusive .*\n.*the command ended with 3: no such device/);
});
