/** FerretDB killed in the middle of the server's start, at several moments, and started again: the server waits, says so, and opens by itself. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ferretSuite } from "@lwm2m/server/testing/platform/store-suite";
import type { Child } from "./platform/child.ts";
import { eventually, eventuallySucceeds, patienceMs } from "./platform/deadline.ts";
import { startDevice } from "./platform/device-process.ts";
import { removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { MessageProxy } from "./platform/message-proxy.ts";
import { field, RestClient } from "./platform/rest-client.ts";
import { listeningPort, spawnServer } from "./platform/server-process.ts";

const apiKey = "a-known-script-key";
/** Of the messages of a whole start. With `MOMENTS=all` many more. */
const moments = process.env["MOMENTS"] === "all" ? Array.from({ length: 49 }, (_, n) => (n + 1) / 50) : [0.1, 0.5, 0.8, 0.9, 0.97];

ferretSuite(
  "FerretDB killed in the middle of a start",
  (ferret) => {
    let directory: string;
    let proxy: MessageProxy;
    let child: Child | undefined;
    let messages = 0;
    before(async () => {
      directory = await temporaryDirectory();
      proxy = await MessageProxy.open(ferret().port);
    });
    after(async () => {
      await child?.stop();
      await proxy.close();
      await removeDirectory(directory);
    });
    const start = (database: string): Child => {
      const url = `mongodb://127.0.0.1:${proxy.port}/${database}`;
      return spawnServer(directory, { API_KEY: apiKey, MONGO_TIMEOUT_MS: "2000", PROCESS_LEASE_SECONDS: "4", MONGO_URL: url });
    };

    test("an undisturbed start, for the count of its messages", async () => {
      child = start("undisturbed");
      await listeningPort(child, "http");
      messages = proxy.messages;
      assert.ok(messages > 100, `${messages} messages`);
      assert.deepEqual(await child.stop(), { code: 0, signal: null });
    });

    for (const moment of moments) {
      test(`at ${Math.round(moment * 100)} % of the messages of a start on an empty database`, async () => {
        const reached = proxy.holdBack(Math.ceil(messages * moment));
        child = start(`killed-at-${Math.round(moment * 100)}`);
        await reached;
        await ferret().kill();
        proxy.letPass();

        const waiting = new RestClient(`http://127.0.0.1:${await doorPort(child, "waiting")}`, apiKey);
        const ready = await waiting.get("/health/ready");
        assert.deepEqual([ready.status, field(ready.body, "reasons")], [503, ["the store cannot be reached"]]);
        assert.equal((await waiting.get("/devices")).status, 503);
        assert.equal(
          child.stdout.some((line) => line.includes('"listening"')),
          false,
        );

        await ferret().start();
        const rest = new RestClient(`http://127.0.0.1:${await listeningPort(child, "http")}`, apiKey);
        await eventuallySucceeds("readiness", patienceMs, async () => assert.equal((await rest.get("/health/ready")).status, 200));
        const device = startDevice(`coap://127.0.0.1:${await listeningPort(child, "coap")}`, "newcomer", []);
        await eventually("its registration", patienceMs, async () =>
          field((await rest.get("/devices/newcomer")).body, "registration") ? true : undefined,
        );
        await device.stop();
        assert.deepEqual(await child.stop(), { code: 0, signal: null });
        assert.deepEqual(child.stderr, []);
      });
    }
  },
  { inMemory: true },
);

/** Of the door that a line with this message tells of. */
function doorPort(child: Child, message: string): Promise<number> {
  return child.line(`${message} line`, (line) => {
    const entry: unknown = line.startsWith("{") ? JSON.parse(line) : undefined;
    if (typeof entry !== "object" || entry === null || !("message" in entry) || entry.message !== message) return undefined;
    return "port" in entry && typeof entry.port === "number" ? entry.port : undefined;
  });
}
