import assert from "node:assert/strict";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { App } from "./app.ts";
import { bodyOf, json, problemOf } from "./http/door-fixture.ts";
import { aDevice, anApp, aRawPeer, key, register } from "./testing/plain-app.ts";
import { aDataDirectory } from "./testing/secured-app.ts";

test("a device that registered is read over REST; every address of the document that needs no more answers", async (t) => {
  const { app, ask, assertNoFaults } = await anApp(t, await aDataDirectory(t));
  const asked: string[] = [];
  const send = await aDevice(t, app.coapPort, ({ path }) => {
    asked.push(path.join("/"));
    return { code: ResponseCode.content, payload: "ACME" };
  });
  const registered = await send(register("urn:dev:app:1"));
  assert.deepEqual([registered.code, registered.locationPath[0]], [ResponseCode.created, "rd"]);

  const read = await ask("/devices/urn:dev:app:1/operations", { method: "POST", ...json({ kind: "read", path: "device/0/manufacturer" }) });
  const operation = await bodyOf(read);
  assert.deepEqual([read.status, operation.status, operation.result.values[0].value, asked], [200, "succeeded", "ACME", ["3/0/0"]]);
  const value = await bodyOf(await ask("/devices/urn:dev:app:1/resources/3/0/0"));
  assert.deepEqual([value.value, value.source], ["ACME", "read"]);

  const device = await bodyOf(await ask("/devices/urn:dev:app:1"));
  assert.deepEqual([device.awake, device.waitingOperations, device.knownValues], [true, 0, 1]);

  const document = await bodyOf(await ask("/openapi.json"));
  for (const [path, methods] of Object.entries<{ get?: { parameters?: { in: string; required: boolean }[] } }>(document.paths)) {
    if (methods.get === undefined || methods.get.parameters?.some((parameter) => parameter.in === "query" && parameter.required)) continue;
    const address = path.replace("{endpoint}", "urn:dev:app:1").replace("{id}", operation.id).replace("{path}", "3/0/0");
    const response = await fetch(app.httpOrigin + address, { headers: { authorization: `Bearer ${key}` } });
    // 502 is the device's doing: it answers everything with one text.
    assert.notEqual(response.status, 500, `${address}: ${await response.text()}`);
  }

  assert.equal((await ask("/devices/urn:dev:app:1", { method: "DELETE" })).status, 204);
  await problemOf(await ask("/devices/urn:dev:app:1"), 404, "device-unknown");
  const [location, id] = registered.locationPath;
  const forgotten = await send({ method: Method.post, path: [location ?? "", id ?? ""] });
  assert.equal(forgotten.code, ResponseCode.notFound);
  assertNoFaults();
});

test("what was acknowledged is there after a restart, and a device whose window was open is asked at once", async (t) => {
  const directory = await aDataDirectory(t);
  const first = await anApp(t, directory);
  const send = await aDevice(t, first.app.coapPort, () => ({ code: ResponseCode.content, payload: "ACME" }));
  const { locationPath } = await send({ ...register("sleeper"), query: ["ep=sleeper", "lt=300", "lwm2m=1.0", "b=UQ"] });
  await first.app.close();

  const second = await anApp(t, directory);
  const body = json({ kind: "read", path: "/3/0/0" });
  const asked = await second.ask("/devices/sleeper/operations", { method: "POST", ...body });
  assert.deepEqual([asked.status, (await bodyOf(asked)).status], [200, "succeeded"]);
  const elsewhere = await aDevice(t, second.app.coapPort, () => ({ code: ResponseCode.content, payload: "ACME" }));
  assert.equal((await elsewhere({ method: Method.post, path: locationPath })).code, ResponseCode.changed);
  second.assertNoFaults();
});

