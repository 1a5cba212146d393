/** Two server processes on one MongoDB-wire server: one is stopped with an Execute in its hands, the other takes over, the first wakes up. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { ferretSuite } from "@lwm2m/server/testing/platform/store-suite";
import { eventually } from "./platform/deadline.ts";
import { EventWatch } from "./platform/event-watch.ts";
import { field, type Json } from "./platform/rest-client.ts";
import { type ServerProcess, startServer } from "./platform/server-process.ts";

const waitMs = 60_000;
/** Seconds: short, so that it ends soon; long enough for a machine that runs other tests meanwhile. */
const lease = "4";

ferretSuite("two servers on one FerretDB", (ferret) => {
  let first: ServerProcess;
  let second: ServerProcess;
  let device: CoapEndpoint;
  let executes = 0;
  let onExecute = (): void => {};

  before(async () => {
    const shared = { MONGO_URL: ferret().url("shared"), PROCESS_LEASE_SECONDS: lease, API_KEY: "a-known-script-key" };
    first = await startServer({ env: shared });
    second = await startServer({ env: { ...shared, SECRET_KEY_FILE: join(first.dataDirectory, "secret-key") } });
    device = openCoapEndpoint({
      socket: await openUdpSocket({ address: "127.0.0.1", port: 0 }),
      clock: systemClock,
      random: systemRandom,
    });
    device.handle((request) => {
      if (request.method !== Method.post || request.path.join("/") !== "3/0/4") return { code: ResponseCode.notFound };
      executes += 1;
      onExecute();
      return { code: ResponseCode.changed };
    });
    const registered = await device.request(device.peerAt({ address: "127.0.0.1", port: first.ports.coap }), {
      method: Method.post,
      path: ["rd"],
      query: ["ep=frozen", "lt=86400", "lwm2m=1.1", "b=U"],
      contentFormat: ContentFormat.linkFormat,
      payload: new TextEncoder().encode('</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>'),
    });
    assert.ok(registered.ok);
  });

  after(async () => {
    first?.child.kill("SIGCONT");
    await device?.close();
    await second?.dispose();
    await first?.dispose();
  });

  async function begin(): Promise<string> {
    // A store that did not answer for a while, as the first sees it, takes no new work for a moment.
    const reply = await eventually("room for an operation", waitMs, async () => {
      const asked = await first.rest.operate("frozen", { kind: "execute", path: "/3/0/4" }, 0);
      return asked.status === 429 ? undefined : asked;
    });
    assert.equal(reply.status, 202, JSON.stringify(reply.body));
    return String(field(reply.body, "id"));
  }

  /** The operation once it is over, as a server shows it. */
  function over(server: ServerProcess, id: string): Promise<Json> {
    return eventually(`operation ${id} to be over`, waitMs, async () => {
      const { body } = await server.rest.get(`/operations/${id}`);
      return field(body, "finishedAt") ? body : undefined;
    });
  }

  test("SIGSTOP with an Execute in the air: the other ends it, SIGCONT changes nothing, the device was asked once", async () => {
    onExecute = () => first.child.kill("SIGSTOP");
    // The first may be stopped before its reply has left.
    const asking = begin().catch(() => undefined);
    await eventually("the Execute", waitMs, () => executes > 0 || undefined);
    const [operation] = await eventually("the operation", waitMs, async () => {
      const items = field((await second.rest.get("/operations?endpoint=frozen")).body, "items");
      return Array.isArray(items) && items.length > 0 ? (items as readonly Json[]) : undefined;
    });
    const asked = String(field(operation, "id"));
    assert.equal(field(operation, "status"), "sent", "nobody else's while its lease runs");

    const ended = await over(second, asked);
    assert.deepEqual([field(ended, "status"), field(ended, "reason")], ["failed", "outcome-unknown"]);
    onExecute = () => {};
    first.child.kill("SIGCONT");
    await eventually("the first to hear that it was taken for gone", waitMs, () =>
      first.child.stdout.some((line) => line.includes("others took this process for gone")) ? true : undefined,
    );

    const id = await asking;
    if (id !== undefined) assert.equal(asked, id);

    // It works on under another name, and what it had in the air has its one end.
    const next = await over(first, await begin());
    assert.equal(field(next, "status"), "succeeded");
    assert.deepEqual(await over(first, asked), ended);
    assert.equal(executes, 2);
    const watch = new EventWatch(second.rest, "?after=0&types=operation.succeeded,operation.failed");
    const idOf = ({ body }: { readonly body: Json }): Json | undefined => field(body, "data", "operationId");
    await watch.wait("the end of the second operation", (event) => idOf(event) === field(next, "id"), waitMs);
    await watch.close();
    const told = watch.events.map((event) => [idOf(event), event.type]);
    assert.deepEqual(told, [
      [asked, "operation.failed"],
      [field(next, "id"), "operation.succeeded"],
    ]);
  });
});
