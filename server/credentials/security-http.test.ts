import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { makeOwnKey } from "@lwm2m/protocol/dtls/credentials/own-key";
import { CertificateUsage, serverVerifier } from "@lwm2m/protocol/dtls/credentials/server-verifier";
import { issue, makeTestAuthority, makeTestKey, pemOf } from "@lwm2m/protocol/dtls/testing/test-authority";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import type { Json } from "../storage/collection.ts";
import { at } from "../testing/rest.ts";
import { aDataDirectory, aDtlsClient, aSecuredApp, type SecuredApp } from "../testing/secured-app.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const key = utf8("a key of sixteen");
const psk = { endpoint: "dev-1", kind: "psk", identity: "id-1", key: base64(key) } as const;

async function made(server: SecuredApp, path: string, body: Json): Promise<{ readonly id: string; readonly body: Json }> {
  const reply = await server.ask("POST", path, body);
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  const id = String(at(reply.body, "id"));
  assert.equal(reply.location, `/api/v1${path}/${id}`);
  return { id, body: reply.body };
}

async function refused(server: SecuredApp, method: string, path: string, body?: Json): Promise<readonly [number, unknown]> {
  const reply = await server.ask(method, path, body);
  return [reply.status, at(reply.body, "errors", 0, "pointer")];
}

test("a credential is made, shown without its key, replaced, listed and removed", async (t) => {
  const server = await aSecuredApp(t, await aDataDirectory(t));
  const { id, body } = await made(server, "/credentials", psk);
  const { createdAt, updatedAt, ...shown } = body as { readonly [member: string]: Json };
  assert.equal(createdAt, updatedAt);
  assert.deepEqual(shown, { id, realm: "server", endpoint: "dev-1", kind: "psk", identity: "id-1", identityBase64: base64(utf8("id-1")) });
  assert.deepEqual((await server.ask("GET", `/credentials/${id}`)).body, body);
  const same = await server.ask("PUT", `/credentials/${id}`, psk);
  assert.deepEqual([same.status, same.body], [200, body]);
  const moved = await server.ask("PUT", `/credentials/${id}`, { endpoint: "dev-1", kind: "psk", identityBase64: "/wA=" });
  assert.deepEqual([moved.status, at(moved.body, "identity"), at(moved.body, "identityBase64")], [200, null, "/wA="]);
  assert.equal((await server.ask("DELETE", `/credentials/${id}`)).status, 204);
  for (const method of ["GET", "DELETE"]) assert.equal((await server.ask(method, `/credentials/${id}`)).status, 404);
  assert.equal((await server.ask("PUT", `/credentials/${id}`, psk)).status, 404);
});

test("what cannot be is refused with its pointer, and says nothing of the key", async (t) => {
  const server = await aSecuredApp(t, await aDataDirectory(t));
  const { id } = await made(server, "/credentials", psk);
  const { key: _, ...withoutKey } = psk;
  assert.deepEqual(await refused(server, "POST", "/credentials", psk), [409, "/identity"]);
  assert.deepEqual(await refused(server, "POST", "/credentials", { ...withoutKey, identity: "id-2" }), [400, ""]);
  assert.deepEqual(await refused(server, "POST", "/credentials", { ...psk, key: base64(utf8("too short")) }), [400, "/key"]);
  assert.deepEqual(await refused(server, "POST", "/credentials", { ...psk, kind: "oscore" }), [400, "/kind"]);
  assert.deepEqual(await refused(server, "POST", "/credentials", { ...psk, extra: 1 }), [400, "/extra"]);
  assert.deepEqual(await refused(server, "PUT", `/credentials/${id}`, { ...psk, realm: "bootstrap" }), [409, "/realm"]);
  const rpk = { endpoint: "dev-1", kind: "rpk", publicKey: base64(makeTestKey().publicKey) };
  assert.deepEqual(await refused(server, "PUT", `/credentials/${id}`, rpk), [409, "/kind"]);
  const short = await server.ask("POST", "/credentials", { ...psk, key: base64(utf8("seen-nowhere")) });
  assert.match(String(at(short.body, "detail")), /got 12 bytes, expected at least 16/);
  assert.equal(JSON.stringify(short.body).includes(base64(utf8("seen-nowhere"))), false);
});

