/** Standing observations of foreign clients: asked for once, heard over our restart on the same relation, asked for anew when the client is. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LeshanKeys } from "./dtls/leshan-credentials.ts";
import type { Child } from "./platform/child.ts";
import { eventuallySucceeds, patienceMs } from "./platform/deadline.ts";
import { startLeshanClient } from "./platform/leshan.ts";
import { requireSilence } from "./platform/quiet.ts";
import { field, type Json } from "./platform/rest-client.ts";
import { type ServerProcess, stablePorts, startServer } from "./platform/server-process.ts";
import { interopSuite } from "./platform/suite.ts";

const variants = [
  { name: "leshan-1", release: "1.5.0, LwM2M 1.0", secured: false },
  { name: "leshan-2", release: "2.0.0-M14, LwM2M 1.1", secured: false },
  { name: "leshan-2", release: "2.0.0-M14, LwM2M 1.1", secured: true },
] as const;

/** It changes each second. */
const sensor = "/3303/0/5700";
/** Of one device: every message of a test is among them, also where the clock runs on while the machine does other things. */
const mostTraced = 1_000;
/** How many notifications show that one relation is there, and no second. */
const notifications = 4;

for (const { name, release, secured } of variants) {
  interopSuite(`${name} (${release})${secured ? " over DTLS" : ""}: a standing observation`, [name], () => {
    const endpoint = `standing-${name}${secured ? "-dtls" : ""}`;
    const keys = new LeshanKeys();
    let server: ServerProcess;
    let client: Child;
    let standing: string;

    before(async () => {
      server = await startServer({ ports: await stablePorts(), env: { COAP_TRACE_MESSAGES: String(mostTraced) } });
      if (secured) await keys.register(server.rest, endpoint, "psk");
      await server.rest.send("PUT", `/devices/${endpoint}/trace`);
      client = start();
      await client.says("registered ", patienceMs);
    });
    after(async () => {
      await client?.stop();
      await server?.dispose();
      keys.remove();
    });

    function start(): Child {
      const more = secured ? keys.argumentsOf(endpoint, "psk") : [];
      return startLeshanClient(name, { server: secured ? server.coaps : server.coap, endpoint, lifetimeSeconds: 3_600, more });
    }

    /** The tokens of notifications and of Observes in the trace, which begins with the process. */
    async function heard(): Promise<{ readonly notified: readonly string[]; readonly asked: readonly string[] }> {
      const { body } = await server.rest.get(`/devices/${endpoint}/trace?limit=${mostTraced}`);
      const items = field(body, "items");
      assert.ok(Array.isArray(items), JSON.stringify(body));
      const observing = items.filter((item: Json) => optionsOf(item).includes("Observe"));
      const tokens = (direction: string): readonly string[] =>
        observing.flatMap((item: Json) => (field(item, "direction") === direction ? [String(field(item, "token"))] : []));
      return { notified: tokens("in"), asked: tokens("out") };
    }

    const several = (): Promise<Awaited<ReturnType<typeof heard>>> =>
      eventuallySucceeds(`${notifications} notifications`, patienceMs, async () => {
        const found = await heard();
        assert.ok(found.notified.length > notifications, JSON.stringify(found));
        return found;
      });

    const stateOf = async (): Promise<Json | undefined> =>
      field((await server.rest.get(`/observations/${standing}/devices`)).body, "items", 0, "state");

    async function holds(): Promise<void> {
      await eventuallySucceeds("the client holds it", patienceMs, async () => assert.equal(await stateOf(), "active"));
    }

    test("LwM2M Core 1.1 §6.4.1: asked for once, one relation", async () => {
      const { status, body } = await server.rest.send("POST", "/observations", { body: { endpoint, path: sensor } });
      assert.equal(status, 201, JSON.stringify(body));
      standing = String(field(body, "id"));
      await holds();
      const { notified, asked } = await several();
      assert.equal(asked.length, 1);
      assert.deepEqual([...new Set(notified)], asked);
    });

    test("RFC 7641 §3.2: the server is killed and comes back: the same relation goes on, nothing is asked", async () => {
      const before = await heard();
      server = await server.crashAndRestart();
      const { notified, asked } = await several();
      assert.deepEqual(asked, []);
      assert.deepEqual([...new Set(notified)], [...new Set(before.asked)]);
      assert.equal(await stateOf(), "active");
    });

    test("LwM2M Core 1.1 §6.4.1: the client starts anew: asked for once more, one relation again", async () => {
      const before = await heard();
      client.kill();
      await client.exited;
      client = start();
      await client.says("registered ", patienceMs);
      await eventuallySucceeds("it is asked", patienceMs, async () => assert.equal((await heard()).asked.length, 1));
      await holds();
      const seen = (await heard()).notified.length;
      const later = await eventuallySucceeds("more notifications", patienceMs, async () => {
        const found = await heard();
        assert.ok(found.notified.length > seen + notifications);
        return found;
      });
      assert.equal(later.asked.length, 1);
      assert.deepEqual([...new Set(later.notified.slice(seen))], later.asked);
      assert.ok(!before.notified.includes(later.asked[0] ?? ""));
    });

    test("ended: the client is told, and nothing comes any more", async () => {
      const { status } = await server.rest.send("DELETE", `/observations/${standing}`);
      assert.equal(status, 202);
      await eventuallySucceeds("it is gone", patienceMs, async () =>
        assert.equal((await server.rest.get(`/observations/${standing}`)).status, 404),
      );
      const last = await heard();
      assert.equal(new Set(last.asked).size, 1, "the cancel repeats the token of the Observe (RFC 7641 §3.6)");
      const read = async (): Promise<Json | undefined> =>
        field((await server.rest.operate(endpoint, { kind: "read", path: sensor })).body, "result", "values", 0, "value");
      await requireSilence(read, async () => (await heard()).notified.length);
    });
  });
}

function optionsOf(message: Json): readonly string[] {
  const options = field(message, "options");
  return Array.isArray(options) ? options.map((option: Json) => String(field(option, "name"))) : [];
}
