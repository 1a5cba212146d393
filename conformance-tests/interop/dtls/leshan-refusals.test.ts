/** Leshan clients that may not come, or may no more: removed credentials, wrong keys, names that are not theirs. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Child } from "../platform/child.ts";
import { eventually } from "../platform/deadline.ts";
import { EventWatch } from "../platform/event-watch.ts";
import { startLeshanClient } from "../platform/leshan.ts";
import { field, type Json, type ServerEvent } from "../platform/rest-client.ts";
import { type ServerProcess, startServer } from "../platform/server-process.ts";
import { interopSuite } from "../platform/suite.ts";
import { type CredentialKind, LeshanKeys } from "./leshan-credentials.ts";
import { DeviceLink } from "./platform/device-link.ts";

const prefix = "fleet-";
const concurrency = 3;
/** Machines that run the tests are busy: nothing here is about time. */
const patienceMs = 90_000;

interface Start {
  readonly endpoint: string;
  readonly more: readonly string[];
  readonly name?: "leshan-1" | "leshan-2";
}

interopSuite(
  "Leshan clients that the server refuses over DTLS",
  ["leshan-1", "leshan-2"],
  () => {
    const keys = new LeshanKeys();
    let server: ServerProcess;
    let events: EventWatch;

    before(async () => {
      server = await startServer({ env: { LOG_LEVEL: "debug" } });
      events = new EventWatch(server.rest);
      await keys.install(server.rest, prefix);
    });
    after(async () => {
      await events?.close();
      await server?.dispose();
      keys.remove();
    });

    /** A client as long as `use` takes: it comes again every second, and the log and the events tell of sixty a minute at most. */
    async function withClient(
      { endpoint, more, name = "leshan-2" }: Start,
      use: (client: Child, link: DeviceLink) => Promise<void>,
    ): Promise<void> {
      const link = await DeviceLink.open(server.ports.coaps);
      const client = startLeshanClient(name, { server: link.uri, endpoint, lifetimeSeconds: 3_600, more });
      try {
        await use(client, link);
      } finally {
        client.kill();
        await client.exited;
        link.close();
      }
    }
    const registration = async (endpoint: string): Promise<Json | undefined> =>
      field((await server.rest.get(`/devices/${endpoint}`)).body, "registration");
    /** The failed handshake of the client behind this port, as the log tells it. */
    function handshakeFailed({ port }: DeviceLink, from = 0): Promise<Json> {
      const isIt = (line: string): boolean => line.includes('"message":"handshake failed"') && line.includes(`"from":"127.0.0.1:${port}"`);
      const found = (line: string): Json | undefined => (isIt(line) ? (JSON.parse(line) as Json) : undefined);
      return server.child.line(`failed handshake of port ${port}`, found, patienceMs, from);
    }
    /** A wrong key and an unknown identity get the same silence: the device repeats its last flight, the server changes to no keys. */
    async function isMetWithSilence(link: DeviceLink, act: () => void = () => undefined): Promise<void> {
      const { device, server: answers } = link.keyChanges;
      act();
      await eventually("a repeated flight", patienceMs, () => (link.keyChanges.device >= device + 2 ? true : undefined));
      assert.equal(link.keyChanges.server, answers);
    }
    /** The event of a name that does not fit. */
    async function mismatch(endpoint: string): Promise<Json | undefined> {
      const isIt = ({ type, body }: { readonly type: string; readonly body: Json }): boolean =>
        type === "security.identityMismatch" && field(body, "subject") === endpoint;
      return field((await events.wait(`the mismatch of ${endpoint}`, isIt, patienceMs)).body, "data");
    }

    for (const kind of ["psk", "rpk"] as const) {
      test(`LwM2M Transport 1.1 §5.2: ${kind}: a removed credential ends the connection, and the next handshake is refused`, async () => {
        const endpoint = `${prefix}removed-${kind}`;
        const isOf = (wanted: string) => (event: ServerEvent) => event.type === wanted && JSON.stringify(event.body).includes(endpoint);
        const id = await keys.register(server.rest, endpoint, kind);
        await withClient({ endpoint, more: keys.argumentsOf(endpoint, kind) }, async (client, link) => {
          await client.says("registered ", patienceMs);
          const { hellos } = link;
          const seen = server.child.mark;
          assert.equal((await server.rest.send("DELETE", `/credentials/${id}`)).status, 204);
          await server.child.line(
            "dropped connections",
            (line) => (line.includes("their credential was removed") ? line : undefined),
            patienceMs,
            seen,
          );
          await events.wait("device.barred", isOf("device.barred"), patienceMs);
          await events.wait("credential.removed", isOf("credential.removed"), patienceMs);
          await client.says("disconnected", patienceMs);
          const { body } = await server.rest.get(`/devices/${endpoint}`);
          assert.equal(field(body, "connected"), false);
          assert.ok(field(body, "registration", "barredAt"), JSON.stringify(body));

          const from = client.mark;
          const comeAgain = (): void => client.write("update");
          if (kind === "psk") await isMetWithSilence(link, comeAgain);
          else {
            comeAgain();
            assert.equal(field(await handshakeFailed(link, seen), "failure"), "certificate-refused");
          }
          assert.ok(link.hellos > hellos);
          assert.ok(!client.stdout.slice(from).some((line) => line.startsWith("connected ") || line.startsWith("updated")));
        });
      });
    }

    test("RFC 4279 §2, §5.4: a wrong key and an unknown identity are met with silence", async () => {
      const endpoint = `${prefix}wrong-key`;
      await keys.register(server.rest, endpoint, "psk");
      for (const identity of [`key-of-${endpoint}`, "key-of-nobody"]) {
        await withClient({ endpoint, more: ["--psk", `${identity}:00112233445566778899aabbccddeeff`] }, async (client, link) => {
          await isMetWithSilence(link);
          assert.equal(await registration(endpoint), undefined);
          assert.ok(!client.stdout.some((line) => line.startsWith("connected ")));
        });
      }
    });

    test("RFC 7627 §5.3: a client without the extended master secret is refused unless the setting lets it in", async () => {
      const endpoint = `${prefix}old-stack`;
      await keys.register(server.rest, endpoint, "psk");
      await withClient({ endpoint, more: keys.argumentsOf(endpoint, "psk"), name: "leshan-1" }, async (_client, link) => {
        assert.match(JSON.stringify(await handshakeFailed(link)), /extended_master_secret/);
      });
    });

    for (const kind of ["psk", "rpk", "x509"] as const satisfies readonly CredentialKind[]) {
      test(`LwM2M Transport 1.1 §6.4.2: ${kind}: the name of another device is 4.00, and told as event`, async () => {
        const endpoint = `${prefix}other-${kind}`;
        const owner = `${prefix}owner-${kind}`;
        await keys.register(server.rest, owner, kind);
        await withClient({ endpoint, more: keys.argumentsOf(owner, kind) }, async (client) => {
          assert.match(await client.says("registration-failed ", patienceMs), /BAD_REQUEST|400/);
          const data = await mismatch(endpoint);
          assert.equal(field(data, "reason"), "other-endpoint");
          assert.equal(field(data, "identity", "kind"), kind);
          assert.equal(await registration(endpoint), undefined);
        });
      });
    }

    test("LwM2M Transport 1.1 §5.2: a certificate of the authority for a name outside its prefix is refused in the handshake", async () => {
      await withClient({ endpoint: "stranger", more: keys.argumentsOf("stranger", "x509") }, async (_client, link) => {
        assert.equal(field(await handshakeFailed(link), "failure"), "certificate-refused");
      });
    });

    test("LwM2M Transport 1.1 §6.4.2: a name that has a credential is 4.03 over plain CoAP", async () => {
      const endpoint = `${prefix}plain`;
      await keys.register(server.rest, endpoint, "psk");
      const client = startLeshanClient("leshan-2", { server: server.coap, endpoint });
      try {
        assert.match(await client.says("registration-failed ", patienceMs), /FORBIDDEN|403/);
        assert.equal(field(await mismatch(endpoint), "reason"), "unsecured");
        assert.equal(await registration(endpoint), undefined);
      } finally {
        client.kill();
        await client.exited;
      }
    });
  },
  concurrency,
);
