import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { aConfig, aSecurity } from "./testing/config-fixtures.ts";
import { ScriptedDevice } from "./testing/scripted-device.ts";

const main = fileURLToPath(new URL("main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "bootstrap-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const good = file("good.json", { dev1: aConfig({ security: [aSecurity({ instanceId: 1 })] }) });

async function started(args: readonly string[] = []): Promise<{ child: ChildProcess; port: number; lines: AsyncIterator<string> }> {
  const arguments_ = [main, "--config", good, "--coap-host", "127.0.0.1", "--bootstrap-coap-port", "0", ...args];
  const child = spawn(process.execPath, arguments_, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first: unknown = JSON.parse((await lines.next()).value ?? "null");
  assert.equal(Reflect.get(Object(first), "message"), "listening");
  assert.equal(Reflect.get(Object(first), "door"), "bootstrap-coap");
  return { child, port: Number(Reflect.get(Object(first), "port")), lines };
}

test("npm run bootstrap: what keeps it from starting is one line on stderr and exit code 1", async () => {
  const { child, port } = await started();
  const cases: readonly [args: readonly string[], message: RegExp][] = [
    [[], /--config FILE is missing/],
    [["--config", join(folder, "missing.json")], /missing\.json: .*no such file/],
    [["--config", file("broken.json", '{"dev1": ')], /broken\.json: not JSON/],
    [
      ["--config", file("bad.json", { dev1: { security: [{ mode: "noSec" }], servers: [] } })],
      /bad\.json: \/dev1\/security\/0: serverUri is missing \(and \d more\)/,
    ],
    [["--config", good, "--bootstrap-coap-port", "70000"], /BOOTSTRAP_COAP_PORT "70000" is not a port/],
    [["--wrong"], /--wrong/],
    [["--config", good, "--coap-host", "127.0.0.1", "--bootstrap-coap-port", String(port)], new RegExp(`${port}.*in use`)],
  ];
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
    assert.deepEqual([status, stdout], [1, ""], args.join(" "));
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("npm run bootstrap: a device is bootstrapped over real UDP, and SIGINT stops the process cleanly", async () => {
  const { child, port, lines } = await started();
  const socket = await openUdpSocket({ address: "127.0.0.1", port: 0 });
  const device = new ScriptedDevice(socket, { address: "127.0.0.1", port }, ({ line }) => ({
    code: line.startsWith("DELETE") ? "2.02" : "2.04",
  }));
  device.post("bs", ["ep=dev1"]);
  const messages: string[] = [];
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    messages.push(String(Reflect.get(Object(JSON.parse(line.value)), "message")));
    if (messages.at(-1) === "bootstrap finished" || messages.at(-1) === "bootstrap failed") child.kill("SIGINT");
  }
  assert.deepEqual(messages, ["bootstrap started", ...new Array(5).fill("bootstrap answered"), "bootstrap finished", "stopping"]);
  assert.deepEqual(device.seen, ["-> 2.04", "DELETE /0", "DELETE /1", "PUT /0/1 format 11542", "PUT /1/0 format 11542", "POST /bs"]);
  assert.equal(child.exitCode ?? (await once(child, "exit"))[0], 0);
  await device.close();
});
