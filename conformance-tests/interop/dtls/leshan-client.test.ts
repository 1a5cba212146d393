/** Complete foreign clients over DTLS against the whole server: pre-shared keys, raw keys and certificates, with and without connection ids. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Child } from "../platform/child.ts";
import { eventually } from "../platform/deadline.ts";
import { EventWatch } from "../platform/event-watch.ts";
import { startLeshanClient } from "../platform/leshan.ts";
import { field, type Json, text } from "../platform/rest-client.ts";
import { type ServerProcess, stablePorts, startServer } from "../platform/server-process.ts";
import { interopSuite } from "../platform/suite.ts";
import { type CredentialKind, LeshanKeys } from "./leshan-credentials.ts";
import { DeviceLink } from "./platform/device-link.ts";

interface Variant {
  readonly name: "leshan-1" | "leshan-2";
  readonly release: string;
  readonly env: { readonly [name: string]: string };
  readonly sends: boolean;
}

const variants: readonly Variant[] = [
  // Scandium 2.8 has no extended master secret (RFC 7627).
  { name: "leshan-1", release: "1.5.0", env: { DTLS_EXTENDED_MASTER_SECRET: "optional" }, sends: false },
  { name: "leshan-2", release: "2.0.0-M14", env: {}, sends: true },
];

interface Cell {
  readonly kind: CredentialKind;
  readonly cid: boolean;
}
const cells: readonly Cell[] = (["psk", "rpk", "x509"] as const).flatMap((kind) => [
  { kind, cid: false },
  { kind, cid: true },
]);
const cidBytes = 4;
/** Machines that run the tests are busy: nothing here is about time. */
const patienceMs = 90_000;
const prefix = "fleet-";
const timezone = "/3/0/15";
const sensor = "/3303/0/5700";

/** A Leshan client behind a link of its own. */
interface Device {
  readonly endpoint: string;
  readonly link: DeviceLink;
  readonly client: Child;
}

