import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { issue, makeTestAuthority, pemOf } from "@lwm2m/protocol/dtls/testing/test-authority";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import type { CollectionDefinition, Json, StoredDocument } from "../storage/collection.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { at } from "../testing/rest.ts";
import { aDataDirectory, aSecuredApp, type SecuredApp } from "../testing/secured-app.ts";

/** Recognisable anywhere, in whatever form. */
const secretOf = (name: string): Buffer => Buffer.from(`SECRET-${name}-do-not-show-me-0123456789`);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** As bytes, and every text they could have been written as; of base64 what does not depend on the position in a longer one. */
function formsOf(secret: Buffer): readonly Buffer[] {
  const middle = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), secret])
      .toString("base64")
      .slice(4, -8),
  );
  const texts = [...middle, ...middle.map((text) => text.replaceAll("+", "-").replaceAll("/", "_"))];
  const hex = secret.toString("hex");
  return [secret, ...[...texts, hex, hex.toUpperCase(), JSON.stringify([...secret]).slice(1, -1)].map((text) => Buffer.from(text))];
}

function assertAbsent(place: string, content: Buffer, secrets: readonly Buffer[]): void {
  for (const secret of secrets) {
    for (const form of formsOf(secret)) assert.equal(content.includes(form), false, `${place} holds ${form.toString("latin1")}`);
  }
}

async function assertNotOnDisk(directory: string, secrets: readonly Buffer[]): Promise<void> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  assert.ok(files.some(({ name }) => name === "store.db"));
  for (const file of files.filter((entry) => entry.isFile())) {
    const path = join(file.parentPath, file.name);
    assertAbsent(path, await readFile(path), secrets);
  }
}

const configWith = (secret: Buffer, padding = ""): { readonly [member: string]: Json } => ({
  security: [
    {
      serverUri: "coaps://lwm2m.example:5684",
      mode: "psk",
      identity: "dev-1",
      secretKey: base64(secret),
      shortServerId: 1,
      ...(padding === "" ? {} : { serverName: padding }),
    },
  ],
  servers: [{ shortServerId: 1, lifetimeSeconds: 300 }],
});

/** Every GET address without parameters, and those of what was made. */
async function assertNotShown(server: SecuredApp, more: readonly string[], secrets: readonly Buffer[]): Promise<void> {
  const document = (await server.ask("GET", "/openapi.json")).body;
  const paths = Object.entries(Object(at(document, "paths")));
  const plain = paths.flatMap(([path, methods]) =>
    Reflect.has(Object(methods), "get") && !path.includes("{") ? [path.replace("/api/v1", "")] : [],
  );
  assert.ok(plain.includes("/credentials") && plain.includes("/events"), plain.join(" "));
  for (const path of [...plain, ...more]) {
    const { body } = await server.ask("GET", path);
    assertAbsent(`GET ${path}`, Buffer.from(JSON.stringify(body)), secrets);
  }
}

/** A device by hand that takes whatever a bootstrap server writes; resolves with the payloads it got. */
async function bootstrapped(port: number): Promise<Buffer> {
  const socket = await openUdpSocket({ address: "127.0.0.1", port: 0 });
  const endpoint = openCoapEndpoint({ socket, clock: systemClock, random: systemRandom });
  const got: Uint8Array[] = [];
  const finished = new Promise<void>((resolve) => {
    endpoint.handle((request) => {
      got.push(Uint8Array.from(request.payload));
      if (request.method === Method.delete) return { code: ResponseCode.deleted };
      if (request.method === Method.post) resolve();
      return { code: ResponseCode.changed };
    });
  });
  const outcome = await endpoint.request(endpoint.peerAt({ address: "127.0.0.1", port }), {
    method: Method.post,
    path: ["bs"],
    query: ["ep=dev-1"],
  });
  assert.ok(outcome.ok);
  await finished;
  await endpoint.close();
  return Buffer.concat(got);
}

