/** The secured doors of the server as it runs: real sockets, real files, and a process that is killed. */
import assert from "node:assert/strict";
import { readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { stablePort } from "../testing/platform/stable-port.ts";
import { aDataDirectory, aDtlsClient, aSecuredApp } from "../testing/secured-app.ts";
import { aDevice, aProcess, aRegister, aSend, codeOf, doorPorts, json, ownKey, psk, until } from "./secured-doors-fixture.ts";

test("kill -9 and restart: a connected device goes on with its next message, without a handshake, and is called at its connection", async (t) => {
  const directory = await aDataDirectory(t);
  const device = await aDevice(t, {
    code: ResponseCode.content,
    contentFormat: ContentFormat.senmlJson,
    payload: json([{ n: "/3/0/9", v: 5 }]),
  });
  const ports = await doorPorts();
  let server = await aProcess(t, directory, ports);
  const credential = {
    realm: "server",
    kind: "psk",
    endpoint: "dev-1",
    identity: psk.identity,
    key: Buffer.from(psk.key).toString("base64"),
  };
  assert.equal((await server.ask("POST", "/credentials", credential)).status, 201);
  const ask = await device.connect(ports["coaps"] ?? 0);
  assert.equal(codeOf(await ask(aRegister)), "2.01");
  for (const signal of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
    assert.equal(codeOf(await ask(aSend(1))), "2.04");
    // In the air while the process ends; the device repeats it until it is answered.
    const inTheAir = ask(aSend(2));
    await server.end(signal);
    server = await aProcess(t, directory, ports);
    assert.equal(codeOf(await inTheAir), "2.04", signal);
    const operation = await server.ask("POST", "/devices/dev-1/operations", { kind: "read", path: "/3/0/9" });
    assert.equal(operation.body["status"], "succeeded", JSON.stringify(operation.body));
    const { body } = await server.ask("GET", "/devices/dev-1");
    assert.deepEqual([body["connected"], body["awake"]], [true, true]);
  }
  assert.equal(device.handshakes, 1);
  await server.end("SIGTERM");
});

test("a credential removed while connections slept in the journal: after the start its connection is dropped, its registration marked", async (t) => {
  const directory = await aDataDirectory(t);
  const ports = { COAPS_PORT: String(await stablePort("udp")) };
  const start = () => aSecuredApp(t, directory, ports);
  let server = await start();
  const devices = [];
  for (const [endpoint, identity] of [
    ["dev-1", psk.identity],
    ["dev-2", "other"],
  ] as const) {
    const credential = { realm: "server", kind: "psk", endpoint, identity, key: Buffer.from(psk.key).toString("base64") };
    const { location, status } = await server.ask("POST", "/credentials", credential);
    assert.equal(status, 201);
    const client = await aDtlsClient(t);
    const coap = openCoapEndpoint({ socket: client.endpoint.plaintext, clock: systemClock, random: systemRandom });
    t.after(() => coap.close());
    const own = { psk: { identity: Buffer.from(identity), key: Buffer.from(psk.key) } };
    const peer = coap.peerAt(await client.connect(server.app.coapsPort, own));
    assert.equal(codeOf(await coap.request(peer, { ...aRegister, query: [`ep=${endpoint}`, "lt=3600", "lwm2m=1.1"] })), "2.01");
    devices.push({ client, location, send: () => coap.request(peer, aSend(1), { timeoutMs: 60_000 }) });
  }
  const [one, two] = devices;
  assert.ok(one !== undefined && two !== undefined);
  await server.close();
  // The journal as a kill between the removal and its entry would leave it.
  await rename(join(directory, "dtls"), join(directory, "kept"));
  server = await start();
  assert.equal((await server.ask("DELETE", one.location.replace(/^.*\/api\/v1/, ""))).status, 204);
  await server.close();
  await rm(join(directory, "dtls"), { recursive: true });
  await rename(join(directory, "kept"), join(directory, "dtls"));
  server = await start();
  assert.equal(await one.client.closed(), "alert");
  assert.equal(codeOf(await two.send()), "2.04");
  assert.ok(server.lines.some((line) => line.includes("removed before the start")));
  const barred = async (endpoint: string): Promise<boolean> =>
    !JSON.stringify((await server.ask("GET", `/devices/${endpoint}`)).body).includes('"barredAt":null');
  assert.deepEqual([await barred("dev-1"), await barred("dev-2")], [true, false]);
});

test("LwM2M Core 1.1 §6.1.7.1: bootstrap over DTLS, by name or by credential; the same name without DTLS is refused", async (t) => {
  const server = await aSecuredApp(t, await aDataDirectory(t));
  const account = {
    serverUri: "coaps://127.0.0.1:5684",
    mode: "psk",
    identity: "x",
    secretKey: "AAECAwQFBgcICQoLDA0ODw==",
    shortServerId: 1,
  };
  const config = { security: [account], servers: [{ shortServerId: 1, lifetimeSeconds: 300 }] };
  assert.equal((await server.ask("PUT", "/bootstrap/configs/dev-1", config)).status < 300, true);
  const credential = {
    realm: "bootstrap",
    kind: "psk",
    endpoint: "dev-1",
    identity: psk.identity,
    key: Buffer.from(psk.key).toString("base64"),
  };
  assert.equal((await server.ask("POST", "/credentials", credential)).status, 201);
  const device = await aDevice(t);
  const ask = await device.connect(server.app.bootstrapCoapsPort);
  const codes = [];
  for (const query of [["ep=dev-2"], ["ep=dev-1"]]) codes.push(codeOf(await ask({ method: Method.post, path: ["bs"], query })));
  assert.deepEqual(codes, ["4.00", "2.04"]);
  await until(() => device.asked.some((line) => line === "2 /bs"));
  assert.equal(codeOf(await ask({ method: Method.post, path: ["bs"] })), "2.04");
  const plain = openCoapEndpoint({
    socket: await openUdpSocket({ address: "127.0.0.1", port: 0 }),
    clock: systemClock,
    random: systemRandom,
  });
  t.after(() => plain.close());
  const door = plain.peerAt({ address: "127.0.0.1", port: server.app.bootstrapCoapPort });
  assert.equal(codeOf(await plain.request(door, { method: Method.post, path: ["bs"], query: ["ep=dev-1"] })), "4.00");
  const mismatches = server.lines.filter((line) => line.includes("do not match"));
  assert.deepEqual(
    mismatches.map((line) => JSON.parse(line)).map(({ realm, reason }) => `${realm} ${reason}`),
    ["bootstrap other-endpoint", "bootstrap unsecured"],
  );
  const { body } = await server.ask("GET", "/doors");
  const seen = JSON.parse(JSON.stringify(body));
  assert.deepEqual(
    seen.doors.map(({ door, port }: { door: string; port: number }) => [door, port]),
    [
      ["coaps", server.app.coapsPort],
      ["bootstrap-coaps", server.app.bootstrapCoapsPort],
    ],
  );
  assert.equal(seen.doors[1].counters.connected, 1);
  assert.deepEqual(
    seen.messages.map(({ door, counters }: { door: string; counters: { requests: number } }) => [door, counters.requests > 0]),
    [
      ["coap", false],
      ["bootstrap-coap", true],
    ],
  );
  assert.deepEqual(seen.identityMismatches, { "other-endpoint": 1, "unknown-identity": 0, unsecured: 1, unnamed: 0 });
  // The bootstrap credential opens no other door.
  assert.equal(await device.isLetIn(server.app.coapsPort), false);
});

test("RFC 9146 §4: every connection id given to a device begins with DTLS_CID_OWNER", async (t) => {
  const server = await aSecuredApp(t, await aDataDirectory(t), { DTLS_CID_OWNER: "66", DTLS_CID_BYTES: "4" });
  const credential = { kind: "psk", endpoint: "dev-1", identity: psk.identity, key: Buffer.from(psk.key).toString("base64") };
  assert.equal((await server.ask("POST", "/credentials", credential)).status, 201);
  const client = await aDtlsClient(t);
  const peer = await client.connect(server.app.coapsPort, ownKey);
  client.endpoint.plaintext.send(Uint8Array.of(0x40, 0, 0, 1), peer);
  // The id stands behind type, version, epoch and sequence number (RFC 9146 §4).
  const ids = client.sent.filter(([type]) => type === 25).map((record) => record.subarray(11, 15));
  assert.deepEqual([ids.length > 0, new Set(ids.map(([owner]) => owner))], [true, new Set([66])]);
});

test("a key log is made only when it is asked for, loudly, and nobody else can read it", async (t) => {
  const directory = await aDataDirectory(t);
  const file = join(directory, "keys.log");
  const server = await aSecuredApp(t, directory, { DTLS_KEY_LOG_FILE: file });
  const credential = {
    realm: "server",
    kind: "psk",
    endpoint: "dev-1",
    identity: psk.identity,
    key: Buffer.from(psk.key).toString("base64"),
  };
  await server.ask("POST", "/credentials", credential);
  const device = await aDevice(t);
  const ask = await device.connect(server.app.coapsPort);
  assert.equal(codeOf(await ask(aRegister)), "2.01");
  await server.close();
  assert.match(await readFile(file, "utf8"), /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}\n$/i);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal(server.lines.filter((line) => line.includes('"level":"warn"') && line.includes("DTLS_KEY_LOG_FILE IS SET")).length, 1);
});
