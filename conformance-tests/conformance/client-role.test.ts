/** The cases for clients, run against our emulated device and a foreign one; and the runner as a person uses it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { Child } from "../interop/platform/child.ts";
import { startDevice } from "../interop/platform/device-process.ts";
import { deviceMain, leshanClassPath, repositoryRoot } from "../interop/platform/locations.ts";
import { stablePort } from "../interop/platform/ports.ts";
import { interopSuite } from "../interop/platform/suite.ts";
import type { ConformanceCase, Verdict } from "./case.ts";
import { type ClientCommand, ClientSource } from "./platform/client-source.ts";
import { WireServer } from "./platform/wire-server.ts";
import { caseText } from "./report.ts";
import { allCases, runCase } from "./runner.ts";

const cases = allCases.filter(({ role }) => role === "client");
const runnerMain = join(repositoryRoot, "conformance-tests/dist/conformance-main.js");

/** One test a case; `known` names those that do not pass, and what they come to. */
function judge(who: string, commandFor: (uri: string) => ClientCommand, known: ReadonlyMap<string, Verdict>, selected = cases): void {
  let server: WireServer;
  before(async () => {
    server = await WireServer.open({ host: "127.0.0.1", port: 0 });
  });
  after(() => server.close());

  for (const each of selected) {
    const expected = known.get(each.id) ?? "Pass";
    test(`${each.id} (${who}): ${each.title}${expected === "Pass" ? "" : `: ${expected}`}`, async () => {
      const source = new ClientSource(server, commandFor(`coap://127.0.0.1:${server.port}`));
      const result = await runCase(each, { openPeer: noPeer, uniqueName: () => "", clock: systemClock, source });
      assert.equal(result.verdict, expected, caseText(result));
    });
  }
}

function noPeer(): Promise<never> {
  return Promise.reject(new Error("clients come by themselves"));
}

function quoted(parts: readonly string[]): string {
  return `exec ${parts.map((part) => `'${part}'`).join(" ")}`;
}

judge(
  "emulated device",
  (uri) => ({ line: quoted([process.execPath, deviceMain, "--server", uri, "--endpoint", "judged"]), stop: "sigint" }),
  new Map(),
);

/** It starts in half a second with only the first compiler tier. */
const javaOptions = [
  "-XX:TieredStopAtLevel=1",
  "-Xmx96m",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-cp",
  leshanClassPath("leshan-2"),
];

/** What is true of this release of Leshan and of the objects of the test client (`interop/peers/leshan-2`). */
const knownOfLeshan: ReadonlyMap<string, Verdict> = new Map([
  // It answers 4.04 where it hides object 0, and 5.00 to Write-Attributes, which it does not implement.
  ["LightweightM2M-1.1-int-221", "Fail"],
  ["LightweightM2M-1.1-int-260", "Fail"],
  // Its object 1 has neither Disable Timeout nor, by that, configuration C.3; its object 3 no /3/0/8 of C.4.
  ["LightweightM2M-1.1-int-103", "Not Applicable"],
  ["LightweightM2M-1.1-int-205", "Not Applicable"],
  ["LightweightM2M-1.1-int-215", "Not Applicable"],
  ["LightweightM2M-1.1-int-301", "Not Applicable"],
  ["LightweightM2M-1.1-int-302", "Not Applicable"],
  ["LightweightM2M-1.1-int-303", "Not Applicable"],
  // Californium acknowledges what it cannot parse with 4.02, where RFC 7252 §4.2 asks for a Reset or silence.
  ["RFC7252-4.2-format", "Fail"],
]);

/** The test client says 2.04 to a reboot and stays: half a minute for nothing. */
const leshanCases: readonly ConformanceCase[] = cases.filter(({ id }) => id !== "LightweightM2M-1.1-int-241");

interopSuite("the conformance cases for clients against Leshan", ["leshan-2"], () => {
  judge(
    "Leshan 2.0.0-M14",
    (uri) => ({ line: quoted(["java", ...javaOptions, "Main", "--server", uri, "--endpoint", "judged"]), stop: "stdin" }),
    knownOfLeshan,
    leshanCases,
  );
});

test("npm run conformance --role client: one client started by hand serves every case", async () => {
  const uri = `coap://127.0.0.1:${await stablePort("udp")}`;
  const ids = "101,102,105,241,203,260,wire-observe-change,RFC7252-4.3-ping,wire-deregister-at-end";
  const runner = new Child("conformance", process.execPath, [runnerMain, "--role", "client", "--target", uri, "--cases", ids]);
  const device = startDevice(uri, "by-hand");
  try {
    const { code } = await runner.end(60_000);
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
  assert.equal((await alone.end(10_000)).code, 2);
  assert.equal(alone.stderr.at(-1), "conformance: no client registered within 0 s");
  const server = await WireServer.open({ host: "127.0.0.1", port: 0 });
  const taken = new Child("conformance", process.execPath, [runnerMain, "--role", "client", "--target", `coap://127.0.0.1:${server.port}`]);
  assert.equal((await taken.end(10_000)).code, 2);
  assert.match(taken.stderr.join("\n"), /^conformance: --target: .*EADDRINUSE/);
  server.close();
});
