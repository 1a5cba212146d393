/** Our bootstrap server, as a process of its own, sends foreign clients and our emulated device to a foreign LwM2M server. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { Child } from "./platform/child.ts";
import { startDevice } from "./platform/device-process.ts";
import { LeshanServer, startLeshanClient } from "./platform/leshan.ts";
import { bootstrapMain, removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { field, type Json } from "./platform/rest-client.ts";
import { listeningPort, startServer } from "./platform/server-process.ts";
import { interopSuite } from "./platform/suite.ts";

const lifetimeSeconds = 432;

interopSuite("the bootstrap server against Leshan", ["leshan-1", "leshan-2", "leshan-server"], () => {
  let leshan: LeshanServer;
  let bootstrap: Child;
  let directory: string;
  let uri: string;

  before(async () => {
    directory = await temporaryDirectory();
    leshan = await LeshanServer.start();
    const config = {
      security: [{ serverUri: `coap://127.0.0.1:${leshan.port}`, mode: "noSec", shortServerId: 7 }],
      servers: [{ shortServerId: 7, lifetimeSeconds, binding: "U" }],
    };
    const file = join(directory, "bootstrap.json");
    await writeFile(file, JSON.stringify({ "bootstrapped-1": config, "bootstrapped-2": config, "bootstrapped-device": config }));
    bootstrap = new Child("bootstrap", process.execPath, [bootstrapMain, "--config", file], {
      env: { COAP_HOST: "127.0.0.1", BOOTSTRAP_COAP_PORT: "0" },
    });
    uri = `coap://127.0.0.1:${await listeningPort(bootstrap, "bootstrap-coap")}`;
  });
  after(async () => {
    await bootstrap?.stop();
    await leshan?.child.stop();
    await removeDirectory(directory);
  });

  /** The registration the Leshan server sees. */
  async function registered(endpoint: string): Promise<Json> {
    const line = await leshan.child.line(`registration of ${endpoint}`, (each) => (each.includes(`"${endpoint}"`) ? each : undefined));
    return JSON.parse(line) as Json;
  }

  for (const [name, release] of [
    ["leshan-1", "1.0"],
    ["leshan-2", "1.1"],
  ] as const) {
    test(`LwM2M Core 1.1 §6.1.3: ${name} (LwM2M ${release}) is bootstrapped and registers as told`, async () => {
      const endpoint = name.replace("leshan", "bootstrapped");
      const client = startLeshanClient(name, { bootstrap: uri, endpoint });
      try {
        await client.says("bootstrapped");
        await client.says("registered ");
        const registration = await registered(endpoint);
        assert.equal(field(registration, "lifetime"), lifetimeSeconds);
        assert.equal(field(registration, "lwm2m"), release);
      } finally {
        await client.stop();
      }
    });
  }

  test("LwM2M Core 1.1 §6.1.3: the emulated device is bootstrapped and registers as told", async () => {
    const device = startDevice(undefined, "bootstrapped-device", ["--bootstrap", uri]);
    try {
      assert.equal(field(await registered("bootstrapped-device"), "lifetime"), lifetimeSeconds);
    } finally {
      await device.stop();
    }
  });

  test("LwM2M Core 1.1 §6.1.3: the server's own bootstrap door sends a client to its LwM2M door, as configured over REST", async () => {
    const server = await startServer();
    const client = startLeshanClient("leshan-2", {
      bootstrap: `coap://127.0.0.1:${server.ports["bootstrap-coap"]}`,
      endpoint: "both-doors",
    });
    try {
      await client.says("bootstrap-failed");
      const config = {
        security: [{ serverUri: server.coap, mode: "noSec", shortServerId: 1 }],
        servers: [{ shortServerId: 1, lifetimeSeconds, binding: "U" }],
      };
      const put = await server.rest.send("PUT", "/bootstrap/configs/both-doors", { body: config });
      assert.equal(put.status, 201, JSON.stringify(put.body));
      const again = startLeshanClient("leshan-2", {
        bootstrap: `coap://127.0.0.1:${server.ports["bootstrap-coap"]}`,
        endpoint: "both-doors",
      });
      try {
        await again.says("registered ");
        const { body } = await server.rest.get("/devices/both-doors");
        assert.equal(field(body, "registration", "lifetimeSeconds"), lifetimeSeconds);
      } finally {
        await again.stop();
      }
    } finally {
      await client.stop();
      await server.dispose();
    }
  });

  test("LwM2M Core 1.1 §6.1.7.1: a device without a configuration is refused", async () => {
    const client = startLeshanClient("leshan-2", { bootstrap: uri, endpoint: "stranger" });
    try {
      assert.match(await client.says("bootstrap-failed"), /BAD_REQUEST|400/);
    } finally {
      await client.stop();
    }
  });
});