test("LwM2M Core 1.1 §6.1.7: a configuration set over REST reaches the device at the bootstrap door; its secret is not shown again", async (t) => {
  const { app, ask, assertNoFaults } = await anApp(t, await aDataDirectory(t));
  const account = { serverUri: "coaps://192.0.2.1", mode: "psk", identity: "me", secretKey: "AQIDBAUGBwg=", shortServerId: 101 };
  const config = { security: [{ ...account, instanceId: 1 }], servers: [{ shortServerId: 101, lifetimeSeconds: 300, instanceId: 1 }] };
  const bad = { ...config, security: [{ ...account, mode: "noSec" }] };
  const { errors } = await problemOf(await ask("/bootstrap/configs/dev1", { method: "PUT", ...json(bad) }), 400, "bad-request");
  assert.equal(errors[0].pointer, "/security/0/serverUri");
  assert.equal((await ask("/bootstrap/configs/dev1", { method: "PUT", ...json(config) })).status, 201);
  assert.equal((await ask("/bootstrap/configs/dev1", { method: "PUT", ...json(config) })).status, 200);
  for (const path of ["/bootstrap/configs/dev1", "/bootstrap/configs"]) {
    const text = await (await ask(path)).text();
    assert.ok(text.includes("192.0.2.1") && !text.includes(account.secretKey), text);
  }

  const written: string[] = [];
  let finish = (): void => {};
  const isFinished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const send = await aDevice(t, app.bootstrapCoapPort, ({ method, path, payload }) => {
    written.push(`${method === Method.delete ? "delete" : method === Method.put ? "write" : "other"} /${path.join("/")}`);
    if (path[0] === "0" && method === Method.put) assert.ok(Buffer.from(payload).includes(Buffer.from(account.secretKey, "base64")));
    if (path[0] === "bs") finish();
    return { code: method === Method.delete ? ResponseCode.deleted : ResponseCode.changed };
  });
  const bootstrap = (name: string) => send({ method: Method.post, path: ["bs"], query: [`ep=${name}`] });
  assert.equal((await bootstrap("stranger")).code, ResponseCode.badRequest);
  assert.equal((await bootstrap("dev1")).code, ResponseCode.changed);
  await isFinished;
  assert.deepEqual(written, ["delete /0", "delete /1", "write /0/1", "write /1/1", "other /bs"]);
  let types: string[] = [];
  while (!types.includes("bootstrap.finished")) {
    types = (await bodyOf(await ask("/events?subject=dev1"))).items.map(({ type }: { type: string }) => type);
  }
  assert.deepEqual(types, ["bootstrap.started", "bootstrap.finished"]);

  assert.equal((await ask("/bootstrap/configs/dev1", { method: "DELETE" })).status, 204);
  await problemOf(await ask("/bootstrap/configs/dev1"), 404, "not-found");
  assertNoFaults();
});

test("STYLE §1.12: a server that was closed holds nothing: the same directory and ports open again", async (t) => {
  const directory = await aDataDirectory(t);
  const { app } = await anApp(t, directory);
  await app.close();
  const again: { app: App } = await anApp(t, directory);
  assert.equal((await fetch(`${again.app.httpOrigin}/health/ready`)).status, 200);
});

test("RFC 9175 §2.3: with COAP_ECHO=registration a Register from an address nobody knows repeats a value first; an Update does not", async (t) => {
  const { app, ask, assertNoFaults } = await anApp(t, await aDataDirectory(t), { COAP_ECHO: "registration" });
  const { port, heard, say } = await aRawPeer(t, app.coapPort);
  assert.ok(port > 0);
  // CON POST /rd?ep=raw&lt=60&lwm2m=1.0&b=U with a payload, by hand.
  const options = "b27264" + "1128" + "3665703d726177" + "056c743d3630" + "096c776d326d3d312e30" + "03623d55" + "ff3c2f332f303e";
  const [challenge = ""] = await say(`41020001aa${options}`);
  assert.match(challenge, /^61810001aa/);
  const echo = challenge.slice(-16);
  assert.equal((await ask("/devices/raw")).status, 404);
  const withEcho = options.replace("ff3c2f", `d8e0${echo}ff3c2f`);
  const [created = ""] = await say(`41020002ab${withEcho}`);
  assert.match(created, /^61410002ab/);
  assert.equal((await ask("/devices/raw")).status, 200);
  assert.equal(heard.length, 2);
  assertNoFaults();
});