test("a secret that came in by any door is in no file, no log line, no reply, no event and no trace", async (t) => {
  const directory = await aDataDirectory(t);
  const server = await aSecuredApp(t, directory);
  const [psk, formerPsk, bootstrapPsk, configKey, shortPsk] = ["psk", "former", "bs", "config", "s"].map(secretOf) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const own = issue(makeTestAuthority("operator"), { commonName: "lwm2m.example" });
  const privateScalar = Buffer.from(String(own.privateKey.export({ format: "jwk" }).d), "base64url");
  const secrets = [psk, formerPsk, bootstrapPsk, configKey, shortPsk, privateScalar];

  const made = await server.ask("POST", "/credentials", { endpoint: "dev-1", kind: "psk", identity: "id-1", key: base64(formerPsk) });
  const id = String(at(made.body, "id"));
  const replies = [
    made,
    await server.ask("PUT", `/credentials/${id}`, { endpoint: "dev-1", kind: "psk", identity: "id-1", keyHex: psk.toString("hex") }),
    await server.ask("POST", "/credentials", {
      endpoint: "dev-1",
      kind: "psk",
      identity: "id-1",
      key: base64(bootstrapPsk),
      realm: "bootstrap",
    }),
    await server.ask("PUT", "/bootstrap/configs/dev-1", configWith(configKey)),
    await server.ask("POST", "/server-identities", {
      serverName: "lwm2m.example",
      privateKey: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      chain: pemOf("CERTIFICATE", own.certificate),
    }),
  ];
  assert.deepEqual(
    replies.map(({ status }) => status),
    [201, 200, 201, 201, 201],
  );
  const refusals = [
    await server.ask("POST", "/credentials", { endpoint: "dev-1", kind: "psk", identity: "id-1", key: base64(shortPsk) }),
    await server.ask("POST", "/credentials", { endpoint: "dev-2", kind: "psk", identity: "id-2", key: shortPsk.toString() }),
    await server.ask("POST", "/credentials", { endpoint: "dev-2", kind: "rpk", publicKey: base64(shortPsk) }),
    await server.ask("POST", "/server-identities", { serverName: "b.example", privateKey: shortPsk.toString() }),
    await server.ask("PUT", "/bootstrap/configs/dev-2", { security: shortPsk.toString(), servers: [] }),
  ];
  assert.deepEqual(
    refusals.map(({ status }) => status),
    [409, 400, 400, 400, 400],
  );
  for (const { body } of [...replies, ...refusals]) assertAbsent("a reply", Buffer.from(JSON.stringify(body)), secrets);

  await server.ask("DELETE", "/credentials?endpoint=dev-1&realm=bootstrap");
  await server.ask("POST", "/bootstrap/configs/dev-3", {});
  const more = [`/credentials/${id}`, "/bootstrap/configs/dev-1", "/devices/dev-1", "/devices/dev-1/trace"];
  await assertNotShown(server, more, secrets);
  await assertNotOnDisk(directory, secrets);
  await server.close();
  await assertNotOnDisk(directory, secrets);
  assert.ok(server.lines.length > 5);
  assertAbsent("the log", Buffer.from(server.lines.join("")), secrets);
});

test("a bootstrap session writes the very key to the device, and shows it nowhere else", async (t) => {
  const directory = await aDataDirectory(t);
  const server = await aSecuredApp(t, directory);
  const secret = secretOf("written");
  assert.equal((await server.ask("PUT", "/bootstrap/configs/dev-1", configWith(secret))).status, 201);
  const got = await bootstrapped(server.app.bootstrapCoapPort);
  assert.ok(got.includes(secret) || got.includes(base64(secret)), "the device has its key");
  await assertNotShown(server, ["/bootstrap/configs/dev-1", "/devices/dev-1/trace"], [secret]);
  await server.close();
  await assertNotOnDisk(directory, [secret]);
  assertAbsent("the log", Buffer.from(server.lines.join("")), [secret]);
});

test("what an earlier version stored in the clear is sealed at the next start, and nothing of it is left in the files", async (t) => {
  const directory = await aDataDirectory(t);
  const earlier: CollectionDefinition = { name: "bootstrapConfigs", indexes: [] };
  const store = await openEmbeddedStore({ directory, collections: [earlier] });
  const secrets: Buffer[] = [];
  for (let i = 0; i < 700; i += 1) {
    const secret = secretOf(`earlier-${i}`);
    secrets.push(secret);
    // Small documents in a page, large ones on pages of their own.
    const config = configWith(
      secret,
      i % 7 === 0
        ? "n"
            .repeat(250)
            .repeat(1 + (i % 3) * 20)
            .slice(0, 5_000)
        : "",
    );
    await store
      .collection<StoredDocument & { readonly config: Json; readonly updatedAt: number }>(earlier)
      .insertOne({ _id: `dev-${i}`, config, updatedAt: 1 });
  }
  await store.close();
  const samples = [0, 1, 7, 350, 699].flatMap((index) => secrets[index] ?? []);
  await assert.rejects(assertNotOnDisk(directory, samples));
  const server = await aSecuredApp(t, directory);
  await assertNotOnDisk(directory, samples);
  assert.equal((await server.ask("GET", "/bootstrap/configs/dev-1")).status, 200);
  await server.close();
  await assertNotOnDisk(directory, samples);
});
