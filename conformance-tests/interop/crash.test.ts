/** kill -9 of the server: what it acknowledged is there after the next start. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { makePackage } from "@lwm2m/client-emulator/firmware/package-format";
import type { Child } from "./platform/child.ts";
import { eventually, patienceMs } from "./platform/deadline.ts";
import { startDevice } from "./platform/device-process.ts";
import { EventWatch } from "./platform/event-watch.ts";
import { field, type Json, text } from "./platform/rest-client.ts";
import { type ServerProcess, stablePorts, startServer } from "./platform/server-process.ts";

describe("the server killed and started again", () => {
  let server: ServerProcess;
  const devices: Child[] = [];

  before(async () => {
    server = await startServer({ ports: await stablePorts() });
  });
  after(async () => {
    for (const device of devices) await device.stop();
    await server?.dispose();
  });

  async function connect(endpoint: string, flags: readonly string[]): Promise<Child> {
    const device = startDevice(server.coap, endpoint, flags);
    devices.push(device);
    await eventually(`the registration of ${endpoint}\n${device.transcript()}`, patienceMs, async () =>
      (await registration(endpoint)) ? true : undefined,
    );
    return device;
  }
  async function registration(endpoint: string): Promise<Json | undefined> {
    return field((await server.rest.get(`/devices/${endpoint}`)).body, "registration");
  }
  async function succeed(endpoint: string, operation: { readonly [name: string]: Json }): Promise<void> {
    const { body } = await server.rest.operate(endpoint, operation);
    assert.equal(field(body, "status"), "succeeded", JSON.stringify(body));
  }

  test("nothing acknowledged is lost: a registration survives, and the device is managed without registering anew", async () => {
    await connect("survivor", ["--lifetime", "600"]);
    const before = await registration("survivor");
    server = await server.crashAndRestart();
    const afterwards = await registration("survivor");
    for (const name of ["registeredAt", "lifetimeSeconds", "lwm2mVersion", "objects"]) {
      assert.deepEqual(field(afterwards, name), field(before, name), name);
    }
    await succeed("survivor", { kind: "read", path: "/3/0/0" });
    assert.deepEqual(field(await registration("survivor"), "registeredAt"), field(before, "registeredAt"));
  });

  test("nothing acknowledged is lost: an operation that waits for a sleeping device survives and is done at its next sign of life", async () => {
    await connect("sleeper", ["--lifetime", "600", "--queue", "--awake", "2", "--sleep", "12"]);
    const ids: string[] = [];
    for (const value of ["Europe/Rome", "Europe/Oslo"]) {
      const { status, body, headers } = await server.rest.send("POST", "/devices/sleeper/operations", {
        body: { kind: "write", path: "/3/0/15", value },
        headers: { prefer: "respond-async" },
      });
      assert.equal(status, 202, JSON.stringify(body));
      assert.equal(headers.get("location"), `/api/v1/operations/${text(body, "id")}`);
      ids.push(text(body, "id"));
    }
    server = await server.crashAndRestart();
    for (const id of ids) {
      const operation = await eventually(`operation ${id} to be final`, patienceMs, async () => {
        const { status, body } = await server.rest.get(`/operations/${id}`);
        assert.equal(status, 200, JSON.stringify(body));
        return field(body, "finishedAt") ? body : undefined;
      });
      assert.equal(field(operation, "status"), "succeeded", JSON.stringify(operation));
    }
    const read = await server.rest.operate("sleeper", { kind: "read", path: "/3/0/15" }, 40);
    assert.ok(JSON.stringify(read.body).includes("Europe/Oslo"), "in the order given, so the later value stands");
  });

  test("nothing acknowledged is lost: killed five times while operations come in, not one that was accepted is lost", async () => {
    await connect("busy", ["--lifetime", "600"]);
    const accepted: string[] = [];
    for (const kills of [3, 17, 8, 40, 25]) {
      const goal = accepted.length + kills;
      while (accepted.length < goal) {
        const { status, body } = await server.rest.send("POST", "/devices/busy/operations", {
          body: { kind: "write", path: "/3/0/14", value: `+${accepted.length}` },
          headers: { prefer: "respond-async" },
        });
        assert.equal(status, 202, JSON.stringify(body));
        accepted.push(text(body, "id"));
      }
      server = await server.crashAndRestart();
    }
    for (const id of accepted) {
      const operation = await eventually(`operation ${id} to be final`, patienceMs, async () => {
        const { status, body } = await server.rest.get(`/operations/${id}`);
        assert.equal(status, 200, JSON.stringify(body));
        return field(body, "finishedAt") ? body : undefined;
      });
      assert.equal(field(operation, "status"), "succeeded", JSON.stringify(operation));
    }
    const read = await server.rest.operate("busy", { kind: "read", path: "/3/0/14" });
    assert.equal(field(read.body, "result", "values", 0, "value"), `+${accepted.length - 1}`, "in the order given");
  });

  test("nothing acknowledged is lost: a notified value and its event survive, and notifications go on", async () => {
    const path = "/3303/0/5700";
    await connect("observed", ["--lifetime", "60", "--interval", "1"]);
    const watch = new EventWatch(server.rest);
    await succeed("observed", { kind: "observe", path, attributes: { pmin: 1, pmax: 2 } });
    const isChange = ({ type, body }: { readonly type: string; readonly body: Json }): boolean =>
      type === "resource.changed" && JSON.stringify(body).includes(path) && JSON.stringify(body).includes('"observed"');
    const change = await watch.wait("a notified value", isChange);
    const known = await server.rest.get(`/devices/observed/resources${path}`);
    assert.equal(known.status, 200, JSON.stringify(known.body));
    server.child.kill("SIGKILL");
    await watch.close().catch(() => undefined);
    server = await server.crashAndRestart();

    const replay = new EventWatch(server.rest, "?after=0");
    await replay.wait("the same event", ({ id }) => id === change.id);
    const kept = await server.rest.get(`/devices/observed/resources${path}`);
    assert.equal(kept.status, 200, JSON.stringify(kept.body));
    await replay.wait(
      "a later notified value",
      (event) => isChange(event) && event.id > change.id && !watch.events.some(({ id }) => id === event.id),
      90_000,
    );
    await replay.close();
  });

  describe("nothing acknowledged is lost: a firmware update ends in success although the server is killed", () => {
    const isStep = (event: Json, id: string, state: string): boolean =>
      field(event, "data", "id") === id && field(event, "data", "state") === state;
    let device: Child;
    before(async () => {
      device = await connect("updated", ["--lifetime", "30", "--firmware-version", "1.0.0"]);
    });

    for (const [index, killedAt] of ["preparing", "offering", "downloading", "applying", "rebooting"].entries()) {
      test(`at the step ${killedAt}`, async () => {
        const id = await startUpdate(`2.${index}.0`, 60_000);
        const watch = new EventWatch(server.rest, "?after=0&types=update.changed");
        await watch.wait(`the step ${killedAt}`, (event) => isStep(event.body, id, killedAt), 60_000);
        server.child.kill("SIGKILL");
        await watch.close();
        server = await server.crashAndRestart();
        // The device may have come back to the new process already.
        const finishedAt = field(await updateNow(id), "finishedAt");
        const isOver = typeof finishedAt === "string" && Date.parse(finishedAt) < server.startedAtMs;
        assert.equal(isOver, false, "the kill came before the end");
        await expectSuccess(id, `2.${index}.0`);
      });
    }

    test("when the device has taken the offer and the server has not heard so", async () => {
      const id = await startUpdate("2.9.0", 4_000_000);
      await device.line("the start of the download", (line) => (/ downloading .*$/.test(line) ? line : undefined), 60_000, device.mark);
      server = await server.crashAndRestart();
      await expectSuccess(id, "2.9.0");
    });

    test("in the middle of the download", async () => {
      const sizeBytes = 4_000_000;
      const id = await startUpdate("3.0.0", sizeBytes);
      await eventually("served blocks", patienceMs, async () => {
        const served = Number(field(await updateNow(id), "servedBytes"));
        return served > 0 ? true : undefined;
      });
      server = await server.crashAndRestart();
      const served = Number(field(await updateNow(id), "servedBytes"));
      assert.ok(served < sizeBytes, `the kill came before the end of the download, ${served} of ${sizeBytes} bytes`);
      await expectSuccess(id, "3.0.0");
    });

    async function startUpdate(version: string, sizeBytes: number): Promise<string> {
      const bytes = makePackage("sensor", version, new Uint8Array(sizeBytes).fill(0x55));
      const upload = await server.rest.send("POST", `/packages?name=sensor&version=${version}`, { bytes });
      assert.equal(upload.status, 201, JSON.stringify(upload.body));
      const started = await server.rest.send("POST", "/devices/updated/updates", { body: { packageId: text(upload.body, "id") } });
      assert.equal(started.status, 201, JSON.stringify(started.body));
      return text(started.body, "id");
    }
    async function updateNow(id: string): Promise<Json> {
      return (await server.rest.get(`/updates/${id}`)).body;
    }
    async function expectSuccess(id: string, version: string): Promise<void> {
      const final = await eventually(`the end of update ${id}`, 180_000, async () => {
        const update = await updateNow(id);
        return field(update, "finishedAt") ? update : undefined;
      });
      assert.equal(field(final, "state"), "succeeded", JSON.stringify(final));
      const read = await server.rest.operate("updated", { kind: "read", path: "/3/0/3" });
      assert.equal(field(read.body, "result", "values", 0, "value"), version, JSON.stringify(read.body));
    }
  });
});