test("COAP_HOST=:: hears devices of both families; a device has one address, dotted for IPv4", async (t) => {
  const { app, ask, assertNoFaults } = await anApp(t, await aDataDirectory(t), { COAP_HOST: "::" });
  for (const [address, name] of [
    ["127.0.0.1", "four"],
    ["::1", "six"],
  ] as const) {
    const send = await aDevice(t, app.coapPort, () => ({ code: ResponseCode.content, payload: name }), address);
    assert.equal((await send(register(name))).code, ResponseCode.created);
    const operation = { method: "POST", ...json({ kind: "read", path: "device/0/manufacturer" }) };
    const read = await bodyOf(await ask(`/devices/${name}/operations`, operation));
    assert.deepEqual([read["status"], read["coapCode"]], ["succeeded", "2.05"], JSON.stringify(read));
    const registration = await bodyOf(await ask(`/devices/${name}/registration`));
    assert.equal(Reflect.get(Object(registration["address"]), "address"), address);
  }
  assertNoFaults();
});

test("COAP_TRACE=all: a bootstrap session is shown without the keys it hands out", async (t) => {
  const { app, ask, assertNoFaults } = await anApp(t, await aDataDirectory(t), { COAP_TRACE: "all" });
  const secretKey = Buffer.from("a-key-of-the-device").toString("base64");
  const account = { serverUri: "coaps://192.0.2.7:5684", mode: "psk", identity: "id-of-dev-9", secretKey, shortServerId: 1, instanceId: 1 };
  const config = { security: [account], servers: [{ shortServerId: 1, lifetimeSeconds: 300, binding: "U", instanceId: 0 }] };
  assert.equal((await ask("/bootstrap/configs/dev-9", { method: "PUT", ...json(config) })).status, 201);
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const send = await aDevice(t, app.bootstrapCoapPort, ({ method, path }) => {
    if (path[0] === "bs") finish();
    return { code: method === Method.delete ? ResponseCode.deleted : ResponseCode.changed };
  });
  assert.equal((await send({ method: Method.post, path: ["bs"], query: ["ep=dev-9"] })).code, ResponseCode.changed);
  await finished;
  const trace = await bodyOf(await ask("/devices/dev-9/trace"));
  const items = trace["items"];
  assert.ok(Array.isArray(items));
  const shown = JSON.stringify(items);
  assert.match(shown, /"door":"bootstrap-coap"/);
  assert.match(shown, /"path":"\/0\/1\/5","name":"[^"]*","type":"opaque","hidden":/);
  assert.match(shown, /"path":"\/1\/0\/1","name":"[^"]*","type":"integer","value":300/);
  for (const secret of [secretKey, "a-key-of-the-device", Buffer.from("a-key-of").toString("hex"), "id-of-dev-9"]) {
    assert.equal(shown.includes(secret), false, secret);
  }
  assertNoFaults();
});

test("RFC 8516 §3: COAP_PEER_RATE and COAP_PEER_BURST bound what one address may ask: 4.29 with Max-Age", async (t) => {
  const { app, assertNoFaults } = await anApp(t, await aDataDirectory(t), { COAP_PEER_RATE: "1", COAP_PEER_BURST: "2" });
  const { say } = await aRawPeer(t, app.coapPort);
  assert.deepEqual(await say("40010001b178"), ["60840001"]);
  assert.deepEqual(await say("40010002b178"), ["60840002"]);
  assert.deepEqual(await say("40010003b178"), ["609d0003d1010a"]);
  assertNoFaults();
});

test("a receive buffer the system does not give is one warning per door, and the server runs", async (t) => {
  const { lines } = await anApp(t, await aDataDirectory(t), { COAP_RECEIVE_BUFFER_BYTES: String(1_073_741_824) });
  const warnings = lines.filter((line) => line.includes("net.core.rmem_max"));
  assert.equal(warnings.length, 4);
  assert.match(warnings[0] ?? "", /"door":"coap".*"level":"warn"/);
});
