import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { StorageUnavailableError } from "../storage/collection.ts";
import { aDoor, aRoute, bodyOf, json, problemOf } from "./door-fixture.ts";
import { healthRoutes, versionRoute } from "./health-http.ts";
import { openApiRoute } from "./openapi.ts";

test("without the key everything but /health is 401, whether it exists or not", async (t) => {
  const { origin } = await aDoor(t, [aRoute({ path: "/devices" })]);
  for (const path of ["/api/v1/devices", "/api/v1/nothing", "/", "/api/v1/openapi.json"]) {
    const response = await fetch(origin + path);
    assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
    await problemOf(response, 401, "unauthorized");
  }
  await problemOf(
    await fetch(`${origin}/api/v1/devices`, { headers: { authorization: "Bearer wrong-key-of-some-length" } }),
    401,
    "unauthorized",
  );
  assert.equal((await fetch(`${origin}/health/live`)).status, 200);
});

test("readiness is 200 only when nothing is at fault, else 503 with the reasons", async (t) => {
  const ready = await aDoor(t, []);
  assert.deepEqual(await bodyOf(await fetch(`${ready.origin}/health/ready`)), { status: "ready" });
  const unready = await aDoor(t, [], ["the store does not answer"]);
  const response = await fetch(`${unready.origin}/health/ready`);
  assert.equal(response.status, 503);
  assert.deepEqual(await bodyOf(response), { status: "not-ready", reasons: ["the store does not answer"] });
});

test("RFC 9110: unknown address 404, wrong method 405 with Allow, OPTIONS, HEAD", async (t) => {
  const { ask } = await aDoor(t, [aRoute({ path: "/devices/{endpoint}" }), aRoute({ path: "/devices/{endpoint}", method: "DELETE" })]);
  await problemOf(await ask("/nothing"), 404, "not-found");
  const wrong = await ask("/devices/urn:dev:x", { method: "POST" });
  assert.equal(wrong.headers.get("allow"), "DELETE, GET, HEAD, OPTIONS");
  await problemOf(wrong, 405, "method-not-allowed");
  const options = await ask("/devices/x", { method: "OPTIONS" });
  assert.deepEqual([options.status, options.headers.get("allow")], [204, "DELETE, GET, HEAD, OPTIONS"]);
  const head = await ask("/devices/x", { method: "HEAD" });
  assert.deepEqual([head.status, await head.text(), Number(head.headers.get("content-length")) > 0], [200, "", true]);
  await problemOf(await ask("/devices/%ff"), 400, "bad-request");
});

test("every answer forbids sniffing, framing and caching and names its trace", async (t) => {
  const { ask, origin } = await aDoor(t, [aRoute({ path: "/x" })]);
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const replies = [
    await ask("/x", { headers: { traceparent } }),
    await ask("/none", { headers: { traceparent } }),
    await fetch(`${origin}/health/live`),
  ];
  for (const { headers } of replies) {
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("x-powered-by"), null);
  }
  assert.equal(replies[0]?.headers.get("trace-id"), "4bf92f3577b34da6a3ce929d0e0e4736");
  assert.equal((await bodyOf(replies[1] ?? assert.fail())).traceId, "4bf92f3577b34da6a3ce929d0e0e4736");
});

const queryCases: readonly (readonly [string, unknown])[] = [
  ["", { limit: 100 }],
  ["?limit=5&open=true&name=a+b%26", { limit: 5, open: true, name: "a b&" }],
  ["?limit=0", "/limit"],
  ["?limit=1001", "/limit"],
  ["?limit=", "/limit"],
  ["?limit=5x", "/limit"],
  ["?open=yes", "/open"],
  ["?nothing=1", "/nothing"],
  ["?limit=1&limit=2", "/limit"],
  ["?__proto__=1", "/__proto__"],
];
for (const [search, expected] of queryCases) {
  test(`query ${search || "(none)"}`, async (t) => {
    const query = {
      limit: { type: "integer", minimum: 1, maximum: 1_000, default: 100 },
      open: { type: "boolean" },
      name: { type: "string" },
    };
    const { ask } = await aDoor(t, [aRoute({ path: "/list", query })]);
    const response = await ask(`/list${search}`);
    if (typeof expected === "string") {
      const problem = await problemOf(response, 400, "bad-request");
      assert.equal(problem.errors[0].pointer, expected);
      assert.ok(problem.detail.includes(expected.slice(1)), problem.detail);
    } else assert.deepEqual((await bodyOf(response)).query, expected);
  });
}

