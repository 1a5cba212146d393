/** Composite operations, resource instances and Discover with depth, against complete foreign clients of LwM2M 1.0 and 1.1. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Child } from "./platform/child.ts";
import { eventually, patienceMs } from "./platform/deadline.ts";
import { EventWatch } from "./platform/event-watch.ts";
import { startLeshanClient } from "./platform/leshan.ts";
import { requireSilence } from "./platform/quiet.ts";
import { field, type Json } from "./platform/rest-client.ts";
import { type ServerProcess, startServer } from "./platform/server-process.ts";
import { interopSuite } from "./platform/suite.ts";

const variants = [
  { name: "leshan-1", lwm2mVersion: "1.0", model: "Model 1" },
  { name: "leshan-2", lwm2mVersion: "1.1", model: "Model 2" },
] as const;

for (const variant of variants) {
  interopSuite(`${variant.name} (LwM2M ${variant.lwm2mVersion}): composite operations and resource instances`, [variant.name], () => {
    const endpoint = `composite-${variant.name}`;
    const isFirst = variant.lwm2mVersion === "1.0";
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

    const operate = (operation: { readonly [name: string]: Json }) => server.rest.operate(endpoint, operation);
    async function succeed(operation: { readonly [name: string]: Json }): Promise<Json> {
      const { status, body } = await operate(operation);
      assert.deepEqual([status, field(body, "status")], [200, "succeeded"], `${JSON.stringify(operation)}: ${JSON.stringify(body)}`);
      return body;
    }
    /** Refused before anything is sent; the detail. */
    async function refused(operation: { readonly [name: string]: Json }): Promise<string> {
      const { status, body } = await operate(operation);
      assert.deepEqual([status, field(body, "code")], [422, "not-in-device-version"], JSON.stringify(body));
      return String(field(body, "detail"));
    }
    function valuesOf(body: Json): ReadonlyMap<string, Json | undefined> {
      const values = field(field(body, "result"), "values");
      assert.ok(Array.isArray(values), JSON.stringify(body));
      return new Map(values.map((each: Json) => [String(field(each, "path")), field(each, "value")]));
    }

    test("LwM2M Core 1.1 §6.3.8: resources, an instance and a resource of several instances in one request", async () => {
      const paths = ["/3/0/1", "/3/0/9", "/3/0/7", "/3303/1", "/3303/0/5701"];
      const body = await succeed({ kind: "readComposite", paths });
      const values = valuesOf(body);
      assert.deepEqual([values.get("/3/0/1"), values.get("/3/0/9"), values.get("/3303/0/5701")], [variant.model, 95, "Cel"]);
      assert.deepEqual([values.get("/3/0/7/0"), values.get("/3/0/7/1")], [3800, 5000]);
      assert.equal(typeof values.get("/3303/1/5700"), "number");
      assert.equal(field(field(body, "result"), "missing"), undefined);
      const attempts = field(body, "attempts");
      assert.ok(Array.isArray(attempts) && attempts.length === 1);
      if (isFirst) assert.match(String(field(body, "detail")), /one by one/);
      else assert.equal(field(body, "detail"), null);
    });

    test("LwM2M Core 1.1 §6.3.8: what is not there is missing, the rest is answered", async () => {
      const body = await succeed({ kind: "readComposite", paths: ["/3/0/9", "/3303/77/5700"] });
      assert.deepEqual([...valuesOf(body).keys()], ["/3/0/9"]);
      assert.deepEqual(field(field(body, "result"), "missing"), ["/3303/77/5700"]);
    });

    test("LwM2M Core 1.1 §6.3.9: values of two objects are written in one request", async () => {
      const values = { "device/0/timezone": "Europe/Rome", "/3/0/14": "+01:00", "/3303/0/5750": "roof" };
      if (isFirst) {
        assert.match(await refused({ kind: "writeComposite", values }), /writeComposite needs LwM2M 1\.1; the device registered with 1\.0/);
        await succeed({ kind: "writeComposite", values: { "/3/0/15": "Europe/Rome" } });
        await client.says("written /3/0/15 Europe/Rome");
        return;
      }
      await succeed({ kind: "writeComposite", values });
      const read = valuesOf(await succeed({ kind: "readComposite", paths: ["/3/0/15", "/3/0/14", "/3303/0/5750"] }));
      assert.deepEqual([...read.values()].toSorted(), ["+01:00", "Europe/Rome", "roof"]);
    });

    test("LwM2M Core 1.1 §6.4.3: observed together; the values arrive as events and last values; cancelled", async () => {
      const paths = ["/3303/0/5700", "/3303/1/5700", "/3/0/9"];
      if (isFirst) {
        assert.match(
          await refused({ kind: "observeComposite", paths }),
          /observeComposite .* needs LwM2M 1\.1; the device registered with 1\.0/,
        );
        return;
      }
      assert.equal(valuesOf(await succeed({ kind: "observeComposite", paths })).size, 3);
      const notified = (): number =>
        events.events.filter(({ type, body }) => {
          const told = JSON.stringify(body);
          return type === "resource.changed" && told.includes('"notify"') && paths.every((path) => told.includes(`"${path}"`));
        }).length;
      await eventually("two notifications with all paths", patienceMs, () => (notified() >= 3 ? true : undefined));
      const { body: page } = await server.rest.get(`/observations?endpoint=${endpoint}`);
      const items = field(page, "items");
      assert.ok(Array.isArray(items) && items.length === 1);
      assert.deepEqual([field(items[0] ?? null, "state"), field(items[0] ?? null, "paths")], ["active", paths]);
      const known = await server.rest.get(`/devices/${endpoint}/resources/3303/1/5700`);
      assert.equal(field(known.body, "source"), "notify");

      await succeed({ kind: "cancelObserve", paths });
      await requireSilence(async () => valuesOf(await succeed({ kind: "read", path: "/3303/0/5700" })).get("/3303/0/5700"), notified);
    });

    test("LwM2M Core 1.1 §6.3.1: a resource instance is read by itself", async () => {
      if (isFirst) {
        assert.match(await refused({ kind: "read", path: "/3/0/7/1" }), /read of a resource instance needs LwM2M 1\.1/);
        return;
      }
      assert.deepEqual([...valuesOf(await succeed({ kind: "read", path: "/3/0/7/1" }))], [["/3/0/7/1", 5000]]);
      assert.match(
        await refused({ kind: "delete", path: "/3/0/7/1" }).catch((error: Error) => error.message),
        /operation-not-allowed|1\.2/,
      );
    });

    test("LwM2M Core 1.2 §6.3.3: a smaller depth than the client's own is kept, a greater one needs 1.2", async () => {
      const paths = async (depth: number): Promise<readonly Json[]> => {
        const links = field(field(await succeed({ kind: "discover", path: "/3303", depth }), "result"), "links");
        assert.ok(Array.isArray(links));
        return links.map((each: Json) => field(each, "path") ?? null);
      };
      assert.deepEqual(await paths(0), ["/3303"]);
      assert.deepEqual(await paths(1), ["/3303", "/3303/0", "/3303/1"]);
      assert.match(await refused({ kind: "discover", path: "/3303", depth: 3 }), /discover with depth 3 needs LwM2M 1\.2/);
    });

    test("LwM2M Core 1.1 §6.3.5: Execute arguments one by one", async () => {
      const from = client.mark;
      await succeed({ kind: "execute", path: "/3/0/4", arguments: [{ digit: 0, value: "now" }, { digit: 5 }] });
      await client.says("executed /3/0/4 0='now',5", patienceMs, from);
    });
  });
}
