/** What waits for a sleeping foreign client goes in few exchanges when it wakes: LwM2M 1.0 and 1.1. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Child } from "./platform/child.ts";
import { eventuallySucceeds, patienceMs } from "./platform/deadline.ts";
import { startLeshanClient } from "./platform/leshan.ts";
import { field, type Json } from "./platform/rest-client.ts";
import { type ServerProcess, startServer } from "./platform/server-process.ts";
import { interopSuite } from "./platform/suite.ts";

const variants = [
  // By its update of the instance; a Read of the whole Device object would not be smaller.
  { name: "leshan-1", lwm2mVersion: "1.0", exchanges: ["GET /3/0/1", "GET /3/0/9", "GET /3303/0/5701", "POST /3/0"] },
  { name: "leshan-2", lwm2mVersion: "1.1", exchanges: ["FETCH /", "POST /3/0"] },
] as const;

const reads = ["/3/0/1", "/3/0/9", "/3303/0/5701", "/3/0/9"];
const writes = { "/3/0/14": "+03:00", "/3/0/15": "Europe/Athens" };

for (const { name, lwm2mVersion, exchanges } of variants) {
  interopSuite(`${name} (LwM2M ${lwm2mVersion}): what waits for a client that sleeps`, [name], () => {
    const endpoint = `sleepy-${name}`;
    let server: ServerProcess;
    let client: Child;

    before(async () => {
      server = await startServer({ env: { AWAKE_SECONDS: "1" } });
      client = startLeshanClient(name, { server: server.coap, endpoint, lifetimeSeconds: 120, queue: true });
      await client.says("registered ");
    });
    after(async () => {
      await client?.stop();
      await server?.dispose();
    });

    test("LwM2M Core 1.1 §6.5: planned, shown beforehand, and done in that many exchanges at the next Update", async () => {
      await eventuallySucceeds("the client sleeps", patienceMs, async () => {
        const { body } = await server.rest.get(`/devices/${endpoint}/queue`);
        assert.equal(field(body, "awake"), false);
      });
      const ids: string[] = [];
      const order = async (operation: { readonly [name: string]: Json }): Promise<void> => {
        const { status, body } = await server.rest.operate(endpoint, operation, 0);
        assert.equal(status, 202, JSON.stringify(body));
        ids.push(String(field(body, "id")));
      };
      for (const path of reads) await order({ kind: "read", path });
      for (const [path, value] of Object.entries(writes)) await order({ kind: "write", path, value });
      const { body: queue } = await server.rest.get(`/devices/${endpoint}/queue`);
      const planned = field(queue, "exchanges");
      assert.ok(Array.isArray(planned));
      assert.deepEqual(planned.map((exchange: Json) => field(exchange, "request")).toSorted(), [...exchanges]);
      client.write("update");
      const tokens = new Set<string>();
      for (const id of ids) {
        const operation = await eventuallySucceeds(`operation ${id} ends`, patienceMs, async () => {
          const { body } = await server.rest.get(`/operations/${id}`);
          assert.equal(field(body, "status"), "succeeded", JSON.stringify(body));
          return body;
        });
        const attempts = field(operation, "attempts");
        assert.ok(Array.isArray(attempts) && attempts.length === 1, JSON.stringify(attempts));
        tokens.add(String(field(attempts[0] ?? null, "token")));
      }
      assert.equal(tokens.size, exchanges.length);
    });
  });
}
