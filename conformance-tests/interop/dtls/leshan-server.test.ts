/** Our emulated device over DTLS, managed by a foreign server: pre-shared key and raw public keys, with and without connection ids. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeTestKey, type TestKey } from "@lwm2m/protocol/dtls/testing/test-authority";
import type { Child } from "../platform/child.ts";
import { eventually } from "../platform/deadline.ts";
import { startDevice } from "../platform/device-process.ts";
import { LeshanServer } from "../platform/leshan.ts";
import { field, type Json } from "../platform/rest-client.ts";
import { interopSuite } from "../platform/suite.ts";
import { DeviceLink } from "./platform/device-link.ts";

/** Machines that run the tests are busy: nothing here is about time. */
const patienceMs = 90_000;
const byPsk = "emulated-psk";
const byRpk = "emulated-rpk";
const identity = "emulated-identity";
const keyHex = "000102030405060708090a0b0c0d0e0f";

interopSuite("the emulated device over DTLS against a Leshan 2 server", ["leshan-server"], () => {
  const directory = mkdtempSync(join(tmpdir(), "lwm2m-leshan-"));
  let leshan: LeshanServer;

  before(async () => {
    const device = keyFiles("device", makeTestKey());
    const server = keyFiles("server", makeTestKey());
    leshan = await LeshanServer.start([
      ...["--psk", `${byPsk}:${identity}:${keyHex}`],
      ...["--rpk", `${byRpk}:${device.public}`],
      ...["--key", server.private, "--public", server.public],
    ]);
  });
  after(async () => {
    await leshan?.child.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const at = (name: string): string => join(directory, name);
  function keyFiles(name: string, { privateKey, publicKey }: TestKey): { readonly private: string; readonly public: string } {
    writeFileSync(at(`${name}.key`), privateKey.export({ type: "pkcs8", format: "der" }), { mode: 0o600 });
    writeFileSync(at(`${name}.public`), publicKey);
    return { private: at(`${name}.key`), public: at(`${name}.public`) };
  }
  async function succeed(command: string): Promise<Json> {
    const result = await leshan.run(command, patienceMs);
    const code = Number(field(result, "code"));
    assert.ok(code >= 200 && code < 300, `${command}: ${JSON.stringify(result)}\n${leshan.child.transcript()}`);
    return result;
  }
  async function end(device: Child, link: DeviceLink): Promise<void> {
    await device.stop("SIGKILL");
    link.close();
  }

  for (const [what, endpoint, flags] of [
    ["PSK", byPsk, ["--psk", `${identity}:${keyHex}`]],
    ["PSK, connection ids both ways", byPsk, ["--psk", `${identity}:${keyHex}`, "--cid", "4"]],
    ["raw public keys, the server's connection id", byRpk, ["--rpk", at("device.key"), "--server-key", at("server.public"), "--cid"]],
  ] as const) {
    test(`LwM2M Transport 1.1 §5.2: ${what}: registers, is read, written and observed, updates, de-registers`, async () => {
      const link = await DeviceLink.open(leshan.securedPort);
      const from = leshan.child.mark;
      const device = startDevice(link.uri, endpoint, [...flags, "--lifetime", "60", "--interval", "1"]);
      try {
        const registered = await leshan.event("registered", { from, timeoutMs: patienceMs });
        assert.equal(field(registered, "endpoint"), endpoint);
        assert.match(String(field(registered, "peer")), endpoint === byPsk ? new RegExp(identity) : /rpk|publickey/i);
        assert.equal(typeof field(await succeed(`read ${endpoint} /3303/0/5700`), "value"), "number");
        await succeed(`write ${endpoint} /3/0/15 Europe/Paris`);
        assert.equal(field(await succeed(`read ${endpoint} /3/0/15`), "value"), "Europe/Paris");
        await succeed(`observe ${endpoint} /3303/0/5700`);
        await leshan.event("notification", { path: "/3303/0/5700", from, timeoutMs: patienceMs });
        await succeed(`execute ${endpoint} /1/0/8`);
        await leshan.event("updated", { from, timeoutMs: patienceMs });
        const { hellos } = link;
        // Leshan takes notifications and requests from the new address, and asks at the old one until the next Update.
        if (flags.some((flag) => flag === "--cid")) await link.changePort();
        await leshan.event("notification", { path: "/3303/0/5700", from: leshan.child.mark, timeoutMs: patienceMs });
        device.kill("SIGINT");
        await leshan.event("deregistered", { from, timeoutMs: patienceMs });
        assert.equal((await device.end(patienceMs)).code, 0);
        assert.equal(link.hellos, hellos);
      } catch (error) {
        throw new Error(`${String(error)}\n${device.transcript()}`, { cause: error });
      } finally {
        await end(device, link);
      }
    });
  }

  test("RFC 4279 §2: with a wrong key the device is met with silence and is not registered", async () => {
    const link = await DeviceLink.open(leshan.securedPort);
    const from = leshan.child.mark;
    const device = startDevice(link.uri, byPsk, ["--psk", `${identity}:${keyHex.replaceAll("0", "1")}`]);
    try {
      await eventually("a repeated flight", patienceMs, () => (link.keyChanges.device >= 2 ? true : undefined));
      assert.equal(link.keyChanges.server, 0);
      assert.ok(!leshan.child.stdout.slice(from).some((line) => line.includes('"registered"')));
    } finally {
      await end(device, link);
    }
  });
});
