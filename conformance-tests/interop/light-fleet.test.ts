/** `npm run fleet`'s light devices, as a process, against the real server and against a foreign one. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Child } from "./platform/child.ts";
import { eventuallySucceeds, patienceMs } from "./platform/deadline.ts";
import { LeshanServer } from "./platform/leshan.ts";
import { lightFleetMain, removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { field, type Json } from "./platform/rest-client.ts";
import { type ServerProcess, startServer } from "./platform/server-process.ts";
import { interopSuite } from "./platform/suite.ts";

const devices = 10;
/** Long enough for what a test does meanwhile, on a busy machine. */
const loadSeconds = "12";

function startFleet(server: string, flags: readonly string[]): Child {
  return new Child("fleet", process.execPath, [lightFleetMain, "--devices", String(devices), "--server", server, ...flags]);
}

describe("a light fleet against the server", () => {
  let server: ServerProcess;
  before(async () => {
    server = await startServer();
  });
  after(() => server?.dispose());

  async function registered(prefix = "fleet"): Promise<void> {
    await eventuallySucceeds("every device is registered", patienceMs, async () => {
      for (let n = 0; n < devices; n++) {
        const { body } = await server.rest.get(`/devices/${prefix}-${n}`);
        assert.ok(field(body, "registration"), `${prefix}-${n}: ${JSON.stringify(body)}`);
      }
    });
  }

  test("LwM2M Core 1.1 §6.2, §6.4: registered, observed, read; updates, notifications and Sends all acknowledged; the report says so", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "report.json");
    const rates = ["--updates-per-second", "20", "--notifications-per-second", "20", "--sends-per-second", "20"];
    const fleet = startFleet(server.coap, [...rates, "--seconds", loadSeconds, "--report", file]);
    try {
      await registered();
      const observed = await server.rest.send("PUT", "/devices/fleet-3/resources/temperature/0/sensorValue/observation");
      assert.equal(observed.status, 200);
      const read = await server.rest.get("/devices/fleet-3/resources/device/0/serialNumber?live=true");
      assert.equal(field(read.body, "value"), "fleet-3");
      assert.deepEqual(await fleet.exited, { code: 0, signal: null }, fleet.transcript());
      const report: Json = JSON.parse(await readFile(file, "utf8"));
      assert.deepEqual([field(report, "registered"), field(report, "observed")], [devices, 1]);
      for (const kind of ["update", "notification", "send"]) {
        const tally = field(report, kind);
        assert.ok(Number(field(tally, "sent")) > 0, `${kind}: ${JSON.stringify(tally)}`);
        assert.deepEqual([field(tally, "acknowledged"), field(tally, "lost")], [field(tally, "sent"), 0]);
      }
      const { body } = await server.rest.get("/devices/fleet-3/resources/temperature/0/sensorValue");
      assert.equal(typeof field(body, "value"), "number");
    } finally {
      await fleet.stop();
      await removeDirectory(directory);
    }
  });

  test("Ctrl-C ends the load with a report, and no device is de-registered", async () => {
    const fleet = startFleet(server.coap, ["--prefix", "other", "--updates-per-second", "20", "--seconds", "600"]);
    try {
      await registered("other");
      fleet.kill("SIGINT");
      assert.deepEqual(await fleet.exited, { code: 1, signal: null });
      assert.ok(
        fleet.stdout.some((line) => line.startsWith("register")),
        fleet.transcript(),
      );
      await registered("other");
    } finally {
      await fleet.stop();
    }
  });

  test("a server that is not this machine takes a word more; wrong flags are one line and code 1", async () => {
    const remote = startFleet("coap://192.0.2.1", []);
    assert.deepEqual(await remote.exited, { code: 1, signal: null });
    assert.deepEqual(remote.stderr, ["fleet: 192.0.2.1 is not this machine: --allow-remote if you mean it"]);
    const wrong = startFleet(server.coap, ["--seconds", "soon"]);
    assert.deepEqual(await wrong.exited, { code: 1, signal: null });
    assert.deepEqual(wrong.stderr, ["fleet: --seconds is a number from 0 to 86400, got soon"]);
  });
});

interopSuite("a light fleet against a Leshan 2 server", ["leshan-server"], () => {
  let leshan: LeshanServer;
  before(async () => {
    leshan = await LeshanServer.start();
  });
  after(() => leshan?.child.stop());

  test("LwM2M Core 1.1 §6.2.1, §6.3.1, §6.4.2: registered, updated, read and observed", async () => {
    const flags = ["--updates-per-second", "10", "--notifications-per-second", "10", "--seconds", loadSeconds];
    const fleet = startFleet(`coap://127.0.0.1:${leshan.port}`, flags);
    try {
      const last = await leshan.event("registered", { nth: devices });
      assert.match(String(field(last, "links")), /<\/3303\/0>/);
      assert.equal(field(await leshan.run("read fleet-4 /3/0/2"), "value"), "fleet-4");
      assert.equal(field(await leshan.run("observe fleet-4 /3303/0/5700"), "code"), 205);
      const value = field(await leshan.event("notification", { path: "/3303/0/5700" }), "value");
      assert.ok(Number(value) >= 20 && Number(value) < 30, String(value));
      await leshan.event("updated", { nth: devices });
      assert.deepEqual(await fleet.exited, { code: 0, signal: null }, fleet.transcript());
    } finally {
      await fleet.stop();
    }
  });
});