test("pages in the order of making, by endpoint name and realm; all of a name go at once", async (t) => {
  const server = await aSecuredApp(t, await aDataDirectory(t));
  for (const name of ["a", "b", "c"]) await made(server, "/credentials", { ...psk, endpoint: name, identity: name });
  for (const [index, realm] of ["server", "server", "bootstrap"].entries())
    await made(server, "/credentials", { ...psk, endpoint: "many", identity: `many-${index}`, realm });
  const names: unknown[] = [];
  for (let after: unknown = ""; after !== null; ) {
    const { body } = await server.ask("GET", `/credentials?limit=2&after=${String(after)}`);
    const items = at(body, "items");
    names.push(...(Array.isArray(items) ? items : []).map((item: Json) => at(item, "endpoint")));
    after = at(body, "next") ?? null;
  }
  assert.deepEqual(names, ["a", "b", "c", "many", "many", "many"]);
  const listed = async (query: string) => (at((await server.ask("GET", `/credentials?${query}`)).body, "items") as readonly Json[]).length;
  assert.deepEqual(
    [await listed("endpoint=many"), await listed("endpoint=many&realm=bootstrap"), await listed("endpoint=none")],
    [3, 1, 0],
  );
  assert.deepEqual((await server.ask("DELETE", "/credentials?endpoint=many&realm=server")).body, { removed: 2 });
  assert.equal(await listed("endpoint=many"), 1);
  assert.equal((await server.ask("DELETE", "/credentials")).status, 400);
});

test("PSK: a made credential opens the secured door of its realm; its removal ends the connection", async (t) => {
  const server = await aSecuredApp(t, await aDataDirectory(t));
  const client = await aDtlsClient(t);
  const credentials = { psk: { identity: utf8("id-1"), key } };
  const { id } = await made(server, "/credentials", psk);
  await client.connect(server.app.coapsPort, credentials);
  const ended = client.closed();
  assert.equal((await server.ask("DELETE", `/credentials/${id}`)).status, 204);
  assert.ok(["close-notify", "alert"].includes(await ended));
});

test("RFC 7250 and X.509 work from the first start on, with the key and certificate that the API shows", async (t) => {
  const directory = await aDataDirectory(t);
  const server = await aSecuredApp(t, directory);
  const identities = (await server.ask("GET", "/server-identities")).body;
  assert.deepEqual(
    [at(identities, "items", 0, "realm"), at(identities, "items", 1, "realm"), at(identities, "items", 0, "serverName")],
    ["server", "bootstrap", null],
  );
  const publicKey = new Uint8Array(Buffer.from(String(at(identities, "items", 0, "publicKey")), "base64"));
  const certificate = new Uint8Array(Buffer.from(String(at(identities, "items", 0, "chain", 0)), "base64"));
  const root = makeTestAuthority("root");
  const device = issue(root, { commonName: "dev-2" });
  await made(server, "/credentials", { endpoint: "dev-1", kind: "rpk", publicKey: pemOf("PUBLIC KEY", device.publicKey) });
  await made(server, "/trust-anchors", { certificate: pemOf("CERTIFICATE", root.certificate), endpointFrom: "commonName", prefix: "dev-" });
  const now = () => systemClock.now();
  const byKey = await aDtlsClient(t);
  await byKey.connect(server.app.coapsPort, {
    own: makeOwnKey(device.privateKey),
    verifyServer: serverVerifier({ reference: publicKey, now }),
  });
  const byCertificate = await aDtlsClient(t);
  const verifyServer = serverVerifier({ reference: certificate, usage: CertificateUsage.domainIssued, now });
  await byCertificate.connect(server.app.coapsPort, { own: makeOwnKey(device.privateKey, device.chain), verifyServer });
});

