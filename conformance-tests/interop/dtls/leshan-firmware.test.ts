/** Firmware over DTLS: a Leshan client fetches its package from the server by the connection it has, over links of different kinds. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { eventually } from "../platform/deadline.ts";
import { startLeshanClient } from "../platform/leshan.ts";
import { field, type Json, text } from "../platform/rest-client.ts";
import { type ServerProcess, stablePorts, startServer } from "../platform/server-process.ts";
import { interopSuite } from "../platform/suite.ts";
import { type CredentialKind, LeshanKeys } from "./leshan-credentials.ts";
import { DeviceLink, type LinkSettings } from "./platform/device-link.ts";

/** The link stands for the server: at its port, under the address the server gives as its own. */
const publicHost = "127.0.0.2";
const prefix = "fleet-";
/** Machines that run the tests are busy: nothing here is about time. */
const patienceMs = 90_000;
const packageBytes = 200_000;
const version = "2.0.0";
/** What an IPv4 path carries at least (RFC 791: 576 bytes) without the headers of IP and UDP. */
const smallestPath = 548;

interface Path {
  readonly name: string;
  readonly kind: CredentialKind;
  readonly link: LinkSettings;
  readonly flags: readonly string[];
  /** For the server, of the device's link. */
  readonly profile?: { readonly [name: string]: Json };
  readonly changesPort: boolean;
}
const paths: readonly Path[] = [
  { name: "psk, no connection ids, blocks of 1,024 bytes", kind: "psk", link: {}, flags: [], changesPort: false },
  {
    name: `certificates, connection ids, nothing larger than ${smallestPath} bytes, another port in the middle`,
    kind: "x509",
    link: { mostBytes: smallestPath },
    flags: ["--cid", "4", "--mtu", String(smallestPath), "--block", "256"],
    profile: { profile: "default", values: { mtuBytes: 512 } },
    changesPort: true,
  },
];

interopSuite("leshan-2 fetches firmware over DTLS", ["leshan-2"], () => {
  const keys = new LeshanKeys();
  const bytes = randomBytes(packageBytes);
  let server: ServerProcess;
  let packageId: string;

  before(async () => {
    server = await startServer({ ports: await stablePorts(), env: { PUBLIC_COAP_HOST: publicHost, LOG_LEVEL: "debug" } });
    await keys.install(server.rest, prefix);
    const { status, body } = await server.rest.send("POST", `/packages?name=app&version=${version}`, { bytes });
    assert.equal(status, 201, JSON.stringify(body));
    packageId = text(body, "id");
  });
  after(async () => {
    await server?.dispose();
    keys.remove();
  });

  for (const path of paths) {
    test(`LwM2M Core 1.1 appendix E.6: ${path.name}`, async () => {
      const endpoint = `${prefix}${path.kind}`;
      await keys.register(server.rest, endpoint, path.kind);
      const link = await DeviceLink.open(server.ports.coaps, { host: publicHost, port: server.ports.coaps, ...path.link });
      const more = [...keys.argumentsOf(endpoint, path.kind), "--firmware", version, ...path.flags];
      const client = startLeshanClient("leshan-2", { server: link.uri, endpoint, lifetimeSeconds: 3_600, more });
      try {
        await client.says("registered ", patienceMs);
        const { hellos } = link;
        if (path.profile !== undefined) {
          const put = await server.rest.send("PUT", `/devices/${endpoint}/link-profile`, { body: path.profile });
          assert.equal(put.status, 200, JSON.stringify(put.body));
        }
        const device = await server.rest.operate(endpoint, { kind: "read", path: "/3" });
        assert.equal(field(device.body, "status"), "succeeded", JSON.stringify(device.body));
        const long = "0123456789".repeat(200);
        const write = await server.rest.operate(endpoint, { kind: "write", path: "/3303/0/5750", value: long });
        assert.equal(field(write.body, "status"), "succeeded", JSON.stringify(write.body));
        const read = await server.rest.operate(endpoint, { kind: "read", path: "/3303/0/5750" });
        assert.equal(field(read.body, "result", "values", 0, "value"), long);

        const started = await server.rest.send("POST", `/devices/${endpoint}/updates`, { body: { packageId } });
        assert.equal(started.status, 201, JSON.stringify(started.body));
        if (path.changesPort) {
          const { sent } = link;
          const middle = sent + packageBytes / 256 / 2;
          await eventually("the middle of the download", patienceMs, () => (link.sent >= middle ? true : undefined));
          await link.changePort();
        }
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        assert.equal(await client.says("downloaded ", patienceMs), `downloaded ${packageBytes} ${sha256}`);
        await client.says("installed ", patienceMs);
        // A sign of life, and the server looks at once.
        client.write("update");
        const update = await eventually("the end of the update", patienceMs, async () => {
          const { body } = await server.rest.get(`/updates/${text(started.body, "id")}`);
          return field(body, "finishedAt") ? body : undefined;
        });
        assert.equal(field(update, "state"), "succeeded", JSON.stringify(update));
        assert.match(text(update, "packageUri"), new RegExp(`^${link.uri}/fw/`));
        assert.equal(link.hellos, hellos, "the package came by the connection there was");
        assert.equal(client.stdout.filter((line) => line.startsWith("connected ")).length, 1);
      } catch (error) {
        throw new Error(`${String(error)}\n${client.transcript()}\n${link.tooLarge} datagrams were too large`, { cause: error });
      } finally {
        client.kill();
        await client.exited;
        link.close();
      }
    });
  }
});