for (const variant of variants) {
  interopSuite(`${variant.name} (${variant.release}) over DTLS against the server`, [variant.name], () => {
    const keys = new LeshanKeys();
    const devices = new Map<Cell, Device>();
    let server: ServerProcess;
    let events: EventWatch;

    before(async () => {
      server = await startServer({ ports: await stablePorts(), env: { ...variant.env, LOG_LEVEL: "debug" } });
      events = new EventWatch(server.rest);
      await keys.install(server.rest, prefix);
      for (const cell of cells) {
        const device = await start(cell);
        devices.set(cell, device);
        // Six at once would start in six times the time.
        await device.client.says("started ", patienceMs);
      }
    });
    after(async () => {
      await events?.close();
      for (const { client, link } of devices.values()) {
        client.kill();
        await client.exited;
        link.close();
      }
      await server?.dispose();
      keys.remove();
    });

    async function start(cell: Cell): Promise<Device> {
      const endpoint = `${prefix}${cell.kind}${cell.cid ? "-cid" : ""}`;
      await keys.register(server.rest, endpoint, cell.kind);
      const link = await DeviceLink.open(server.ports.coaps);
      const more = [...keys.argumentsOf(endpoint, cell.kind), ...(cell.cid ? ["--cid", String(cidBytes)] : [])];
      const client = startLeshanClient(variant.name, { server: link.uri, endpoint, lifetimeSeconds: 3_600, more });
      return { endpoint, link, client };
    }
    function deviceOf(cell: Cell): Device {
      return devices.get(cell) ?? assert.fail("it was not started");
    }
    async function view(endpoint: string): Promise<Json> {
      const { status, body } = await server.rest.get(`/devices/${endpoint}`);
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    }
    async function succeed(endpoint: string, operation: { readonly [name: string]: Json }): Promise<Json | undefined> {
      const { body } = await server.rest.operate(endpoint, operation, 35);
      assert.equal(field(body, "status"), "succeeded", JSON.stringify(body));
      return field(body, "result");
    }
    const readText = async (endpoint: string, path: string): Promise<Json | undefined> =>
      field(await succeed(endpoint, { kind: "read", path }), "values", 0, "value");
    const notified = (endpoint: string): number =>
      events.events.filter(({ type, body }) => {
        const isOf = type === "resource.changed" && field(body, "subject") === endpoint;
        return isOf && field(body, "data", "source") === "notify" && JSON.stringify(body).includes(sensor);
      }).length;
    /** What the door tells of its connections. */
    const told = (message: string): number =>
      server.child.stdout.filter((line) => line.includes(`"message":"${message}"`) && line.includes('"door":"coaps"')).length;

    /** One after the other for a device, all devices at once. */
    function ofEach(what: string, tests: (cell: Cell) => void): void {
      describe(what, { concurrency: cells.length }, () => {
        for (const cell of cells) describe(nameOf(cell), { concurrency: 1 }, () => tests(cell));
      });
    }

    ofEach("a device's day", (cell) => {
      test(`LwM2M Transport 1.1 §5.2: registered as who it proved to be, read, written, observed, updated`, async () => {
        const { endpoint, link, client } = deviceOf(cell);
        await client.says("registered ", patienceMs);
        const registration = field(await view(endpoint), "registration");
        const identity = field(registration, "identity");
        assert.equal(field(identity, "kind"), cell.kind, JSON.stringify(identity));
        if (cell.kind === "psk") assert.equal(field(identity, "identity"), `key-of-${endpoint}`);
        if (cell.kind === "rpk") assert.match(text(identity, "publicKeySha256"), /^[0-9a-f]{64}$/);
        if (cell.kind === "x509") assert.equal(field(identity, "commonName"), endpoint);
        assert.equal(field(registration, "address", "port"), link.port);
        assert.match(await client.says("connected ", patienceMs), cell.cid ? /cid-in=\S{8} cid-out=\S{16}$/ : /cid-in=- cid-out=-$/);

        assert.equal(await readText(endpoint, "/3/0/0"), "Test Manufacturer");
        await succeed(endpoint, { kind: "write", path: timezone, value: "Europe/Paris" });
        assert.equal(await readText(endpoint, timezone), "Europe/Paris");
        await succeed(endpoint, { kind: "observe", path: sensor });
        await eventually("two notifications", patienceMs, () => (notified(endpoint) >= 2 ? true : undefined));
        const from = client.mark;
        client.write("update");
        await client.says("updated", patienceMs, from);
        assert.equal(field(await view(endpoint), "connected"), true);
      });
      if (variant.sends) {
        test(`LwM2M Core 1.1 §6.4.6: Send`, async () => {
          const { endpoint, client } = deviceOf(cell);
          const from = client.mark;
          client.write("send /3/0/9");
          assert.match(await client.says("sent ", patienceMs, from), /CHANGED|204/);
          const { body } = await server.rest.get(`/devices/${endpoint}/resources/3/0/9`);
          assert.equal(field(body, "value"), 95, JSON.stringify(body));
        });
      }
      if (cell.cid) {
        test(`RFC 9146 §6: at a new address it goes on in the same connection, and is called there`, async () => {
          const { endpoint, link, client } = deviceOf(cell);
          const { hellos } = link;
          await link.changePort();
          const from = client.mark;
          client.write("update");
          await client.says("updated", patienceMs, from);
          await eventually("its new address in the registration", patienceMs, async () =>
            field(await view(endpoint), "registration", "address", "port") === link.port ? true : undefined,
          );
          assert.equal(await readText(endpoint, timezone), "Europe/Paris");
          assert.equal(link.hellos, hellos);
        });
      }
    });

    test("a kill -9 of the server: every device goes on with its next record, and what was in the air is delivered", async () => {
      const hellos = [...devices.values()].map(({ link }) => link.hellos);
      const queued: string[] = [];
      for (const { endpoint, link } of devices.values()) {
        link.isCut = true;
        const { status, body } = await server.rest.send("POST", `/devices/${endpoint}/operations`, {
          body: { kind: "write", path: timezone, value: "Asia/Tokyo" },
          headers: { prefer: "respond-async" },
        });
        assert.equal(status, 202, JSON.stringify(body));
        queued.push(text(body, "id"));
      }
      await events.close();
      server = await server.crashAndRestart();
      events = new EventWatch(server.rest, "?after=0");
      const restored = server.child.stdout.find((line) => line.includes('"message":"connections restored"'));
      assert.ok(restored?.includes(`"connections":${cells.length}`), restored ?? server.child.transcript());
      for (const { link } of devices.values()) link.isCut = false;
      const goesOn = async ({ endpoint, client }: Device, i: number): Promise<void> => {
        // Half of them speak first, half are called first.
        if (i % 2 === 0) client.write("update");
        const id = queued[i] ?? "";
        const operation = await eventually(`operation ${id} of ${endpoint}\n${client.transcript()}`, patienceMs, async () => {
          const { body } = await server.rest.get(`/operations/${id}`);
          return field(body, "finishedAt") ? body : undefined;
        });
        assert.equal(field(operation, "status"), "succeeded", JSON.stringify(operation));
        assert.equal(await readText(endpoint, timezone), "Asia/Tokyo");
        const seen = notified(endpoint);
        await eventually(`notifications of ${endpoint} to go on`, patienceMs, () => (notified(endpoint) > seen ? true : undefined));
        assert.equal(field(await view(endpoint), "connected"), true);
      };
      await Promise.all([...devices.values()].map(goesOn));
      assert.deepEqual(
        [...devices.values()].map(({ link }) => link.hellos),
        hellos,
      );
      for (const { client } of devices.values()) {
        assert.equal(client.stdout.filter((line) => line.startsWith("connected ")).length, 1, client.transcript());
      }
      assert.equal(told("connected"), 0);
      assert.equal(told("handshake failed"), 0);
    });

    ofEach("its end", (cell) => {
      test("LwM2M Core 1.1 §6.2.3: it de-registers", async () => {
        const { endpoint, client } = deviceOf(cell);
        client.write("quit");
        await client.says("deregistered", patienceMs);
        await eventually("no registration", patienceMs, async () =>
          field(await view(endpoint), "registration") === null ? true : undefined,
        );
      });
    });
  });
}

function nameOf({ kind, cid }: Cell): string {
  return `${kind}, ${cid ? `connection ids of ${cidBytes} bytes` : "no connection ids"}`;
}
