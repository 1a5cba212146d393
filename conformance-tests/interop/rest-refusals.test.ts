/** What an integrator does wrong: RFC 9457 problems with the status and type of the API's own table. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Child } from "./platform/child.ts";
import { eventually, patienceMs } from "./platform/deadline.ts";
import { startDevice } from "./platform/device-process.ts";
import { field, type Json, RestClient, type RestReply } from "./platform/rest-client.ts";
import { type ServerProcess, startServer } from "./platform/server-process.ts";

interface Refusal {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly body?: Json;
  readonly raw?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly status: number;
  readonly type: string;
  /** A JSON pointer that must be among `errors`. */
  readonly pointer?: string;
}

const device = "refusing";
const operations = `/devices/${device}/operations`;

const refusals: readonly Refusal[] = [
  { what: "no such address", method: "GET", path: "/nothing", status: 404, type: "not-found" },
  { what: "no such method", method: "DELETE", path: "/operations", status: 405, type: "method-not-allowed" },
  { what: "unknown device", method: "GET", path: "/devices/nobody", status: 404, type: "device-unknown" },
  {
    what: "operation on an unknown device",
    method: "POST",
    path: "/devices/nobody/operations",
    body: { kind: "read", path: "/3/0/0" },
    status: 404,
    type: "device-unknown",
  },
  { what: "unknown operation", method: "GET", path: "/operations/01J0000000000000000000000", status: 404, type: "operation-unknown" },
  { what: "body that is no JSON", method: "POST", path: operations, raw: '{"kind":', status: 400, type: "bad-request" },
  {
    what: "body of another media type",
    method: "POST",
    path: operations,
    raw: "kind=read",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    status: 415,
    type: "unsupported-media-type",
  },
  { what: "operation without a kind", method: "POST", path: operations, body: { path: "/3/0/0" }, status: 400, type: "bad-request" },
  {
    what: "kind nobody knows",
    method: "POST",
    path: operations,
    body: { kind: "explode", path: "/3/0/0" },
    status: 400,
    type: "bad-request",
    pointer: "/kind",
  },
  {
    what: "path not in the model",
    method: "POST",
    path: operations,
    body: { kind: "read", path: "/3/0/9999" },
    status: 422,
    type: "path-not-in-model",
  },
  {
    what: "object the device has not registered",
    method: "POST",
    path: operations,
    body: { kind: "read", path: "/3340/0" },
    status: 422,
    type: "path-not-in-model",
  },
  {
    what: "write of text to an integer",
    method: "POST",
    path: operations,
    body: { kind: "write", path: "/1/0/1", value: "soon" },
    status: 422,
    type: "value-type-mismatch",
    pointer: "/value",
  },
  {
    what: "write of a read-only resource",
    method: "POST",
    path: operations,
    body: { kind: "write", path: "/3/0/0", value: "x" },
    status: 405,
    type: "operation-not-allowed",
  },
  {
    what: "read of an executable",
    method: "POST",
    path: operations,
    body: { kind: "read", path: "/3/0/4" },
    status: 405,
    type: "operation-not-allowed",
  },
  {
    what: "package without name and version",
    method: "POST",
    path: "/packages",
    raw: "bytes",
    headers: { "content-type": "application/octet-stream" },
    status: 400,
    type: "bad-request",
  },
  {
    what: "update with a package nobody uploaded",
    method: "POST",
    path: `/devices/${device}/updates`,
    body: { packageId: "01J0000000000000000000000" },
    status: 404,
    type: "package-unknown",
  },
];

describe("REST requests that are refused", () => {
  let server: ServerProcess;
  let emulated: Child;

  before(async () => {
    server = await startServer();
    emulated = startDevice(server.coap, device, ["--lifetime", "300"]);
    await eventually("the device's registration", patienceMs, async () => {
      const { body } = await server.rest.get(`/devices/${device}`);
      return field(body, "registration") ? true : undefined;
    });
  });
  after(async () => {
    await emulated?.stop();
    await server?.dispose();
  });

  for (const refusal of refusals) {
    test(`RFC 9457 §3: ${refusal.what}: ${refusal.status} ${refusal.type}`, async () => {
      const reply = await server.rest.send(refusal.method, refusal.path, {
        ...(refusal.body === undefined ? {} : { body: refusal.body }),
        ...(refusal.raw === undefined
          ? {}
          : { bytes: new TextEncoder().encode(refusal.raw), headers: { "content-type": "application/json" } }),
        ...(refusal.headers === undefined ? {} : { headers: refusal.headers }),
      });
      assertProblem(reply, refusal.status, refusal.type);
      if (refusal.pointer === undefined) return;
      const errors = field(reply.body, "errors");
      assert.ok(
        Array.isArray(errors) && errors.some((each: Json) => field(each, "pointer") === refusal.pointer),
        `a pointer to ${refusal.pointer} in ${JSON.stringify(reply.body)}`,
      );
    });
  }

  test("RFC 9110 §15.5.14: a body beyond the limit is 413", async () => {
    const body = { kind: "write", path: "/3/0/15", value: "x".repeat(2 * 1_048_576) };
    assertProblem(await server.rest.send("POST", operations, { body }), 413, "body-too-large");
  });

  test("RFC 6750 §3: without, and with a wrong key, every address but /health is 401", async () => {
    for (const key of ["", "wrong", `${server.apiKey}x`]) {
      const stranger = new RestClient(`http://127.0.0.1:${server.ports.http}`, key);
      for (const path of ["/devices", "/events", "/packages", "/operations/1", "/nothing"]) {
        assertProblem(await stranger.get(path), 401, "unauthorized");
      }
      assert.equal((await stranger.get("/health/ready")).status, 200);
      assert.equal((await stranger.get("/health/live")).status, 200);
    }
  });

  test("refused requests leave nothing behind and no trace of the key in the log", async () => {
    const { body } = await server.rest.get(`/operations?endpoint=${device}`);
    const items = field(body, "items");
    assert.ok(Array.isArray(items) && items.length === 0, JSON.stringify(body));
    for (const line of [...server.child.stdout, ...server.child.stderr]) assert.ok(!line.includes(server.apiKey), line);
  });
});

function assertProblem(reply: RestReply, status: number, type: string): void {
  assert.equal(reply.status, status, JSON.stringify(reply.body));
  assert.match(reply.headers.get("content-type") ?? "", /^application\/problem\+json/);
  assert.equal(field(reply.body, "type"), `urn:lwm2m:problem:${type}`, JSON.stringify(reply.body));
  assert.equal(field(reply.body, "status"), status);
  for (const name of ["title", "detail"]) assert.equal(typeof field(reply.body, name), "string", name);
  assert.doesNotMatch(JSON.stringify(reply.body), /\.(js|ts):\d+/, "no stack trace");
}
