/** libcoap's command line client against the LwM2M server: registration, refusals, firmware by Block2. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { type CoapAnswer, type CoapRequest, coapRequest } from "./platform/libcoap.ts";
import { removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { type Json, text } from "./platform/rest-client.ts";
import { type ServerProcess, startServer } from "./platform/server-process.ts";
import { interopSuite } from "./platform/suite.ts";

const linkFormat = 40;
const objects = '</>;rt="oma.lwm2m";ct=11543,</1/0>,</3/0>,</5/0>,</3303/0>';

interopSuite("libcoap 4.3 against the server", ["libcoap"], () => {
  let server: ServerProcess;
  let directory: string;

  before(async () => {
    directory = await temporaryDirectory();
    server = await startServer();
  });
  after(async () => {
    await server?.dispose();
    await removeDirectory(directory);
  });

  const send = (method: string, path: string, request: Partial<CoapRequest> = {}): Promise<CoapAnswer> =>
    coapRequest(method, `${server.coap}${path}`, { directory, ...request });
  const register = (query: string, request: Partial<CoapRequest> = {}): Promise<CoapAnswer> =>
    send("post", `/rd${query}`, { contentFormat: linkFormat, payload: objects, ...request });
  const registrationOf = async (endpoint: string): Promise<Json> => {
    const { status, body } = await server.rest.get(`/devices/${endpoint}`);
    assert.equal(status, 200, `GET /devices/${endpoint}: ${JSON.stringify(body)}`);
    return (body as { readonly registration: Json }).registration;
  };

  test("LwM2M Core 1.1 §6.2.1: Register with a link-format payload gives 2.01 and a Location below /rd", async () => {
    const answer = await register("?ep=libcoap-1&lt=300&lwm2m=1.1&b=U");
    assert.equal(answer.code, "2.01", answer.trace.join("\n"));
    assert.match(answer.location ?? "", /^rd\/[^/]+$/);
    const registration = (await registrationOf("libcoap-1")) as { readonly [field: string]: Json };
    assert.equal(registration["lwm2mVersion"], "1.1");
    assert.equal(registration["lifetimeSeconds"], 300);
    assert.equal(registration["binding"], "U");
    const registered = registration["objects"] as readonly { readonly id: number; readonly instances: readonly number[] }[];
    assert.deepEqual(
      registered.map(({ id, instances }) => [id, instances]),
      [
        [1, [0]],
        [3, [0]],
        [5, [0]],
        [3303, [0]],
      ],
    );
  });

  test("LwM2M Core 1.1 §6.2.2: Update gives 2.04, changes what it names and nothing else", async () => {
    const localPort = await stablePort("udp");
    const { location } = await register("?ep=libcoap-2&lt=300&lwm2m=1.1&b=U", { localPort });
    assert.equal((await send("post", `/${location}`, { localPort })).code, "2.04");
    assert.equal((await send("post", `/${location}?lt=120`, { localPort })).code, "2.04");
    const changed = await send("post", `/${location}`, { localPort, contentFormat: linkFormat, payload: "</1/0>,</3/0>,</3303/4>" });
    assert.equal(changed.code, "2.04");
    const registration = (await registrationOf("libcoap-2")) as { readonly [field: string]: Json };
    assert.equal(registration["lifetimeSeconds"], 120);
    assert.equal(registration["lwm2mVersion"], "1.1");
    const registered = registration["objects"] as readonly { readonly id: number; readonly instances: readonly number[] }[];
    assert.deepEqual(
      registered.map(({ id, instances }) => [id, instances]),
      [
        [1, [0]],
        [3, [0]],
        [3303, [4]],
      ],
    );
  });

  test("LwM2M Core 1.1 §6.2.1: a second Register of the same endpoint name replaces the first", async () => {
    const first = await register("?ep=libcoap-3&lt=300&lwm2m=1.1&b=U");
    const second = await register("?ep=libcoap-3&lt=400&lwm2m=1.0&b=U");
    assert.notEqual(second.location, first.location);
    assert.equal((await send("post", `/${first.location}`)).code, "4.04", "the old location is void");
    assert.equal((await send("post", `/${second.location}`)).code, "2.04");
  });

  test("LwM2M Core 1.1 §6.2.3: De-register gives 2.02, then the location is unknown", async () => {
    const { location } = await register("?ep=libcoap-4&lt=300&lwm2m=1.1&b=U");
    assert.equal((await send("delete", `/${location}`)).code, "2.02");
    assert.equal((await send("post", `/${location}`)).code, "4.04");
    assert.equal((await send("delete", `/${location}`)).code, "4.04");
    assert.equal(await registrationOf("libcoap-4"), null);
  });

  test("RFC 7959 §2.5: a long object list arrives by Block1", async () => {
    const instances = Array.from({ length: 120 }, (_, id) => id);
    const payload = ["</1/0>", "</3/0>", ...instances.map((id) => `</3303/${id}>`)].join(",");
    for (const blockSize of [1024, 64]) {
      const endpoint = `libcoap-block-${blockSize}`;
      const answer = await register(`?ep=${endpoint}&lt=300&lwm2m=1.1&b=U`, { payload, blockSize });
      assert.equal(answer.code, "2.01", answer.trace.slice(-10).join("\n"));
      const registered = ((await registrationOf(endpoint)) as { readonly objects: readonly { readonly instances: readonly number[] }[] })
        .objects;
      assert.deepEqual(registered.at(-1)?.instances, instances);
    }
  });

  test("RFC 7252 §4.3: a non-confirmable Register is answered as well", async () => {
    assert.equal((await register("?ep=libcoap-5&lt=300&lwm2m=1.1&b=U", { nonConfirmable: true })).code, "2.01");
  });

  describe("LwM2M Core 1.1 §6.2.1: a malformed Register is refused and leaves no registration", () => {
    const refusals: readonly { readonly what: string; readonly query: string; readonly code: string; readonly payload?: string }[] = [
      { what: "no ep", query: "?lt=300&lwm2m=1.1&b=U", code: "4.00" },
      { what: "empty ep", query: "?ep=&lt=300&lwm2m=1.1&b=U", code: "4.00" },
      { what: "lt that is no number", query: "?ep=bad-lt&lt=soon&lwm2m=1.1&b=U", code: "4.00" },
      { what: "negative lt", query: "?ep=bad-negative&lt=-5&lwm2m=1.1&b=U", code: "4.00" },
      { what: "unknown binding letter", query: "?ep=bad-binding&lt=300&lwm2m=1.1&b=X", code: "4.00" },
      { what: "unsupported version", query: "?ep=bad-version&lt=300&lwm2m=9.9&b=U", code: "4.12" },
      { what: "version that is none", query: "?ep=bad-version-text&lt=300&lwm2m=one&b=U", code: "4.00" },
      { what: "no object list", query: "?ep=bad-empty&lt=300&lwm2m=1.1&b=U", code: "4.00", payload: "" },
      { what: "object list that is no link format", query: "?ep=bad-links&lt=300&lwm2m=1.1&b=U", code: "4.00", payload: "hello </3" },
    ];
    for (const { what, query, code, payload } of refusals) {
      test(`${what}: ${code}`, async () => {
        const answer = await register(query, payload === undefined ? {} : payload === "" ? { payload: undefined } : { payload });
        assert.equal(answer.code, code, answer.trace.join("\n"));
        assert.equal(answer.location, undefined);
        const endpoint = /ep=([a-z-]+)/.exec(query)?.[1];
        if (endpoint !== undefined) assert.equal((await server.rest.get(`/devices/${endpoint}`)).status, 404);
      });
    }

    test("RFC 7252 §5.10.3: object list in another content format: 4.15", async () => {
      assert.equal((await register("?ep=bad-format&lt=300&lwm2m=1.1&b=U", { contentFormat: 0 })).code, "4.15");
    });
  });

  test("RFC 7252 §5.8, §5.9.2.5: unknown location and path 4.04, wrong method 4.05", async () => {
    assert.equal((await send("post", "/rd/nobody")).code, "4.04");
    assert.equal((await send("delete", "/rd/nobody")).code, "4.04");
    assert.equal((await send("get", "/nothing/here")).code, "4.04");
    assert.equal((await send("get", "/rd")).code, "4.05");
    assert.equal((await send("put", "/rd", { payload: "x", contentFormat: 0 })).code, "4.05");
  });

  describe("RFC 7959 §2.4: a firmware package by Block2", () => {
    const sizes = [1, 1024, 1025, 100_003];
    const blockSizes = [1024, 256, 64];
    for (const size of sizes) {
      test(`${size} bytes arrive identical with blocks of ${blockSizes.join(", ")}`, async () => {
        const bytes = patternOf(size);
        const endpoint = `libcoap-fw-${size}`;
        await register(`?ep=${endpoint}&lt=300&lwm2m=1.1&b=U&Q`);
        const upload = await server.rest.send("POST", `/packages?name=sensor&version=9.0.${size}`, { bytes });
        assert.equal(upload.status, 201, JSON.stringify(upload.body));
        assert.equal(text(upload.body, "sha256"), createHash("sha256").update(bytes).digest("hex"));
        const update = await server.rest.send("POST", `/devices/${endpoint}/updates`, { body: { packageId: text(upload.body, "id") } });
        assert.equal(update.status, 201, JSON.stringify(update.body));
        const path = text(update.body, "downloadPath");
        for (const blockSize of blockSizes) {
          const answer = await send("get", path, { blockSize });
          assert.equal(answer.code, "2.05", answer.trace.slice(-10).join("\n"));
          assert.equal(answer.messages, Math.ceil(size / blockSize), `blocks of ${blockSize}`);
          assert.ok(Buffer.from(answer.payload).equals(bytes), `${answer.payload.length} bytes received, ${size} sent`);
        }
        assert.equal((await send("get", `${path}x`)).code, "4.04", "a download path nobody gave out");
        await server.rest.send("POST", `/updates/${text(update.body, "id")}:cancel`);
      });
    }
  });
});

/** Bytes without a short period, so that a swapped or repeated block shows. */
function patternOf(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 0x2545f491;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}