test("an own key and chain take the place of what was made; a chain of another key is refused", async (t) => {
  const directory = await aDataDirectory(t);
  const server = await aSecuredApp(t, directory);
  const id = String(at((await server.ask("GET", "/server-identities")).body, "items", 0, "id"));
  const authority = makeTestAuthority("operator");
  const mine = issue(authority, { commonName: "lwm2m.example", dnsNames: ["lwm2m.example"] });
  const privateKey = mine.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const chain = pemOf("CERTIFICATE", mine.certificate);
  assert.deepEqual(await refused(server, "PUT", `/server-identities/${id}`, { chain }), [400, "/chain"]);
  const other = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  assert.deepEqual(await refused(server, "PUT", `/server-identities/${id}`, { chain, privateKey: other }), [400, "/chain"]);
  const replaced = await server.ask("PUT", `/server-identities/${id}`, { chain, privateKey });
  assert.deepEqual([replaced.status, at(replaced.body, "generated"), at(replaced.body, "publicKey")], [200, false, base64(mine.publicKey)]);
  assert.deepEqual((await server.ask("PUT", `/server-identities/${id}`, { chain, privateKey })).body, replaced.body);
  assert.deepEqual((await server.ask("PUT", `/server-identities/${id}`, { chain })).body, replaced.body);
  assert.equal((await server.ask("DELETE", `/server-identities/${id}`)).status, 409);
  const named = await made(server, "/server-identities", { serverName: "A.example", realm: "bootstrap" });
  assert.equal(at(named.body, "serverName"), "a.example");
  assert.deepEqual(await refused(server, "POST", "/server-identities", { serverName: "a.EXAMPLE", realm: "bootstrap" }), [
    409,
    "/serverName",
  ]);
  assert.deepEqual(await refused(server, "POST", "/server-identities", { serverName: "no name" }), [400, "/serverName"]);
  await server.close();
  const again = await aSecuredApp(t, directory);
  assert.deepEqual((await again.ask("GET", `/server-identities/${id}`)).body, replaced.body);
  assert.equal((await again.ask("DELETE", `/server-identities/${named.id}`)).status, 204);
});

test("trust anchors are made, replaced and removed; the rule is named", async (t) => {
  const server = await aSecuredApp(t, await aDataDirectory(t));
  const certificate = base64(makeTestAuthority("root").certificate);
  const { id, body } = await made(server, "/trust-anchors", { certificate, endpointFrom: "uri" });
  assert.deepEqual([at(body, "endpointFrom"), at(body, "prefix"), at(body, "commonName")], ["uri", "", "root"]);
  assert.deepEqual(await refused(server, "POST", "/trust-anchors", { certificate, endpointFrom: "dnsName" }), [409, "/certificate"]);
  assert.deepEqual(await refused(server, "POST", "/trust-anchors", { certificate: "AAAA", endpointFrom: "uri" }), [400, "/certificate"]);
  assert.deepEqual(await refused(server, "POST", "/trust-anchors", { certificate }), [400, "/endpointFrom"]);
  const changed = await server.ask("PUT", `/trust-anchors/${id}?dropConnections=false`, {
    certificate,
    endpointFrom: "uri",
    prefix: "urn:dev:",
  });
  assert.deepEqual([changed.status, at(changed.body, "prefix")], [200, "urn:dev:"]);
  assert.equal((await server.ask("DELETE", `/trust-anchors/${id}`)).status, 204);
  assert.equal((await server.ask("GET", `/trust-anchors/${id}`)).status, 404);
});

test("credentials outlive the deletion of their device: its name stays closed to strangers", async (t) => {
  const server = await aSecuredApp(t, await aDataDirectory(t));
  const { id } = await made(server, "/credentials", psk);
  assert.equal((await server.ask("DELETE", "/devices/dev-1")).status, 404);
  assert.equal((await server.ask("GET", `/credentials/${id}`)).status, 200);
});
