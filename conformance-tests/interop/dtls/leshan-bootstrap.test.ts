/** Bootstrap over DTLS: a Leshan client gets an account with a pre-shared key from our bootstrap door and registers with it over DTLS. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../platform/deadline.ts";
import { startLeshanClient } from "../platform/leshan.ts";
import { field, type Json } from "../platform/rest-client.ts";
import { type ServerProcess, startServer } from "../platform/server-process.ts";
import { interopSuite } from "../platform/suite.ts";
import { LeshanKeys } from "./leshan-credentials.ts";
import { DeviceLink } from "./platform/device-link.ts";

const lifetimeSeconds = 432;
/** Machines that run the tests are busy: nothing here is about time. */
const patienceMs = 90_000;

interopSuite(
  "Leshan clients bootstrapped over DTLS",
  ["leshan-1", "leshan-2"],
  () => {
    /** Other keys at each of the two servers. */
    const keys = { bootstrap: new LeshanKeys(), server: new LeshanKeys() };
    let server: ServerProcess;

    before(async () => {
      // Leshan 1 has no extended master secret.
      server = await startServer({ env: { DTLS_EXTENDED_MASTER_SECRET: "optional", LOG_LEVEL: "debug" } });
    });
    after(async () => {
      await server?.dispose();
      keys.bootstrap.remove();
      keys.server.remove();
    });

    /** An account at the server, and the credential for it. */
    async function configure(endpoint: string): Promise<void> {
      await keys.bootstrap.register(server.rest, endpoint, "psk", "bootstrap");
      await keys.server.register(server.rest, endpoint, "psk");
      const account = { serverUri: server.coaps, mode: "psk", shortServerId: 7, ...keys.server.pskOf(endpoint) };
      const body = { security: [account], servers: [{ shortServerId: 7, lifetimeSeconds, binding: "U" }] };
      const put = await server.rest.send("PUT", `/bootstrap/configs/${endpoint}`, { body });
      assert.equal(put.status, 201, JSON.stringify(put.body));
      assert.ok(!JSON.stringify(put.body).includes(account.secretKey), "keys go in and never come out");
    }
    const device = async (endpoint: string): Promise<Json> => (await server.rest.get(`/devices/${endpoint}`)).body;

    for (const [name, more] of [
      ["leshan-1", []],
      ["leshan-2", ["--cid", "4"]],
    ] as const) {
      test(`LwM2M Core 1.1 §6.1.3: ${name} is bootstrapped by PSK and registers with the PSK it was given`, async () => {
        const endpoint = `bootstrapped-${name}`;
        await configure(endpoint);
        const client = startLeshanClient(name, {
          bootstrap: server.bootstrapCoaps,
          endpoint,
          more: [...keys.bootstrap.argumentsOf(endpoint, "psk"), ...more],
        });
        try {
          await client.says("bootstrapped", patienceMs);
          await client.says("registered ", patienceMs);
          const body = await device(endpoint);
          assert.equal(field(body, "registration", "lifetimeSeconds"), lifetimeSeconds);
          assert.deepEqual(field(body, "registration", "identity"), { kind: "psk", identity: keys.server.pskOf(endpoint).identity });
          const read = await server.rest.operate(endpoint, { kind: "read", path: "/3/0/0" });
          assert.equal(field(read.body, "result", "values", 0, "value"), "Test Manufacturer", JSON.stringify(read.body));
          assert.equal(client.stdout.filter((line) => line.startsWith("connected ")).length, 2, "one connection at each of the two");
        } finally {
          client.kill();
          await client.exited;
        }
      });
    }

    test("LwM2M Core 1.1 §6.1.7.1: the key for the server opens no bootstrap door, and a name without its key gets no account", async () => {
      await configure("twofold");
      const link = await DeviceLink.open(server.ports["bootstrap-coaps"]);
      const wrongRealm = startLeshanClient("leshan-2", {
        bootstrap: link.uri,
        endpoint: "twofold",
        more: keys.server.argumentsOf("twofold", "psk"),
      });
      const plain = startLeshanClient("leshan-2", { bootstrap: `coap://127.0.0.1:${server.ports["bootstrap-coap"]}`, endpoint: "twofold" });
      try {
        assert.match(await plain.says("bootstrap-failed ", patienceMs), /BAD_REQUEST|400/);
        // It repeats its last flight, and gets no answer to it.
        await eventually("a repeated flight", patienceMs, () => (link.keyChanges.device >= 2 ? true : undefined));
        assert.equal(link.keyChanges.server, 0);
        assert.ok(!wrongRealm.stdout.includes("bootstrapped"));
      } finally {
        for (const client of [wrongRealm, plain]) {
          client.kill();
          await client.exited;
        }
        link.close();
      }
    });
  },
  3,
);