const bodyRoute = aRoute({
  path: "/things",
  method: "POST",
  body: {
    type: "object",
    properties: {
      kind: { enum: ["read", "write"] },
      value: {},
      list: { type: "array", items: { type: "object", properties: { "a/b": { type: "integer" } } } },
    },
    required: ["kind"],
    additionalProperties: false,
  },
});
const bodyCases: readonly (readonly [string, string | Uint8Array | undefined, string | undefined, number, string, string?])[] = [
  ["an empty body", undefined, undefined, 400, "bad-request"],
  ["no JSON media type", "{}", "text/plain", 415, "unsupported-media-type"],
  ["what curl -d sends", "{}", "application/x-www-form-urlencoded", 415, "unsupported-media-type"],
  ["a problem as text", '{"kind":', "application/json", 400, "bad-request"],
  ["bytes that are no UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "application/json", 400, "bad-request"],
  ["a wrong type", "[]", "application/json", 400, "bad-request", ""],
  ["a missing member", "{}", "application/json", 400, "bad-request", "/kind"],
  ["a wrong member", '{"kind":"fly"}', "application/json", 400, "bad-request", "/kind"],
  ["an unknown member", '{"kind":"read","x~y/z":1}', "application/json", 400, "bad-request", "/x~0y~1z"],
  ["a wrong member deep inside", '{"kind":"read","list":[{},{"a/b":"1"}]}', "application/json", 400, "bad-request", "/list/1/a~1b"],
  ["a body over the limit", `"${"x".repeat(3_000)}"`, "application/json", 413, "body-too-large"],
];
for (const [title, body, type, status, code, pointer] of bodyCases) {
  test(`${title} is ${status}`, async (t) => {
    const { ask } = await aDoor(t, [bodyRoute]);
    const response = await ask("/things", {
      method: "POST",
      ...(body === undefined ? {} : { body }),
      headers: type === undefined ? {} : { "content-type": type },
    });
    const problem = await problemOf(response, status, code);
    if (pointer !== undefined) assert.equal(problem.errors[0].pointer, pointer);
  });
}

test("a good body arrives as it was sent; merge types and gzip are taken; the fault of a bad one names the position", async (t) => {
  const { ask } = await aDoor(t, [bodyRoute]);
  const sent = { kind: "write", value: { "5850": true } };
  assert.deepEqual((await bodyOf(await ask("/things", { method: "POST", ...json(sent) }))).body, sent);
  const merge = { method: "POST", body: JSON.stringify(sent), headers: { "content-type": "application/merge-patch+json; charset=utf-8" } };
  assert.equal((await ask("/things", merge)).status, 200);
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  assert.equal((await ask("/things", { method: "POST", body: gzipSync(JSON.stringify(sent)), headers })).status, 200);
  const bomb = gzipSync(`"${"x".repeat(1_000_000)}"`);
  await problemOf(await ask("/things", { method: "POST", body: bomb, headers }), 413, "body-too-large");
  await problemOf(await ask("/things", { method: "POST", body: "no gzip at all", headers }), 400, "bad-request");
  const { detail } = await problemOf(
    await ask("/things", { method: "POST", body: '{"kind":read}', headers: { "content-type": "application/json" } }),
    400,
    "bad-request",
  );
  assert.match(detail, /expected a value at position 8/);
});

test("a value of a refused body is not repeated: it may be a secret", async (t) => {
  const { ask, lines } = await aDoor(t, [
    aRoute({ path: "/secrets", method: "PUT", body: { type: "object", properties: { psk: { type: "integer" } } } }),
  ]);
  const text = await (await ask("/secrets", { method: "PUT", ...json({ psk: "deadbeef" }) })).text();
  assert.equal(text.includes("deadbeef"), false);
  assert.equal(lines.join("").includes("deadbeef"), false);
});

test("a body where none is taken is refused; one that is optional may be left out", async (t) => {
  const optional = aRoute({ path: "/run", method: "POST", body: { type: "object", properties: { arguments: { type: "string" } } } });
  const { ask } = await aDoor(t, [optional, aRoute({ path: "/none", method: "DELETE" })]);
  assert.equal((await bodyOf(await ask("/run", { method: "POST" }))).body, null);
  await problemOf(await ask("/none", { method: "DELETE", ...json({}) }), 400, "bad-request");
});

test("RFC 7240 §3: Preference-Applied is sent where the preference was looked at, and only there", async (t) => {
  const { ask } = await aDoor(t, [aRoute({ path: "/waits" }), aRoute({ path: "/other", handle: async () => ({ status: 200 }) })]);
  const response = await ask("/waits", { headers: { prefer: "wait=7", "idempotency-key": "k1" } });
  assert.equal(response.headers.get("preference-applied"), "wait=7");
  const { preferWaitMs, idempotencyKey, actor } = await bodyOf(response);
  assert.deepEqual([preferWaitMs, idempotencyKey, actor], [7_000, "k1", "administrator"]);
  assert.equal((await ask("/other", { headers: { prefer: "wait=7" } })).headers.get("preference-applied"), null);
});

test("STYLE §2 errors: a handler that throws is a 500 without internals; the log has the stack under the traceId", async (t) => {
  const handle = async (): Promise<never> => {
    throw new Error("invariant 42 is broken");
  };
  const { ask, lines } = await aDoor(t, [aRoute({ path: "/bug", handle })]);
  const text = await (await ask("/bug")).text();
  assert.equal(/invariant|door\.js|node:/.test(text), false);
  const entry = lines.map((line) => JSON.parse(line)).find(({ level }) => level === "error");
  assert.equal(entry.traceId, JSON.parse(text).traceId);
  assert.match(entry.error.stack, /invariant 42 is broken[\s\S]*door\.test/);
});

test("a store that is gone is 503 with Retry-After, not a bug", async (t) => {
  const handle = async (): Promise<never> => {
    throw new StorageUnavailableError("disk full");
  };
  const { ask, lines } = await aDoor(t, [aRoute({ path: "/gone", handle })]);
  const response = await ask("/gone");
  assert.equal(response.headers.get("retry-after"), "5");
  await problemOf(response, 503, "unavailable");
  assert.equal(
    lines.some((line) => line.includes('"error"')),
    false,
  );
});

test("a problem of a handler carries its status, pointers, CoAP code and Retry-After", async (t) => {
  const problem = {
    type: "device-rejected",
    detail: "4.05",
    coapCode: "4.05",
    retryAfterSeconds: 2.5,
    errors: [{ pointer: "/value", detail: "x" }],
  } as const;
  const { ask } = await aDoor(t, [aRoute({ path: "/p", handle: async () => ({ problem }) })]);
  const response = await ask("/p");
  assert.equal(response.headers.get("retry-after"), "3");
  const { coapCode, errors, instance } = await problemOf(response, 502, "device-rejected");
  assert.deepEqual([coapCode, errors, instance], ["4.05", problem.errors, "/api/v1/p"]);
});

test("a reply that does not fit its own schema is a bug found in tests", async (t) => {
  const replies = { 200: { description: "", schema: { type: "object", required: ["a"] } } };
  const { ask } = await aDoor(t, [aRoute({ path: "/wrong", replies, handle: async () => ({ status: 200, body: {} }) })]);
  await problemOf(await ask("/wrong"), 500, "internal-error");
});

test("OpenAPI 3.1 §4.8: the document lists every route once, its parameters, body and replies", async (t) => {
  const routes = [
    bodyRoute,
    aRoute({ path: "/devices/{endpoint}/resources/{path...}", query: { live: { type: "boolean" } } }),
    versionRoute("1.2.3"),
  ];
  const openRoutes = healthRoutes({ findFaults: async () => [] });
  const { ask } = await aDoor(t, [...routes, openApiRoute({ version: "1.2.3", prefix: "/api/v1", routes, openRoutes })]);
  const document = await bodyOf(await ask("/openapi.json"));
  assert.deepEqual([document.openapi, document.info.version], ["3.1.0", "1.2.3"]);
  assert.deepEqual(Object.keys(document.paths), [
    "/health/live",
    "/health/ready",
    "/api/v1/things",
    "/api/v1/devices/{endpoint}/resources/{path}",
    "/api/v1/version",
    "/api/v1/openapi.json",
  ]);
  const read = document.paths["/api/v1/devices/{endpoint}/resources/{path}"].get;
  assert.deepEqual(
    read.parameters.map(({ name, in: place }: { name: string; in: string }) => [name, place]),
    [
      ["endpoint", "path"],
      ["path", "path"],
      ["live", "query"],
    ],
  );
  assert.equal(document.paths["/api/v1/things"].post.requestBody.required, true);
  assert.deepEqual(document.paths["/health/live"].get.security, []);
});
