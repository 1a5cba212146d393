/** Complete foreign clients, of LwM2M 1.0 and 1.1, managed through the REST API. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Child } from "./platform/child.ts";
import { eventually, patienceMs } from "./platform/deadline.ts";
import { EventWatch } from "./platform/event-watch.ts";
import { startLeshanClient } from "./platform/leshan.ts";
import { requireSilence } from "./platform/quiet.ts";
import { field, type Json, type ServerEvent } from "./platform/rest-client.ts";
import { type ServerProcess, startServer } from "./platform/server-process.ts";
import { interopSuite } from "./platform/suite.ts";

interface Variant {
  readonly name: "leshan-1" | "leshan-2";
  readonly lwm2mVersion: string;
  readonly objects: readonly (readonly [id: number, version: string, instances: readonly number[]])[];
  readonly model: string;
}

const variants: readonly Variant[] = [
  {
    name: "leshan-1",
    lwm2mVersion: "1.0",
    model: "Model 1",
    objects: [
      [1, "1.0", [0]],
      [3, "1.0", [0]],
      [3303, "1.1", [0, 1]],
    ],
  },
  {
    name: "leshan-2",
    lwm2mVersion: "1.1",
    model: "Model 2",
    objects: [
      [1, "1.1", [0]],
      [3, "1.2", [0]],
      [3303, "1.1", [0, 1]],
    ],
  },
];

for (const variant of variants) {
  interopSuite(`${variant.name} (LwM2M ${variant.lwm2mVersion}) against the server`, [variant.name], () => {
    const endpoint = `interop-${variant.name}`;
    let server: ServerProcess;
    let client: Child;
    let events: EventWatch;

    before(async () => {
      server = await startServer();
      events = new EventWatch(server.rest);
      client = startLeshanClient(variant.name, { server: server.coap, endpoint, lifetimeSeconds: 120 });
      await client.says("registered ");
    });
    after(async () => {
      await events?.close();
      await client?.stop();
      await server?.dispose();
    });

    /** Runs an operation to its success and gives its result. */
    async function succeed(operation: { readonly [name: string]: Json }): Promise<Json | undefined> {
      const { status, body } = await server.rest.operate(endpoint, operation);
      assert.equal(status, 200, `${JSON.stringify(operation)}: ${status} ${JSON.stringify(body)}`);
      assert.equal(field(body, "status"), "succeeded", `${JSON.stringify(operation)}: ${JSON.stringify(body)}`);
      return field(body, "result");
    }
    /** Runs an operation to its refusal by the device and gives the CoAP code. */
    async function refused(operation: { readonly [name: string]: Json }): Promise<Json | undefined> {
      const { body } = await server.rest.operate(endpoint, operation);
      assert.equal(field(body, "status"), "failed", `${JSON.stringify(operation)}: ${JSON.stringify(body)}`);
      assert.equal(field(body, "reason"), "device-rejected");
      return field(body, "coapCode");
    }
    async function read(path: string): Promise<ReadonlyMap<string, Json | undefined>> {
      const values = field(await succeed({ kind: "read", path }), "values");
      assert.ok(Array.isArray(values), `no values of ${path}`);
      return new Map(values.map((each: Json) => [String(field(each, "path")), field(each, "value")]));
    }
    async function registration(): Promise<Json | undefined> {
      const { status, body } = await server.rest.get(`/devices/${endpoint}`);
      assert.equal(status, 200);
      return field(body, "registration");
    }
    async function instancesOf(object: number): Promise<readonly Json[]> {
      const objects = field(await registration(), "objects");
      assert.ok(Array.isArray(objects));
      const found: Json | undefined = objects.find((each: Json) => field(each, "id") === object);
      const instances = field(found, "instances");
      return Array.isArray(instances) ? instances : [];
    }

    test("LwM2M Core 1.1 §6.2.1: it registers with its version and objects, and the event says so", async () => {
      const found = await registration();
      assert.equal(field(found, "lwm2mVersion"), variant.lwm2mVersion);
      assert.equal(field(found, "lifetimeSeconds"), 120);
      const objects = field(found, "objects");
      assert.ok(Array.isArray(objects));
      assert.deepEqual(
        objects.map((each: Json) => [field(each, "id"), field(each, "version"), field(each, "instances")]),
        variant.objects,
      );
      await events.wait("device.registered", ({ type, body }) => type === "device.registered" && field(body, "subject") === endpoint);
    });

    test("LwM2M Core 1.1 §6.2.2: its updates are accepted", async () => {
      const from = client.mark;
      client.write("update");
      await client.says("updated", patienceMs, from);
    });

    test("LwM2M Core 1.1 §6.3.2: discovered as object, instance and resource", async () => {
      const paths = async (path: string): Promise<readonly Json[]> => {
        const links = field(await succeed({ kind: "discover", path }), "links");
        assert.ok(Array.isArray(links));
        return links.map((each: Json) => field(each, "path") ?? null);
      };
      const object = await paths("/3");
      for (const expected of ["/3", "/3/0", "/3/0/0", "/3/0/4", "/3/0/16"])
        assert.ok(object.includes(expected), `${expected} in ${object}`);
      const instance = await paths("/3303/0");
      assert.deepEqual(instance, [
        "/3303/0",
        "/3303/0/5601",
        "/3303/0/5602",
        "/3303/0/5605",
        "/3303/0/5700",
        "/3303/0/5701",
        "/3303/0/5750",
      ]);
      assert.deepEqual(await paths("/3/0/7"), ["/3/0/7"]);
    });

    test("LwM2M Core 1.1 §6.3.1: read as resource, multiple resource, instance and object", async () => {
      assert.deepEqual([...(await read("/3/0/0"))], [["/3/0/0", "Test Manufacturer"]]);
      assert.deepEqual(
        [...(await read("/3/0/7"))],
        [
          ["/3/0/7/0", 3800],
          ["/3/0/7/1", 5000],
        ],
      );
      const device = await read("/3/0");
      assert.equal(device.get("/3/0/1"), variant.model);
      assert.equal(device.get("/3/0/9"), 95);
      assert.equal(device.get("/3/0/6/1"), 5);
      assert.equal(device.get("/3/0/16"), "U");
      assert.equal(device.has("/3/0/4"), false, "an executable resource has no value");
      const sensors = await read("/3303");
      for (const instance of [0, 1]) {
        assert.equal(typeof sensors.get(`/3303/${instance}/5700`), "number");
        assert.equal(sensors.get(`/3303/${instance}/5701`), "Cel");
        assert.equal(sensors.get(`/3303/${instance}/5750`), "");
      }
    });

    test("LwM2M Core 1.1 §6.3.1: what the device does not have is the device's 4.04", async () => {
      assert.equal(await refused({ kind: "read", path: "/3303/77" }), "4.04");
    });

    test("LwM2M Core 1.1 §6.3.3: a resource is written, then an instance partly and as a whole", async () => {
      await succeed({ kind: "write", path: "/3/0/15", value: "Europe/Paris" });
      await client.says("written /3/0/15 Europe/Paris");
      await succeed({ kind: "write", path: "/3/0", value: { "14": "+02:00" }, mode: "update" });
      await client.says("written /3/0/14 +02:00");
      const updated = await read("/3/0");
      assert.equal(updated.get("/3/0/14"), "+02:00");
      assert.equal(updated.get("/3/0/15"), "Europe/Paris", "a partial update keeps what it does not name");

      await succeed({ kind: "write", path: "/3303/0/5750", value: "outside" });
      await succeed({ kind: "write", path: "/3303/0", value: { "5750": "inside" }, mode: "replace" });
      await client.says("written /3303/0/5750 inside");
      assert.equal((await read("/3303/0/5750")).get("/3303/0/5750"), "inside");
    });

    test("LwM2M Core 1.1 §6.2.2: a new lifetime written to /1/0/1 comes back in an Update", async () => {
      await succeed({ kind: "write", path: "/1/0/1", value: 240 });
      await eventually("the lifetime of the registration", patienceMs, async () =>
        field(await registration(), "lifetimeSeconds") === 240 ? true : undefined,
      );
    });

    test("LwM2M Core 1.1 §6.3.5: executed without and with arguments", async () => {
      const from = client.mark;
      await succeed({ kind: "execute", path: "/3303/0/5605" });
      await client.says("executed /3303/0/5605", patienceMs, from);
      await succeed({ kind: "execute", path: "/3/0/4", arguments: "0='now',5" });
      await client.says("executed /3/0/4 0='now',5", patienceMs, from);
    });

    test("LwM2M Core 1.1 §6.3.6, §6.3.7: instances are created, with and without an id, and deleted", async () => {
      const named = await succeed({ kind: "create", path: "/3303", instanceId: 7, value: { "5750": "seventh" } });
      assert.equal(field(named, "path"), "/3303/7");
      assert.equal((await read("/3303/7/5750")).get("/3303/7/5750"), "seventh");
      const chosen = field(await succeed({ kind: "create", path: "/3303", value: { "5750": "anywhere" } }), "path");
      assert.match(String(chosen), /^\/3303\/\d+$/);
      await client.says(`created ${chosen}`);
      const chosenId = Number(String(chosen).split("/")[2]);
      await eventually("both in the registration", patienceMs, async () => {
        const instances = await instancesOf(3303);
        return instances.includes(7) && instances.includes(chosenId) ? true : undefined;
      });

      await succeed({ kind: "delete", path: "/3303/7" });
      await succeed({ kind: "delete", path: String(chosen) });
      await client.says("deleted /3303/7");
      await eventually("neither in the registration", patienceMs, async () => {
        const instances = await instancesOf(3303);
        return instances.length === 2 ? true : undefined;
      });
      assert.equal(await refused({ kind: "read", path: "/3303/7" }), "4.04");
    });

    test("LwM2M Core 1.1 §6.4: observed; the values arrive as events and as the last known value; cancelled", async () => {
      const path = "/3303/1/5700";
      await succeed({ kind: "observe", path });
      const changes = (): readonly Json[] =>
        events.events
          .filter(
            ({ type, body }) => type === "resource.changed" && field(body, "subject") === endpoint && JSON.stringify(body).includes(path),
          )
          .map(({ body }) => body);
      await eventually("three notifications", patienceMs, () => (changes().length >= 3 ? true : undefined));
      const known = await server.rest.get(`/devices/${endpoint}/resources${path}`);
      assert.equal(known.status, 200, JSON.stringify(known.body));
      assert.ok(JSON.stringify(known.body).includes('"observedAt"'), JSON.stringify(known.body));

      await succeed({ kind: "cancelObserve", path });
      const notified = (): number => changes().filter((each) => JSON.stringify(each).includes('"notify"')).length;
      await requireSilence(async () => (await read(path)).get(path), notified);
      assert.ok(notified() >= 2, `${notified()} notifications`);
    });

    test("RFC 7959 §2.4, §2.5: long answers and long values go block by block", async () => {
      const ids = Array.from({ length: 30 }, (_, index) => 100 + index);
      for (const id of ids) await succeed({ kind: "create", path: "/3303", instanceId: id, value: { "5750": `sensor number ${id}` } });
      const sensors = await read("/3303");
      for (const id of ids) assert.equal(sensors.get(`/3303/${id}/5750`), `sensor number ${id}`);
      const long = "0123456789".repeat(300);
      await succeed({ kind: "write", path: "/3303/100/5750", value: long });
      assert.equal((await read("/3303/100/5750")).get("/3303/100/5750"), long);
      for (const id of ids) await succeed({ kind: "delete", path: `/3303/${id}` });
    });

    test("the path-shaped addresses do the same", async () => {
      const at = (path: string): string => `/devices/${endpoint}/resources${path}`;
      const send = async (method: string, path: string, body?: Json): Promise<Json> => {
        const reply = await server.rest.send(method, path, { ...(body === undefined ? {} : { body }), headers: { prefer: "wait=15" } });
        assert.equal(reply.status, 200, `${method} ${path}: ${JSON.stringify(reply.body)}`);
        return reply.body;
      };
      await send("PUT", at("/3/0/15"), { value: "Asia/Tokyo" });
      await client.says("written /3/0/15 Asia/Tokyo");
      assert.equal(field(await send("GET", `${at("/3/0/15")}?live=true`), "value"), "Asia/Tokyo");
      await send("POST", at("/3/0"), { value: { "14": "+09:00" } });
      await client.says("written /3/0/14 +09:00");
      await send("POST", at("/3303"), { instanceId: 9, value: { "5750": "ninth" } });
      await client.says("created /3303/9");
      const from = client.mark;
      await send("POST", `${at("/3303/9/5605")}:execute`, {});
      await client.says("executed /3303/9/5605", patienceMs, from);
      assert.ok(JSON.stringify(await send("GET", `${at("/3303/9")}:discover`)).includes('"/3303/9/5700"'));
      await send("DELETE", at("/3303/9"));
      await client.says("deleted /3303/9");
      const gone = await server.rest.send("GET", `${at("/3303/9/5700")}?live=true`);
      assert.equal(gone.status, 502, JSON.stringify(gone.body));
      assert.equal(field(gone.body, "type"), "urn:lwm2m:problem:device-rejected");
      assert.equal(field(gone.body, "coapCode"), "4.04");
    });

    test("RFC 9457: an attribute write the client does not implement is reported as the device's own refusal", async () => {
      assert.equal(await refused({ kind: "writeAttributes", path: "/3303/0/5700", attributes: { pmin: 1, pmax: 3 } }), "5.00");
    });

    test("LwM2M Core 1.1 §6.4: a client that comes back after a power cut is observed again", async () => {
      const path = "/3303/0/5700";
      await succeed({ kind: "observe", path });
      client.kill("SIGKILL");
      await client.exited;
      client = startLeshanClient(variant.name, { server: server.coap, endpoint, lifetimeSeconds: 120 });
      await client.says("registered ");
      const isNotified = (event: ServerEvent): boolean =>
        event.type === "resource.changed" && JSON.stringify(event.body).includes(path) && JSON.stringify(event.body).includes('"notify"');
      const before = new Set(events.events.map(({ id }) => id));
      await events.wait("a notification of the new registration", (event) => !before.has(event.id) && isNotified(event));
      await succeed({ kind: "cancelObserve", path });
    });

    test("LwM2M Core 1.1 §6.2.3: it de-registers and is no longer registered", async () => {
      client.write("quit");
      await client.says("deregistered");
      await eventually("no registration", patienceMs, async () => ((await registration()) === null ? true : undefined));
      await events.wait("device.deregistered", ({ type, body }) => type === "device.deregistered" && field(body, "subject") === endpoint);
    });
  });
}
